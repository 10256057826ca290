/** The two stores, asked the same things in the same order, or at once, give the same answers and keep the same. */
import { inspect } from "node:util";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import type { Incoming, PageCommit } from "../../../src/worker/queue/page.ts";
import type { LeasedRecord, ParentQuestion, Settlement, WrittenRecord } from "../../../src/worker/queue/turn.ts";
import { checkpointAt } from "../../unit/worker/queue/pages.ts";
import { leaseMs, QueueGround, SqliteStore } from "../../unit/worker/queue/queue-ground.ts";
import { serverForFile } from "./for-file.ts";
import { PostgresStore } from "./postgres-store.ts";
import type { PostgresServer } from "./server.ts";

let server: PostgresServer;
await serverForFile((started) => {
  server = started;
});

const groups = 3;
const ids = Array.from({ length: 9 }, (_, n) => `r${n}`);
const groupOf = (id: string) => Number(id.slice(1)) % groups;
/** The ids of a group have two keys among them. */
const keyOf = (id: string, key: number) => `g${groupOf(id)}-${key}`;

const some = fc.subarray(ids, { minLength: 1 });
const number = fc.nat({ max: 99 });
/** One thing that is asked; what it is asked of is chosen by its numbers. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("Page"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("Lease"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("Begin"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("Settle"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("Ask"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("GiveBack", "Redrive", "Generation", "Sweep", "Release", "Wait"),
      of: some,
      dice: fc.array(number, { minLength: 15, maxLength: 15 }),
    }),
  },
);

interface Step {
  readonly kind: string;
  readonly of: readonly string[];
  readonly dice: readonly number[];
}

/** What one store's records in hand are, and whether a call was begun for them. */
interface Hand {
  readonly record: LeasedRecord;
  begun?: WrittenRecord["certainty"];
}

/** One store, driven by steps. */
class Driven {
  readonly #queue: Queue;
  readonly #mapping: string;
  readonly #withLinks: boolean;
  readonly #hands = new Map<string, Hand>();
  #version = 1n;
  #page = 0;
  #generation = 1;

  constructor(queue: Queue, mapping: string, withLinks: boolean) {
    this.#queue = queue;
    this.#mapping = mapping;
    this.#withLinks = withLinks;
  }

  async counts(): Promise<unknown> {
    const { pace: _, ...counts } = { pace: undefined, ...(await this.#queue.counts()).get(this.#mapping) };
    return counts;
  }

  async do({ kind, of, dice }: Step): Promise<unknown> {
    const mine = of.flatMap((id) => this.#hands.get(id) ?? []);
    const die = (n: number) => dice[n % dice.length] ?? 0;
    switch (kind) {
      case "Page":
        return this.#commit(
          of.map((id, n) => this.#incoming(id, die(n))),
          die(14),
        );
      case "Lease":
        return this.#lease(1 + (die(0) % 6));
      case "Begin":
        return Promise.all(mine.map((hand, n) => this.#begin(hand, die(n))));
      case "Settle":
        // Of a group one: what concerns two of one key has its order.
        return this.#settle(
          mine.filter(
            (hand, n) => mine.findIndex((other) => groupOf(other.record.id) === groupOf(hand.record.id)) === n,
          ),
          die,
        );
      case "Ask":
        return this.#withLinks ? this.#ask(mine[0], dice) : undefined;
      case "GiveBack":
        for (const { record } of mine) this.#hands.delete(record.id);
        return this.#queue.giveBack(mine.map(({ record }) => record));
      case "Redrive":
        return this.#queue.records.redrive({}, die(0) % 2 === 0);
      case "Generation":
        this.#generation += 1;
        return this.#queue.beginGeneration(this.#checkpoint());
      case "Sweep":
        return [
          await this.#queue.countUnseen(this.#mapping, this.#generation),
          await this.#queue.sweep(this.#mapping, this.#generation, die(0) % 2 === 0),
        ];
      case "Release":
        return this.#queue.releaseWithheld(this.#mapping);
      default:
        return undefined;
    }
  }

  async state(): Promise<unknown> {
    const looks = await Promise.all(
      ids.map((id) => this.#queue.records.look(this.#mapping, { id, targetKey: keyOf(id, 0) })),
    );
    return looks.map((found) => [...found].sort((a, b) => a.id.localeCompare(b.id)).map(sorted));
  }

  #checkpoint() {
    this.#page += 1;
    return checkpointAt(this.#page, { mapping: this.#mapping, generation: this.#generation });
  }

  #incoming(id: string, die: number): Incoming {
    this.#version += 1n;
    const version = die % 7 === 0 ? 1n : this.#version;
    const content = { targetKey: keyOf(id, die % 2), payload: `{"n":${die}}` };
    if (die < 60) return { kind: "Upsert", id, version, ...(die % 5 === 0 ? {} : { content }) };
    if (die < 72) return { kind: "Delete", id };
    if (die < 88) return { kind: "FilteredOut", id, version, remove: die % 2 === 0 };
    return { kind: "Refused", id, version, refusal: { reason: "KeyMissing", message: "no key" } };
  }

  #commit(records: readonly Incoming[], die: number) {
    const release = die % 3 === 0 ? {} : { release: { inferredLimit: die % 3 === 1 ? 0 : 100 } };
    const stage = die % 2 === 0 ? "Round" : "Snapshot";
    const page: PageCommit = {
      checkpoint: this.#checkpoint(),
      records,
      stage,
      replay: die > 90,
      listed: false,
      ...release,
    };
    return this.#queue.commitPage(page);
  }

  async #lease(limit: number): Promise<unknown> {
    const leased = await this.#queue.lease(this.#mapping, limit, leaseMs);
    for (const record of leased) this.#hands.set(record.id, { record });
    return leased.map(({ ticket: _, ...rest }) => rest).sort((a, b) => a.id.localeCompare(b.id));
  }

  #written(
    { id, content, version = 0n, generation, written }: LeasedRecord,
    certainty: WrittenRecord["certainty"],
  ): WrittenRecord {
    const targetKey = content?.targetKey ?? written?.targetKey ?? keyOf(id, 0);
    return {
      targetKey,
      certainty,
      version,
      generation,
      left: false,
      ...(certainty === "Known" ? { hash: `h${version}` } : {}),
    };
  }

  async #begin(hand: Hand, die: number): Promise<unknown> {
    const { record } = hand;
    const isRemoval =
      record.operation === "Delete" || (record.content === undefined && die % 4 === 0 && record.written !== undefined);
    const certainty = isRemoval ? "Removing" : record.written === undefined ? "Inserting" : "Unknown";
    const leave = await this.#queue.begin(record, this.#written(record, certainty), leaseMs);
    if (leave === "Begun" || leave === "BegunBeside") hand.begun = certainty;
    else if (leave === "Superseded") this.#hands.delete(record.id);
    return leave;
  }

  #settle(hands: readonly Hand[], die: (n: number) => number): Promise<unknown> {
    return Promise.all(
      hands.map(({ record, begun }, n) => {
        this.#hands.delete(record.id);
        return this.#queue.settle(record, this.#settlement(record, begun, die(n)));
      }),
    );
  }

  #settlement(record: LeasedRecord, begun: Hand["begun"], die: number): Settlement {
    const before = record.written;
    if (die < 12) return { kind: "Retry", before, afterMs: die * 1000, counts: die % 2 === 0 };
    if (die < 20) return { kind: "Dead", before, refusal: { reason: "Refused", message: "no" } };
    if (begun === "Removing") return { kind: "Removed", sent: true };
    if (begun !== undefined && die < 30) return { kind: "Unknown" };
    if (begun === undefined && die < 40) return { kind: "Removed", sent: false };
    if (begun === undefined && die < 46) return { kind: "Left", version: record.version ?? 1n };
    if (begun === undefined && die < 52) return { kind: "RemoveLater", version: record.version ?? 1n };
    if (begun === undefined && die < 60 && this.#withLinks) return { kind: "Park" };
    const linked = this.#withLinks ? { linked: [{ mapping: this.#mapping, id: ids[die % ids.length] ?? "" }] } : {};
    return { kind: "Written", written: this.#written(record, "Known"), sent: begun !== undefined, ...linked };
  }

  async #ask(hand: Hand | undefined, dice: readonly number[]): Promise<unknown> {
    if (hand === undefined) return undefined;
    const parents = new Set(dice.slice(0, 3).map((die) => ids[die % ids.length] ?? ""));
    const questions = [...parents].map((id, n): ParentQuestion => {
      return {
        mapping: this.#mapping,
        id,
        isMandatory: (dice[n] ?? 0) % 2 === 0,
        onlyIfOwed: (dice[n] ?? 0) % 5 === 0,
      };
    });
    return this.#queue.askParents(hand.record, questions);
  }
}

function sorted<T extends { readonly pending?: { readonly waitsFor?: readonly { readonly id: string }[] } }>(
  found: T,
): T {
  const { pending } = found;
  if (pending?.waitsFor === undefined) return found;
  return {
    ...found,
    pending: { ...pending, waitsFor: [...pending.waitsFor].sort((a, b) => a.id.localeCompare(b.id)) },
  };
}

const stepsAtMost = 60;

/**
 * A turn that began before its record changed leaves no hash in the shared store, for another process may have begun a
 * generation meanwhile; in the embedded one it does. Fewer hashes are a call more, and no harm.
 */
function withoutHashesNotIn(shared: unknown, embedded: unknown): unknown {
  if (embedded === null || typeof embedded !== "object") return embedded;
  if (Array.isArray(embedded)) return embedded.map((one, n) => withoutHashesNotIn(part(shared, n), one));
  return Object.fromEntries(
    Object.entries(embedded)
      .filter(([name]) => name !== "hash" || part(shared, "hash") !== undefined)
      .map(([name, one]) => [name, withoutHashesNotIn(part(shared, name), one)]),
  );
}

function part(whole: unknown, name: string | number): unknown {
  return (whole as Readonly<Record<string | number, unknown>> | undefined)?.[name];
}

it.each([
  ["without links", false, 30],
  ["with links", true, 20],
] as const)(
  "whatever happens, %s",
  async (_, withLinks, numRuns) => {
    const grounds = [new QueueGround(new SqliteStore()), new QueueGround(new PostgresStore(server))] as const;
    let mappings = 0;
    let hashes = 0;
    try {
      const [embedded, shared] = await Promise.all(grounds.map((ground) => ground.open(AbortSignal.timeout(30_000))));
      const run = async (steps: readonly Step[]) => {
        mappings += 1;
        const mapping = `m${mappings}`;
        const [a, b] = [embedded, shared].map((queue) => queue && new Driven(queue, mapping, withLinks));
        for (const [n, one] of steps.entries()) {
          const wait = one.kind === "Wait" ? leaseMs * (1 + ((one.dice[0] ?? 0) % 3)) : 1000;
          for (const ground of grounds) ground.now += wait;
          await b?.counts(); // The first that is asked is told the time.
          const [answer, expected] = [await b?.do(one), await a?.do(one)];
          expect(answer, `step ${n}: ${one.kind}`).toEqual(withoutHashesNotIn(answer, expected));
          expect(await b?.counts(), `after step ${n}: ${one.kind}`).toEqual(await a?.counts());
        }
        const state = await b?.state();
        expect(state).toEqual(withoutHashesNotIn(state, await a?.state()));
        hashes += inspect(state, { depth: 9, maxArrayLength: 99 }).split("hash: ").length - 1;
      };
      const steps = fc.array(step, { minLength: stepsAtMost / 2, maxLength: stepsAtMost, size: "max" });
      await fc.assert(fc.asyncProperty(steps, run), { numRuns, endOnFailure: true });
      expect(hashes).toBeGreaterThan(numRuns);
    } finally {
      for (const ground of grounds) await ground.end();
    }
  },
  120_000,
);
