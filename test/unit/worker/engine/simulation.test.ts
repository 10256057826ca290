/**
 * The promise, under everything at once: changes while reading, calls that fail in every way, answers that are lost,
 * writes that land late, delta links that expire, kills at any moment; keys that two rows have, and that move from one to
 * another. In the end Campaign has what Dataverse has, once, and of no record an older version ever replaced a newer one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { IngressEngine } from "../../../../src/worker/engine/engine.ts";
import { engineSettings } from "../../../../src/worker/engine/settings.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { TestClock } from "./test-clock.ts";
import { type Fate, Life, type Lot, SourceWorld, TargetWorld } from "./worlds.ts";

const mapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "fullname", field: "name", applyUpdates: true },
    { column: "revision", field: "revision", applyUpdates: true },
  ],
  applyDeletes: true,
  picklistValues: "Label",
};

/** A key that is not the row's id. */
const byNumber: IngressMapping = { ...mapping, key: { column: "number", field: "externalId" } };

const leaseMs = 30_000;
/** A lost call may land until shortly before its lease ends; two calls may take longer than one lease. */
const latestMs = leaseMs - 2000;
const longestAnswerMs = 12_000;
const settings = {
  ...engineSettings({ engineCallsPerSecond: 20, sharePercent: 100, mappings: 1, callTimeoutSeconds: 10 }),
  pageSize: 3,
  parallelism: 4,
  leaseMs,
  highWaterRecords: 12,
  lowWaterRecords: 6,
};

type Step =
  | { readonly kind: "Put"; readonly record: number; readonly number?: string }
  | { readonly kind: "Delete"; readonly record: number }
  | { readonly kind: "MakeByHand"; readonly record: number }
  | { readonly kind: "ExpireTokens" }
  | { readonly kind: "Kill" }
  | { readonly kind: "Pass"; readonly steps: number };

const record = fc.integer({ min: 0, max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: record.map((n) => ({ kind: "Put", record: n }) as const) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(record, fc.constantFrom("n-0", "n-1", "n-2", undefined))
      .map(([n, number]) => ({ kind: "Put", record: n, number: number ?? `of id-${n}` }) as const),
  },
  { weight: 4, arbitrary: record.map((n) => ({ kind: "Delete", record: n }) as const) },
  { weight: 1, arbitrary: record.map((n) => ({ kind: "MakeByHand", record: n }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "ExpireTokens" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "Kill" } as const) },
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }).map((steps) => ({ kind: "Pass", steps }) as const) },
);
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 12, arbitrary: fc.constant("Done" as const) },
  { weight: 1, arbitrary: fc.constantFrom("NotSent", "Outage", "LostAfter", "LandsLate", "LandsLate") },
);

const lot: fc.Arbitrary<Lot> = fc.record({
  fate,
  delayMs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 3000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 3000, max: longestAnswerMs }) },
  ),
});

interface Running {
  readonly life: Life;
  readonly queue: Queue;
}

class Simulation {
  readonly clock = new TestClock();
  readonly source: SourceWorld;
  readonly target: TargetWorld;
  readonly #directory = mkdtempSync(join(tmpdir(), "simulation-"));
  readonly #mapping: IngressMapping;
  #lots: Lot[];
  #running: Running | undefined;
  failure: unknown;

  constructor(asked: IngressMapping, lots: readonly Lot[]) {
    this.#mapping = asked;
    this.#lots = [...lots];
    const next = () => this.#lots.shift() ?? { fate: "Done", delayMs: 0 };
    this.source = new SourceWorld(next, this.clock);
    this.target = new TargetWorld(next, this.clock, latestMs);
  }

  async start(): Promise<void> {
    const life = new Life();
    const now = () => 1_800_000_000_000 + this.clock.now();
    const queue = await openSqliteQueue(
      { directory: this.#directory, now, logger: silentLogger },
      new AbortController().signal,
    );
    const engine = new IngressEngine({
      configuration: {
        workflow: { name: "contacts", namespace: "crm", uid: "u" },
        // The engine asks these alone of the spec.
        spec: { campaign: { url: "https://c.example" }, queue: { deadLetterRetentionDays: 30 } } as never,
      },
      mappings: [this.#mapping],
      queue: life.of(queue),
      dataverse: life.of(this.source.client()),
      campaign: life.of(this.target.client()),
      settings,
      clock: this.clock,
      now,
      random: () => 0.5,
      logger: silentLogger,
    });
    const forever = new AbortController().signal;
    void engine.run(forever, forever).catch((error: unknown) => {
      if (!life.isOver) this.failure = error;
    });
    this.#running = { life, queue };
  }

  async kill(): Promise<void> {
    if (this.#running === undefined) return;
    this.#running.life.isOver = true;
    await this.#running.queue.close();
    this.#running = undefined;
  }

  async do(what: Step, count: number): Promise<void> {
    switch (what.kind) {
      case "Put":
        return this.source.put(`id-${what.record}`, `name ${count}`, what.number);
      case "Delete":
        return this.source.delete(`id-${what.record}`);
      case "MakeByHand":
        return this.#makeByHand(`id-${what.record}`);
      case "ExpireTokens":
        return this.source.expireTokens();
      case "Kill":
        await this.kill();
        return this.start();
      case "Pass":
        for (let n = 0; n < what.steps; n++) await this.clock.step();
    }
  }

  /** Until everything has arrived, with no more faults. */
  async settle(): Promise<void> {
    this.#lots = [];
    // What was lost may still land.
    const lastLanding = this.clock.now() + leaseMs;
    await this.clock.until(() => this.clock.now() > lastLanding, 2 * leaseMs);
    await this.clock.until(() => this.failure !== undefined || this.isSame(), 1_000_000);
    if (this.failure !== undefined) throw this.failure;
    await this.clock.until(async () => {
      const counts = (await this.#running?.queue.counts())?.get("contact");
      return counts?.pending === 0 && counts.written === this.source.rows.size;
    }, 1_000_000);
  }

  /** Not while the first load goes on: what Campaign has is listed once for it. */
  async #makeByHand(id: string): Promise<void> {
    const [checkpoint] = (await this.#running?.queue.checkpoints()) ?? [];
    if (checkpoint === undefined || checkpoint.snapshot?.purpose === "FirstLoad" || this.source.rows.has(id)) return;
    const key = this.#keyOf(id, `of ${id}`);
    if (!this.target.history.has(key)) this.target.makeByHand(key);
  }

  #keyOf(id: string, number: string): string {
    return this.#mapping.key.column === "contactid" ? id : number;
  }

  /** Every key once, with what the newest of its rows says. */
  isSame(): boolean {
    const newest = new Map<string, { readonly version: number; readonly name: string }>();
    for (const [id, row] of this.source.rows) {
      const key = this.#keyOf(id, row.number);
      if (row.version > (newest.get(key)?.version ?? 0)) newest.set(key, row);
    }
    const written = this.target.records.filter(({ revision }) => revision !== undefined);
    if (written.length !== newest.size) return false;
    return [...newest].every(([key, { version, name }]) => {
      const [found, second] = this.target.with(key);
      return second === undefined && found?.["name"] === name && found["revision"] === version;
    });
  }

  /** Of a key, what one contact's versions were, in the order of writing. */
  histories(): readonly (readonly number[])[] {
    return [...this.target.history.values()].flatMap((history) => {
      const versions = history.filter((what) => what !== "gone");
      return [...Map.groupBy(versions, (version) => this.source.idOf.get(version)).values()];
    });
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

it.each([
  ["the row's id", mapping],
  ["a number that rows share and pass on", byNumber],
])(
  "by %s: nothing is lost, nothing goes backwards, nothing is there twice",
  async (_key, asked) => {
    const property = fc.asyncProperty(
      fc.array(record, { maxLength: 10 }),
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.array(lot, { maxLength: 200 }),
      fc.array(record, { maxLength: 3 }),
      async (before, steps, lots, byHand) => {
        const simulation = new Simulation(asked, lots);
        try {
          for (const n of byHand) simulation.target.makeByHand(asked === byNumber ? `of id-${n}` : `id-${n}`);
          for (const [count, n] of before.entries()) simulation.source.put(`id-${n}`, `before ${count}`);
          await simulation.start();
          for (const [count, what] of steps.entries()) await simulation.do(what, count);
          await simulation.settle();
          expect(simulation.isSame()).toBe(true);
          for (const versions of simulation.histories()) expect(versions).toEqual(versions.toSorted((a, b) => a - b));
        } finally {
          await simulation.end();
        }
      },
    );
    await fc.assert(property, { numRuns: Number(process.env["RUNS"] ?? 60), endOnFailure: false });
  },
  240_000,
);
