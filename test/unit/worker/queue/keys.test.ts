/** Rows that have one key in Campaign. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { Incoming } from "../../../../src/worker/queue/page.ts";
import type { LeasedRecord, WrittenRecord } from "../../../../src/worker/queue/turn.ts";
import { commit, leaseMs, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
let queue: Queue;
beforeEach(async () => {
  ground = new QueueGround();
  queue = await ground.open();
});
afterEach(() => ground.end());

const row = (id: string, version: bigint): Incoming => ({
  kind: "Upsert",
  id,
  version,
  content: { targetKey: "k", payload: "{}" },
});
const as = (certainty: WrittenRecord["certainty"], { version = 0n }: LeasedRecord): WrittenRecord => ({
  targetKey: "k",
  certainty,
  version,
  generation: 1,
  left: false,
});

async function write(id: string, version: bigint): Promise<void> {
  await commit(queue, [row(id, version)]);
  const record = await leaseOne(queue);
  await queue.begin(record, as("Inserting", record), leaseMs);
  await queue.settle(record, { kind: "Written", written: { ...as("Known", record), hash: "h" }, sent: true });
}

describe("a key of two rows", () => {
  it("is the newer one's, and Campaign has it for the other already", async () => {
    await write("a", 1n);
    await commit(queue, [row("b", 2n)]);
    const newer = await leaseOne(queue);
    expect(await queue.begin(newer, as("Inserting", newer), leaseMs)).toBe("BegunBeside");
    await queue.settle(newer, { kind: "Written", written: as("Known", newer), sent: true });
    await commit(queue, [row("a", 1n)], 2);
    const older = await leaseOne(queue);
    expect(older.written).toMatchObject({ left: "Key" });
    expect(await queue.begin(older, as("Unknown", older), leaseMs)).toBe("KeyTaken");
  });

  it("is busy while a call for one of them may still land", async () => {
    await commit(queue, [row("a", 1n), row("b", 2n)]);
    const [a, b] = await queue.lease("contact", 2, leaseMs);
    if (a === undefined || b === undefined) throw new Error("two are due");
    await queue.begin(a, as("Inserting", a), leaseMs);
    await queue.settle(a, { kind: "Unknown" });
    expect(await queue.begin(b, as("Inserting", b), leaseMs)).toBe("KeyBusy");
  });

  it("passes on when the newer one goes: nothing is deleted, and the other is read again", async () => {
    await write("a", 1n);
    await write("b", 2n);
    await commit(queue, [{ kind: "Delete", id: "b" }]);
    const gone = await leaseOne(queue);
    expect(await queue.begin(gone, as("Removing", gone), leaseMs)).toBe("KeyTaken");
    await queue.settle(gone, { kind: "Removed", sent: false });
    const heir = await leaseOne(queue);
    expect(heir).toMatchObject({ id: "a", written: { left: "Key" } });
    expect(heir.content).toBeUndefined();
  });

  it("passes on when the page that lets it go was taken, whatever else that tells of the other", async () => {
    await write("a", 5n);
    await write("b", 6n);
    const left: Incoming = { kind: "FilteredOut", id: "b", version: 7n, remove: false };
    expect(await commit(queue, [left, row("a", 4n)])).toMatchObject({ taken: 0 });
    expect(await leaseOne(queue)).toMatchObject({ id: "a", written: { version: 5n, left: "Key" } });
  });

  it("goes to a third row when neither of the others is to have it", async () => {
    await write("a", 1n);
    await write("b", 2n);
    await write("c", 3n);
    await commit(queue, [{ kind: "FilteredOut", id: "c", version: 4n, remove: false }]);
    const next = await leaseOne(queue);
    expect(next.id).toBe("b");
    await queue.settle(next, { kind: "Left", version: 5n });
    expect(await leaseOne(queue)).toMatchObject({ id: "a", written: { left: "Key" } });
    expect(await queue.lease("contact", 9, leaseMs)).toEqual([]);
  });

  it("that was taken over while a row was found unchanged: the row's turn comes again", async () => {
    await write("a", 1n);
    await commit(queue, [row("a", 1n)], 2);
    const unchanged = await leaseOne(queue);
    await write("b", 2n);
    await queue.settle(unchanged, { kind: "Written", written: as("Known", unchanged), sent: false });
    expect(await leaseOne(queue)).toMatchObject({ id: "a", written: { left: "Key" } });
  });

  it("whose record was removed is an insert for the row outside the filter, when that comes back", async () => {
    await write("a", 1n);
    await commit(queue, [{ kind: "FilteredOut", id: "a", version: 2n, remove: false }]);
    await write("b", 3n);
    await commit(queue, [{ kind: "Delete", id: "b" }]);
    const gone = await leaseOne(queue);
    expect(await queue.begin(gone, as("Removing", gone), leaseMs)).toBe("BegunBeside");
    await queue.settle(gone, { kind: "Removed", sent: true });
    await commit(queue, [row("a", 4n)]);
    expect(await leaseOne(queue)).not.toHaveProperty("written");
  });
});
