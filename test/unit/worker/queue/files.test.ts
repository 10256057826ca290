/** How far files were read is kept with what came of them, on every store. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { PageCommit } from "../../../../src/worker/queue/page.ts";
import { checkpointAt, upsert } from "./pages.ts";
import { leaseMs, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
let queue: Queue;
beforeEach(async () => {
  ground = new QueueGround();
  queue = await ground.open();
});
afterEach(() => ground.end());

const page = (mapping: string, records: PageCommit["records"] = []): PageCommit => ({
  checkpoint: { ...checkpointAt(0), mapping },
  records,
  stage: "Round",
  replay: false,
  listed: false,
});

describe("the files of a queue", () => {
  it("are there after a restart, each as it was last kept, with the records of every mapping", async () => {
    await queue.commitFile({ name: "b.txt", progress: "half" }, [page("exports"), page("send", [upsert("1", 1n)])]);
    const both = [page("send", [upsert("2", 1n)]), page("bounce", [upsert("3", 1n)])] as const;
    await queue.commitFile({ name: "b.txt", progress: "done \\ \u0000" }, [page("exports"), ...both]);
    await queue.commitFile({ name: "a.txt", progress: "" }, [page("exports")]);
    await queue.close();
    queue = await ground.open();
    await queue.checkpoints();
    expect(await queue.files()).toEqual([
      { name: "a.txt", progress: "" },
      { name: "b.txt", progress: "done \\ \u0000" },
    ]);
    expect((await queue.lease("send", 5, leaseMs)).map(({ id }) => id)).toEqual(["1", "2"]);
    expect((await queue.lease("bounce", 5, leaseMs)).map(({ id }) => id)).toEqual(["3"]);
  });

  it("stay as they were when their records cannot be kept", async () => {
    await queue.commitFile({ name: "a.txt", progress: "1" }, [page("exports")]);
    const broken = page("send", [upsert("1", 1n), upsert("2", 2n ** 70n)]);
    await expect(queue.commitFile({ name: "a.txt", progress: "2" }, [page("exports"), broken])).rejects.toThrow();
    expect(await queue.files()).toEqual([{ name: "a.txt", progress: "1" }]);
    expect((await queue.counts()).get("send")?.pending ?? 0).toBe(0);
  });
});
