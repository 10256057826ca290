import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { Incoming, PageCommit } from "../../../../src/worker/queue/page.ts";
import { checkpointAt, upsert } from "./pages.ts";
import { known, leaseMs, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
beforeEach(() => {
  ground = new QueueGround();
});
afterEach(() => ground.end());

function commit(queue: Queue, stage: PageCommit["stage"], records: readonly Incoming[]) {
  return queue.commitPage({ checkpoint: checkpointAt(0), records, stage, replay: false, listed: false });
}

async function settleAll(queue: Queue, limit: number, sent: boolean): Promise<void> {
  const records = await queue.lease("contact", limit, leaseMs);
  await Promise.all(records.map((record) => queue.settle(record, { kind: "Written", written: known(record), sent })));
}

const leasedIds = async (queue: Queue, limit: number) =>
  (await queue.lease("contact", limit, leaseMs)).map(({ id }) => id);

describe("progress", () => {
  it("is counted over every restart: what was read, and what was sent", async () => {
    const queue = await ground.open();
    await commit(queue, "Snapshot", [upsert("a", 1n), upsert("b", 1n), upsert("c", 1n)]);
    await commit(queue, "Snapshot", [upsert("a", 1n)]);
    const sent = await leaseOne(queue);
    await queue.settle(sent, { kind: "Written", written: known(sent), sent: true });
    const same = await leaseOne(queue);
    await queue.settle(same, { kind: "Written", written: known(same), sent: false });
    await queue.close();
    const counts = (await (await ground.open()).counts()).get("contact");
    expect(counts).toMatchObject({ totalRead: 4, totalWritten: 1, pending: 1, written: 2 });
  });

  it("of a reading is kept with its place", async () => {
    const queue = await ground.open();
    const snapshots = [
      { purpose: "Replay", sweeping: false, nextLink: "p2", progress: { readRecords: 5000, estimatedRecords: 8000 } },
      { purpose: "Replay", sweeping: false, nextLink: "p2", progress: { readRecords: 5000 } },
      { purpose: "Replay", sweeping: false },
    ] as const;
    for (const snapshot of snapshots) {
      await queue.saveCheckpoint({ ...checkpointAt(0), snapshot });
      expect(await queue.checkpoints()).toMatchObject([{ snapshot }]);
    }
    expect((await queue.checkpoints())[0]?.snapshot).not.toHaveProperty("progress");
  });
});

describe("turns", () => {
  it("go to what changed before what was read with its whole table", async () => {
    const queue = await ground.open();
    await commit(queue, "Snapshot", [upsert("a", 1n), upsert("b", 1n), upsert("c", 1n)]);
    ground.now += 1000;
    await commit(queue, "Round", [upsert("d", 2n), upsert("b", 3n)]);
    ground.now += 1000;
    await commit(queue, "Snapshot", [upsert("d", 2n)]);
    expect(await leasedIds(queue, 1)).toEqual(["b"]);
    expect(await leasedIds(queue, 1)).toEqual(["d"]);
    expect(await leasedIds(queue, 1)).toEqual(["a"]);
  });

  it("are left for a table's rows however much changes", async () => {
    const queue = await ground.open();
    await commit(queue, "Snapshot", [upsert("a", 1n)]);
    ground.now += 1000;
    await commit(
      queue,
      "Round",
      ["d", "e", "f", "g"].map((id) => upsert(id, 2n)),
    );
    expect(await leasedIds(queue, 3)).toContain("a");
  });
});

describe("what a generation did not see", () => {
  it("is counted and taken whole, in as many parts as it needs, and nothing else is", async () => {
    const queue = await ground.open();
    const ids = Array.from({ length: 12_000 }, (_, n) => `row-${String(n).padStart(6, "0")}`);
    await commit(
      queue,
      "Snapshot",
      ids.map((id) => upsert(id, 1n)),
    );
    await settleAll(queue, ids.length, true);
    const checkpoint = { ...checkpointAt(0), generation: 2 };
    await queue.beginGeneration(checkpoint);
    const isSeen = (_: string, n: number) => n % 1000 !== 7;
    const seen = ids.filter(isSeen).map((id) => upsert(id, 1n));
    await queue.commitPage({ checkpoint, records: seen, stage: "Snapshot", replay: false, listed: false });
    await settleAll(queue, ids.length, false);
    const unseen = ids.filter((id, n) => !isSeen(id, n));
    expect(await queue.countUnseen("contact", 2)).toBe(unseen.length);
    let parts = 1;
    for (let after = await queue.sweep("contact", 2, true); after !== undefined; parts++) {
      after = await queue.sweep("contact", 2, true, after);
    }
    expect(parts).toBe(3);
    expect(await leasedIds(queue, 100)).toEqual(unseen);
    expect(await queue.countUnseen("contact", 2)).toBe(0);
  });
});

describe("a new generation", () => {
  it("makes keys of all that waits, in parts; interrupted, it has not begun, and nothing is lost", async () => {
    const ids = Array.from({ length: 5000 }, (_, n) => `row-${n}`);
    const checkpoint = { ...checkpointAt(0), generation: 2 };
    let queue = await ground.open();
    await commit(
      queue,
      "Snapshot",
      ids.map((id) => upsert(id, 1n)),
    );
    const begun = queue.beginGeneration(checkpoint).catch((error: unknown) => error);
    await queue.close();
    expect(await begun).toBeInstanceOf(Error);
    queue = await ground.open();
    expect(await queue.checkpoints()).toMatchObject([{ generation: 1 }]);
    expect((await queue.counts()).get("contact")?.pending).toBe(ids.length);
    await queue.beginGeneration(checkpoint);
    expect(await queue.checkpoints()).toMatchObject([{ generation: 2 }]);
    const leased = await queue.lease("contact", ids.length, leaseMs);
    expect(leased.length).toBe(ids.length);
    expect(leased.filter(({ content }) => content !== undefined)).toEqual([]);
  });
});
