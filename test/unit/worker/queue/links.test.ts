import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Checkpoint } from "../../../../src/worker/queue/checkpoint.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { Incoming } from "../../../../src/worker/queue/page.ts";
import type { LeasedRecord, ParentStanding } from "../../../../src/worker/queue/turn.ts";
import { checkpointAt, upsert } from "./pages.ts";
import { known, leaseMs, QueueGround } from "./queue-ground.ts";

const incremental = (mapping: string): Checkpoint => ({
  mapping,
  mappingHash: "h.h",
  generation: 1,
  delta: { link: "delta", issuedAt: 0 },
});

function put(queue: Queue, mapping: string, records: readonly Incoming[], checkpoint = incremental(mapping)) {
  return queue.commitPage({
    checkpoint,
    records,
    stage: "Round",
    replay: false,
    listed: false,
    release: { inferredLimit: 100 },
  });
}

async function take(queue: Queue, mapping: string): Promise<LeasedRecord> {
  const [record] = await queue.lease(mapping, 1, leaseMs);
  if (record === undefined) throw new Error(`nothing of ${mapping} is due`);
  return record;
}

/** The record asks for a mandatory parent, and waits if it is not there. */
async function ask(queue: Queue, record: LeasedRecord, id: string, isMandatory = true): Promise<ParentStanding> {
  const question = { mapping: "account", id, isMandatory, onlyIfOwed: false };
  const [standing = { kind: "Awaited" }] = await queue.askParents(record, [question]);
  if (standing.kind === "Awaited" && isMandatory) await queue.settle(record, { kind: "Park" });
  return standing;
}

async function write(queue: Queue, record: LeasedRecord): Promise<void> {
  await queue.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
  await queue.settle(record, { kind: "Written", written: known(record), sent: true });
}

describe("what waits for another record", () => {
  let ground: QueueGround;
  let queue: Queue;
  beforeEach(async () => {
    ground = new QueueGround();
    queue = await ground.open();
    await queue.saveCheckpoint(incremental("account"));
    await queue.saveCheckpoint(incremental("contact"));
  });
  afterEach(() => ground.end());

  it("is leased by nobody, also by the next process, until its parent lands", async () => {
    await put(queue, "contact", [upsert("c", 1n)]);
    await put(queue, "account", [upsert("a", 1n)]);
    expect(await ask(queue, await take(queue, "contact"), "a")).toEqual({ kind: "Awaited" });
    await queue.close();
    ground.now += 10 * leaseMs;
    queue = await ground.open();
    expect(await queue.lease("contact", 9, leaseMs)).toEqual([]);
    expect((await queue.counts()).get("contact")).toMatchObject({ pending: 1, parked: 1 });
    await write(queue, await take(queue, "account"));
    const record = await take(queue, "contact");
    expect(record.content?.targetKey).toBe("key-c");
    expect(await ask(queue, record, "a")).toMatchObject({ kind: "There", targetKey: "key-a" });
    expect((await queue.counts()).get("contact")).toMatchObject({ pending: 1, parked: 0 });
  });

  it("is not parked if its parent lands between its question and its answer", async () => {
    await put(queue, "contact", [upsert("c", 1n)]);
    await put(queue, "account", [upsert("a", 1n)]);
    const record = await take(queue, "contact");
    await queue.askParents(record, [{ mapping: "account", id: "a", isMandatory: true, onlyIfOwed: false }]);
    await write(queue, await take(queue, "account"));
    await queue.settle(record, { kind: "Park" });
    expect(await ask(queue, await take(queue, "contact"), "a")).toMatchObject({ kind: "There" });
  });

  it("has a parent that nobody knows read, and is told what was found", async () => {
    await put(queue, "contact", [upsert("c", 1n)]);
    await ask(queue, await take(queue, "contact"), "a");
    const parent = await take(queue, "account");
    expect(parent).toMatchObject({ id: "a", operation: "Upsert" });
    expect(parent.content).toBeUndefined();
    await queue.settle(parent, { kind: "Removed", sent: false });
    expect(await ask(queue, await take(queue, "contact"), "a")).toEqual({ kind: "Absent", why: "Gone" });
  });

  it("tries a link to what left the filter after a call without an answer, also if it was written without", async () => {
    await put(queue, "contact", [upsert("c", 1n)]);
    await put(queue, "account", [upsert("a", 1n)]);
    const parent = await take(queue, "account");
    await queue.begin(parent, { ...known(parent), certainty: "Inserting" }, leaseMs);
    const child = await take(queue, "contact");
    expect(await ask(queue, child, "a", false)).toEqual({ kind: "Awaited" });
    await queue.settle(child, { kind: "Written", written: known(child), sent: true, linked: [] });
    await queue.settle(parent, { kind: "Left", version: 2n });
    expect(await ask(queue, await take(queue, "contact"), "a", false)).toMatchObject({ kind: "There", isOwed: true });
  });

  it.each(["Retry", "Dead"] as const)(
    "is linked after all when its parent's deletion was not done: %s",
    async (kind) => {
      await put(queue, "account", [upsert("a", 1n)]);
      await write(queue, await take(queue, "account"));
      await put(queue, "account", [upsert("a", 2n)]);
      const parent = await take(queue, "account");
      await queue.begin(parent, { ...known(parent), certainty: "Removing" }, leaseMs);
      await put(queue, "contact", [upsert("c", 1n)]);
      const child = await take(queue, "contact");
      expect(await ask(queue, child, "a", false)).toEqual({ kind: "Awaited" });
      await queue.settle(child, { kind: "Written", written: known(child), sent: true, linked: [] });
      const before = known(parent);
      const refusal = { reason: "Rejected", message: "not now" };
      await queue.settle(
        parent,
        kind === "Dead" ? { kind, before, refusal } : { kind, before, afterMs: 60_000, counts: true },
      );
      expect(await ask(queue, await take(queue, "contact"), "a", false)).toMatchObject({ kind: "There", isOwed: true });
    },
  );

  it("is linked after all to the record of a key that another row was to take over and did not", async () => {
    await put(queue, "account", [upsert("a", 1n)]);
    await write(queue, await take(queue, "account"));
    const content = { targetKey: "key-a", payload: "{}" };
    await put(queue, "account", [{ kind: "Upsert", id: "b", version: 2n, content }]);
    const heir = await take(queue, "account");
    expect(await queue.begin(heir, { ...known(heir), certainty: "Inserting" }, leaseMs)).toBe("BegunBeside");
    await put(queue, "contact", [upsert("c", 1n)]);
    const child = await take(queue, "contact");
    expect(await ask(queue, child, "a", false)).toEqual({ kind: "Awaited" });
    await queue.settle(child, { kind: "Written", written: known(child), sent: true, linked: [] });
    await queue.settle(heir, { kind: "Dead", before: undefined, refusal: { reason: "Rejected", message: "no" } });
    expect(await ask(queue, await take(queue, "contact"), "a", false)).toMatchObject({ kind: "There", isOwed: true });
  });

  it("waits while its parent's table is read, and asks again when it was", async () => {
    await queue.saveCheckpoint(checkpointAt(1, { mapping: "account" }));
    await put(queue, "contact", [upsert("c", 1n)]);
    await ask(queue, await take(queue, "contact"), "a");
    expect(await queue.lease("account", 9, leaseMs)).toEqual([]);
    await queue.saveCheckpoint(incremental("account"));
    await ask(queue, await take(queue, "contact"), "a");
    expect(await queue.lease("account", 9, leaseMs)).toHaveLength(1);
  });

  it("is not woken by the end of its parent's table while its parent is on its way", async () => {
    const account = checkpointAt(1, { mapping: "account" });
    await put(queue, "account", [upsert("a", 1n)], account);
    await put(queue, "contact", [upsert("c", 1n), upsert("d", 1n)]);
    await ask(queue, await take(queue, "contact"), "a");
    await ask(queue, await take(queue, "contact"), "b");
    await queue.saveCheckpoint(incremental("account"));
    expect((await queue.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["d"]);
    await write(queue, await take(queue, "account"));
    expect((await queue.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["c"]);
  });

  it("gives up a link that it no longer has, also beside one to another table that is written once", async () => {
    await queue.saveCheckpoint(incremental("group"));
    await put(queue, "account", [upsert("a", 1n), upsert("b", 1n)]);
    for (const record of await queue.lease("account", 2, leaseMs)) await write(queue, record);
    const once = { mapping: "group", id: "g", isMandatory: false, onlyIfOwed: true };
    for (const [version, id] of [
      [1n, "a"],
      [2n, "b"],
    ] as const) {
      await put(queue, "contact", [upsert("c", version)]);
      const record = await take(queue, "contact");
      await queue.askParents(record, [{ mapping: "account", id, isMandatory: true, onlyIfOwed: false }, once]);
      await queue.begin(record, { ...known(record), certainty: "Unknown" }, leaseMs);
      await queue.settle(record, {
        kind: "Written",
        written: known(record),
        sent: true,
        linked: [{ mapping: "account", id }],
      });
    }
    await put(queue, "account", [{ kind: "Delete", id: "a" }]);
    const gone = await take(queue, "account");
    expect(await queue.begin(gone, { ...known(gone), targetKey: "key-a", certainty: "Removing" }, leaseMs)).toBe(
      "Begun",
    );
  });

  it("keeps the record that it is linked to, also by a row that left the filter and has its key with another", async () => {
    const upsertOf = (id: string) => ({ ...upsert(id, 1n), content: { targetKey: "same", payload: "{}" } });
    await put(queue, "account", [upsertOf("a")]);
    await write(queue, await take(queue, "account"));
    await put(queue, "contact", [upsert("c", 1n)]);
    const child = await take(queue, "contact");
    await ask(queue, child, "a");
    await write(queue, child);
    await put(queue, "account", [{ kind: "FilteredOut", id: "a", version: 2n, remove: false }, upsertOf("b")]);
    await write(queue, await take(queue, "account"));
    await put(queue, "account", [{ kind: "Delete", id: "b" }]);
    const other = await take(queue, "account");
    const removing = { ...known(other), targetKey: "same", certainty: "Removing" } as const;
    expect(await queue.begin(other, removing, leaseMs)).toBe("KeyTaken");
  });

  it("follows a newer version of its own at once", async () => {
    await put(queue, "contact", [upsert("c", 1n)]);
    await put(queue, "account", [upsert("a", 1n)]);
    await ask(queue, await take(queue, "contact"), "a");
    await put(queue, "contact", [upsert("c", 2n)]);
    expect((await take(queue, "contact")).version).toBe(2n);
  });

  it("is told, thousands of them, in parts", async () => {
    const children = Array.from({ length: 3500 }, (_, n) => upsert(`c${n}`, 1n));
    await put(queue, "contact", children);
    await put(queue, "account", [upsert("a", 1n)]);
    const records = await queue.lease("contact", 3500, leaseMs);
    await Promise.all(records.map((record) => ask(queue, record, "a")));
    expect((await queue.counts()).get("contact")).toMatchObject({ parked: 3500 });
    await write(queue, await take(queue, "account"));
    let due = 0;
    for (let calls = 0; calls < 15; calls++) due += (await queue.lease("contact", 5000, leaseMs)).length;
    expect(due).toBe(3500);
  });

  it("is told of many parents by one call", async () => {
    const parents = Array.from({ length: 64 }, (_, n) => upsert(`a${n}`, 1n));
    await put(
      queue,
      "contact",
      parents.map(({ id }) => upsert(`of-${id}`, 1n)),
    );
    await put(queue, "account", parents);
    for (const record of await queue.lease("contact", 64, leaseMs)) await ask(queue, record, record.id.slice(3));
    for (const record of await queue.lease("account", 64, leaseMs)) await write(queue, record);
    expect(await queue.lease("contact", 64, leaseMs)).toHaveLength(64);
  });

  it("is counted exactly, whatever happens", async () => {
    const id = fc.integer({ min: 0, max: 4 });
    const happening = fc.oneof(
      fc.tuple(fc.constantFrom("account", "contact"), id).map(([mapping, n]) => ({ put: mapping, n })),
      fc.tuple(fc.constantFrom("account", "contact"), id).map(([turn, n]) => ({ turn, n })),
      fc.tuple(fc.constantFrom("account", "contact"), id).map(([leave, n]) => ({ leave, n })),
      fc.constant({ edit: true }),
    );
    let version = 1n;
    let generation = 1;
    const property = fc.asyncProperty(fc.array(happening, { maxLength: 30 }), async (happenings) => {
      for (const what of happenings) {
        version += 1n;
        if ("edit" in what) {
          generation += 1;
          await queue.beginGeneration({ ...incremental("contact"), generation });
        } else if ("put" in what) await put(queue, what.put, [upsert(`r${what.n}`, version)]);
        else if ("leave" in what) {
          await put(queue, what.leave, [{ kind: "FilteredOut", id: `r${what.n}`, version, remove: false }]);
        } else {
          const [record] = await queue.lease(what.turn, 1, leaseMs);
          if (record === undefined) continue;
          const standing = await ask(queue, record, `r${what.n}`);
          if (standing.kind !== "Awaited") await write(queue, record);
        }
      }
      const counts = await queue.counts();
      await queue.close();
      for (const mapping of ["account", "contact"]) {
        expect(counts.get(mapping)?.parked).toBe(await ground.store.count("pending", mapping, "parked"));
      }
      queue = await ground.open();
    });
    await fc.assert(property, { numRuns: 25 });
  });
});
