import { expect, it } from "vitest";
import { QueueGround } from "./queue-ground.ts";

it("what is tried again stands behind what is new, but for one, and is not shut out", async () => {
  const ground = new QueueGround();
  const queue = await ground.open();
  const commit = (...ids: string[]) =>
    queue.commitPage({
      checkpoint: { mapping: "contact", mappingHash: "h", generation: 1 },
      records: ids.map((id) => ({ kind: "Upsert", id, version: 1n })),
      stage: "Round",
      replay: false,
      listed: false,
    });
  const lease = async (limit: number) => (await queue.lease("contact", limit, 1000)).map(({ id }) => id);
  try {
    await commit("old-1", "old-2", "old-3");
    for (const record of await queue.lease("contact", 3, 1000)) {
      await queue.settle(record, { kind: "Retry", before: undefined, afterMs: 1000, counts: true });
    }
    ground.now += 60_000;
    await commit("new-1", "new-2", "new-3", "new-4");
    ground.now += 1;
    expect(await lease(3)).toEqual(["new-1", "new-2", "old-1"]);
    expect(await lease(1)).toEqual(["new-3"]);
    expect(await lease(9)).toEqual(["new-4", "old-2", "old-3"]);
    expect(await lease(9)).toEqual([]);
  } finally {
    await ground.end();
  }
});
