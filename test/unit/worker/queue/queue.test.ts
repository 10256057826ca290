import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Incoming } from "../../../../src/worker/queue/page.ts";
import type { LeasedRecord, Settlement } from "../../../../src/worker/queue/turn.ts";
import { checkpointAt, upsert } from "./pages.ts";
import { commit, known, leaseMs, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
beforeEach(() => {
  ground = new QueueGround();
});
afterEach(() => ground.end());

describe("the queue", () => {
  it("gives records in the order in which they were first read, the newest version at the place of the first", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    ground.now += 10;
    await commit(queue, [upsert("c", 1n), upsert("a", 2n)]);
    const records = await queue.lease("contact", 10, leaseMs);
    expect(records.map(({ id, version }) => `${id}${version}`)).toEqual(["a2", "b1", "c1"]);
  });

  it("keeps 64 bits of a row version", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 2n ** 62n + 1n)]);
    await commit(queue, [upsert("a", 2n ** 62n)]);
    expect((await leaseOne(queue)).version).toBe(2n ** 62n + 1n);
  });

  it("gives a leased record to nobody else until its lease is over", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n)]);
    await leaseOne(queue);
    ground.now += leaseMs - 1;
    expect(await queue.lease("contact", 1, leaseMs)).toEqual([]);
    ground.now += 1;
    expect(await queue.lease("contact", 1, leaseMs)).toHaveLength(1);
  });

  it("goes on when the machine's clock is set back, and lets no lease end sooner, now or after a restart", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    const [a] = await queue.lease("contact", 1, leaseMs);
    if (a === undefined) throw new Error("nothing is due");
    await queue.begin(a, known(a), leaseMs);
    ground.now -= 3_600_000;
    expect((await queue.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    await queue.close();
    ground.now -= 3_600_000;
    const next = await ground.open();
    expect((await next.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    ground.now += leaseMs - 1;
    expect(await next.lease("contact", 9, leaseMs)).toEqual([]);
    ground.now += 1;
    expect(await next.lease("contact", 9, leaseMs)).toHaveLength(2);
  });

  it("keeps a version that came while an older one was being written, and knows what was written", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    expect(await queue.begin(first, known(first), leaseMs)).toBe("Begun");
    await commit(queue, [upsert("a", 2n)]);
    await queue.settle(first, { kind: "Written", written: known(first), sent: true });
    const second = await leaseOne(queue);
    expect(second).toMatchObject({ version: 2n, written: { version: 1n, certainty: "Known" } });
  });

  it("sends nothing for a record that was changed between lease and begin, and gives it again at once", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    await commit(queue, [upsert("a", 2n)]);
    expect(await queue.begin(first, known(first), leaseMs)).toBe("Superseded");
    expect(await leaseOne(queue)).toMatchObject({ version: 2n });
  });

  it("after a restart, gives what was leased at once, but not what was begun", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    const [a] = await queue.lease("contact", 2, leaseMs);
    if (a === undefined) throw new Error("nothing is due");
    await queue.begin(a, { ...known(a), certainty: "Inserting" }, leaseMs);
    await queue.close();
    const next = await ground.open();
    expect((await next.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    ground.now += leaseMs;
    expect((await next.lease("contact", 9, leaseMs)).find(({ id }) => id === "a")).toMatchObject({
      written: { certainty: "Inserting" },
    });
  });

  it("restores what was written before when a write was definitely not done", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    await queue.begin(first, { ...known(first), certainty: "Inserting" }, leaseMs);
    await queue.settle(first, { kind: "Retry", before: undefined, afterMs: 1000, counts: true });
    expect(await queue.lease("contact", 1, leaseMs)).toEqual([]);
    ground.now += 1000;
    const again = await leaseOne(queue);
    expect(again.written).toBeUndefined();
    expect(again.attempts).toBe(1);
  });

  it("lets inferred deletions go up to the limit, and withholds them all above it", async () => {
    const queue = await ground.open();
    const ids = Array.from({ length: 5 }, (_, n) => `r${n}`);
    await commit(
      queue,
      ids.map((id) => upsert(id, 1n)),
    );
    for (const record of await queue.lease("contact", 9, leaseMs)) {
      await queue.settle(record, { kind: "Written", written: known(record), sent: true });
    }
    const left = ids.map((id) => ({ kind: "FilteredOut", id, version: 2n, remove: true }) as const);
    const page = { checkpoint: checkpointAt(1), records: left, stage: "Round", replay: false, listed: false } as const;
    expect(await queue.commitPage({ ...page, release: { inferredLimit: 4 } })).toEqual({ taken: 5, withheld: 5 });
    expect(await queue.lease("contact", 9, leaseMs)).toEqual([]);
    await queue.releaseWithheld("contact");
    expect(await queue.lease("contact", 9, leaseMs)).toHaveLength(5);
  });

  it("drops a mapping whole", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    await queue.commitListing(checkpointAt(1), ["x", "y"]);
    await queue.dropMapping("contact");
    expect(await queue.checkpoints()).toEqual([]);
    expect((await queue.counts()).size).toBe(0);
  });

  it("counts exactly what its tables hold, whatever happens", async () => {
    const id = fc.integer({ min: 0, max: 7 }).map((n) => `r${n}`);
    const version = fc.bigInt({ min: 1n, max: 9n });
    const refusal = { reason: "R", message: "m" };
    const incoming: fc.Arbitrary<Incoming> = fc.oneof(
      fc.tuple(id, version).map(([key, v]) => upsert(key, v)),
      id.map((key) => ({ kind: "Delete", id: key }) as const),
      fc
        .tuple(id, version, fc.boolean())
        .map(([key, v, remove]) => ({ kind: "FilteredOut", id: key, version: v, remove }) as const),
      fc.tuple(id, version).map(([key, v]) => ({ kind: "Refused", id: key, version: v, refusal }) as const),
    );
    const end = fc.constantFrom<Settlement["kind"]>(
      "Written",
      "Removed",
      "Left",
      "RemoveLater",
      "Retry",
      "Unknown",
      "Dead",
    );
    const step = fc.oneof(
      fc.array(incoming, { maxLength: 6 }).map((records) => ({ records })),
      fc.array(end, { minLength: 1, maxLength: 4 }).map((ends) => ({ ends })),
      fc.constant({ sweep: true }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const queue = await ground.open();
      let generation = 1;
      for (const what of steps) {
        ground.now += leaseMs;
        if ("records" in what) await commit(queue, what.records, generation);
        else if ("sweep" in what) {
          generation += 1;
          await queue.beginGeneration(checkpointAt(0, { generation }));
          await queue.sweep("contact", generation, generation % 2 === 0);
        } else {
          const records = await queue.lease("contact", what.ends.length, leaseMs);
          await Promise.all(records.map((record, n) => queue.settle(record, settlementOf(what.ends[n], record))));
        }
      }
      const counts = (await queue.counts()).get("contact");
      await queue.close();
      for (const table of ["pending", "dead", "written"] as const) {
        expect(counts?.[table] ?? 0, table).toBe(await ground.store.count(table, "contact"));
      }
      await ground.store.empty();
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

function settlementOf(kind: Settlement["kind"] | undefined, record: LeasedRecord): Settlement {
  const version = record.version ?? 1n;
  switch (kind) {
    case "Written":
      return { kind, written: known(record), sent: true };
    case "Removed":
      return { kind, sent: true };
    case "Left":
    case "RemoveLater":
      return { kind, version };
    case "Dead":
      return { kind, before: record.written, refusal: { reason: "R", message: "m" } };
    case "Unknown":
      return { kind };
    default:
      return { kind: "Retry", before: record.written, afterMs: 0, counts: true };
  }
}
