import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Incoming, PageCommit, Queue } from "../../../../src/worker/queue/interface.ts";
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
