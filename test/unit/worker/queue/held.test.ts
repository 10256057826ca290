/** Deletions that wait for the end of a reading, more than one transaction lets go. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { Incoming, PageCommit } from "../../../../src/worker/queue/page.ts";
import { checkpointAt, upsert } from "./pages.ts";
import { known, leaseMs, QueueGround } from "./queue-ground.ts";

const many = 5000;
const ids = Array.from({ length: many }, (_, n) => `r${n}`);

let ground: QueueGround;
let queue: Queue;
beforeEach(async () => {
  ground = new QueueGround();
  queue = await ground.open();
});
afterEach(() => ground.end());

function page(stage: "Round" | "Snapshot", records: readonly Incoming[], inferredLimit?: number): PageCommit {
  const isLast = inferredLimit !== undefined;
  const over = { generation: 1, delta: { link: isLast ? "new" : "old", issuedAt: 1 } };
  const release = isLast ? { release: { inferredLimit } } : {};
  return { checkpoint: checkpointAt(isLast ? 2 : 1, over), records, stage, replay: false, listed: false, ...release };
}

const held = async () => (await queue.counts()).get("contact")?.held;
const link = async () => (await queue.checkpoints())[0]?.delta?.link;

async function writtenAndGone(stage: "Round" | "Snapshot"): Promise<void> {
  await queue.commitPage({ ...page("Round", []), records: ids.map((id) => upsert(id, 1n)) });
  const records = await queue.lease("contact", many, leaseMs);
  await Promise.all(
    records.map((record) => queue.settle(record, { kind: "Written", written: known(record), sent: true })),
  );
  await queue.commitPage(
    page(
      stage,
      ids.map((id) => ({ kind: "FilteredOut", id, version: 2n, remove: true })),
    ),
  );
  expect(await held()).toBe(many);
}

describe.each(["Round", "Snapshot"] as const)("at the end of a %s", (stage) => {
  it("they are let go, all of them up to the limit and none above it", async () => {
    await writtenAndGone(stage);
    expect(await queue.commitPage(page(stage, [], many - 1))).toEqual({ taken: 0, withheld: many });
    expect(await held()).toBe(many);
    expect(await queue.lease("contact", many, leaseMs)).toEqual([]);
    expect(await queue.commitPage(page(stage, [], many))).toEqual({ taken: 0, withheld: 0 });
    expect(await held()).toBe(0);
    expect(await queue.lease("contact", many, leaseMs)).toHaveLength(many);
  });

  it("they are let go by a person's word", async () => {
    await writtenAndGone(stage);
    await queue.releaseWithheld("contact");
    expect(await held()).toBe(0);
  });

  it("what Dataverse deleted goes whatever is withheld", async () => {
    await writtenAndGone(stage);
    const others = Array.from({ length: many }, (_, n) => ({ kind: "Delete", id: `other${n}` }) as const);
    await queue.commitPage(page(stage, others));
    expect(await queue.commitPage(page(stage, [], 1))).toEqual({ taken: 0, withheld: many });
    expect(await held()).toBe(many);
    expect(await queue.lease("contact", 2 * many, leaseMs)).toHaveLength(many);
  });

  it("others have their turns meanwhile, and a kill in between loses none", async () => {
    await writtenAndGone(stage);
    const ending = queue.commitPage(page(stage, [], many)).catch(() => undefined);
    let now: readonly [number | undefined, string | undefined] = [many, undefined];
    while (now[0] === many) now = await Promise.all([held(), link()]); // In a transaction between two parts.
    expect(now[0]).toBeGreaterThan(0);
    expect(now[1]).toBe(stage === "Round" ? "new" : "old");
    await queue.close();
    await ending;
    queue = await ground.open();
    expect(await held()).toBeGreaterThan(0);
    // A round ends by itself again; a table's last page is read again, for the checkpoint does not say that it was.
    expect(await queue.commitPage(page(stage, [], many))).toEqual({ taken: 0, withheld: 0 });
    expect(await held()).toBe(0);
    expect(await link()).toBe("new");
    expect(await queue.lease("contact", many, leaseMs)).toHaveLength(many);
  });
});
