/** Single records: what the store says of them, and how refused ones come back. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { LeasedRecord } from "../../../../src/worker/queue/turn.ts";
import { upsert } from "./pages.ts";
import { commit, known, leaseMs, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
let queue: Queue;
beforeEach(async () => {
  ground = new QueueGround();
  queue = await ground.open();
});
afterEach(() => ground.end());

const look = (id: string, targetKey = id) => queue.records.look("contact", { id, targetKey });
const refusal = (reason: string) => ({ reason, message: `why ${reason}` });
const refused = (id: string, version: bigint, reason = "Refused") =>
  ({ kind: "Refused", id, version, refusal: refusal(reason) }) as const;
const dead = async () => (await queue.counts()).get("contact")?.dead;
const pending = async () => (await queue.counts()).get("contact")?.pending;

async function write(record: LeasedRecord): Promise<void> {
  await queue.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
  await queue.settle(record, { kind: "Written", written: known(record), sent: true });
}

describe("a look at a record", () => {
  it("finds nothing of what was never read", async () => {
    await commit(queue, [upsert("a", 1n)]);
    expect(await look("b")).toEqual([]);
    expect(await queue.records.look("account", { id: "a", targetKey: "key-a" })).toEqual([]);
  });

  it("finds one that waits by its id and by its key, and says which matched", async () => {
    await commit(queue, [upsert("a", 7n)]);
    const waiting = { operation: "Upsert", version: 7n, hasContent: true, attempts: 0, turn: "Queued", dueInMs: 0 };
    expect(await look("a")).toMatchObject([{ id: "a", foundBy: ["Id"], pending: waiting }]);
    expect(await look("x", "key-a")).toMatchObject([{ id: "a", foundBy: ["TargetKey"], pending: waiting }]);
    expect(await look("a", "key-a")).toMatchObject([{ id: "a", foundBy: ["Id", "TargetKey"] }]);
  });

  it("tells a lease from a call under way, and when the next try is", async () => {
    await commit(queue, [upsert("a", 1n)]);
    const record = await leaseOne(queue);
    expect(await look("a")).toMatchObject([{ pending: { turn: "Leased", dueInMs: leaseMs } }]);
    await queue.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
    expect(await look("a")).toMatchObject([{ pending: { turn: "Begun" }, written: { certainty: "Inserting" } }]);
    await queue.settle(record, { kind: "Retry", before: undefined, afterMs: 5000, counts: true });
    ground.now += 2000;
    expect(await look("a")).toMatchObject([{ pending: { turn: "Queued", attempts: 1, dueInMs: 3000 } }]);
    expect((await look("a"))[0]).not.toHaveProperty("written");
  });

  it("says when and with which version a record was written, also while a newer version is sent", async () => {
    await commit(queue, [upsert("a", 1n)]);
    await write(await leaseOne(queue));
    const writtenAt = ground.now;
    ground.now += 1000;
    await commit(queue, [upsert("a", 2n)]);
    const again = await leaseOne(queue);
    await queue.begin(again, { ...known(again), certainty: "Unknown" }, leaseMs);
    expect(await look("a", "key-a")).toMatchObject([
      { foundBy: ["Id", "TargetKey"], written: { version: 2n, certainty: "Unknown", writtenAt } },
    ]);
    await queue.settle(again, { kind: "Written", written: known(again), sent: false });
    expect(await look("a")).toMatchObject([{ written: { version: 2n, certainty: "Known", writtenAt } }]);
  });

  it("finds every row of a key", async () => {
    const same = (id: string, version: bigint) =>
      ({ kind: "Upsert", id, version, content: { targetKey: "k", payload: "{}" } }) as const;
    await commit(queue, [same("a", 1n), same("b", 2n)]);
    expect((await look("k")).map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

describe("refusals", () => {
  beforeEach(async () => {
    for (const n of [1, 2, 3, 4, 5]) {
      ground.now += 1000;
      await commit(queue, [refused(`r${n}`, 1n, n % 2 === 0 ? "Even" : "Odd")]);
    }
  });
  const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id);

  it("are listed with the newest first, page after page", async () => {
    const first = await queue.records.refusals({}, 3);
    expect(ids(first)).toEqual(["r5", "r4", "r3"]);
    expect(first[0]).toMatchObject({ mapping: "contact", ...refusal("Odd"), version: 1n, refusedAt: ground.now });
    expect(ids(await queue.records.refusals({}, 3, first.at(-1)))).toEqual(["r2", "r1"]);
  });

  it("are listed and counted by mapping and reason", async () => {
    expect(ids(await queue.records.refusals({ reason: "Even" }, 9))).toEqual(["r4", "r2"]);
    expect(await queue.records.refusals({ mapping: "account" }, 9)).toEqual([]);
    expect(await queue.records.countRefusals({ mapping: "contact" })).toEqual([
      { mapping: "contact", reason: "Odd", records: 3 },
      { mapping: "contact", reason: "Even", records: 2 },
    ]);
  });

  it("that are re-driven wait to be read again, and are refusals no more", async () => {
    expect(await queue.records.redrive({ mapping: "contact", reason: "Even" }, false)).toBe(2);
    expect([await dead(), await pending()]).toEqual([3, 2]);
    const records = await queue.lease("contact", 9, leaseMs);
    expect(ids(records)).toEqual(["r2", "r4"]);
    for (const record of records) expect(record).not.toHaveProperty("content");
    expect(records[0]).toMatchObject({ operation: "Upsert", replay: false, attempts: 0, generation: 1 });
  });

  it("are re-driven one by one, all but one reason, or all", async () => {
    expect(await queue.records.redrive({ id: "r1" }, false)).toBe(1);
    expect(await queue.records.redrive({ exceptReason: "Even" }, false)).toBe(2);
    expect(await queue.records.redrive({}, false)).toBe(2);
    expect(await queue.records.redrive({}, false)).toBe(0);
    expect([await dead(), await pending()]).toEqual([0, 5]);
  });

  it("are all re-driven when there are more than one transaction takes", async () => {
    await commit(
      queue,
      Array.from({ length: 4100 }, (_, n) => refused(`many-${n}`, 1n)),
    );
    expect(await queue.records.redrive({}, true)).toBe(4105);
    expect([await dead(), await pending()]).toEqual([0, 4105]);
  });
});

describe("a re-drive", () => {
  const redrive = (replay: boolean) => queue.records.redrive({ id: "a" }, replay);

  /** A refusal, and beside it the record waits again: another row with its key has handed the key on. */
  async function refusedAndWaiting(): Promise<void> {
    const of = (id: string, version: bigint) =>
      ({ kind: "Upsert", id, version, content: { targetKey: "k", payload: "{}" } }) as const;
    await commit(queue, [of("a", 1n)]);
    await write(await leaseOne(queue));
    await commit(queue, [of("b", 2n)]);
    await write(await leaseOne(queue));
    await commit(queue, [refused("a", 3n)]);
    await commit(queue, [{ kind: "Delete", id: "b" }]);
    const b = await leaseOne(queue);
    await queue.settle(b, { kind: "Removed", sent: false });
    expect([await dead(), await pending()]).toEqual([1, 1]);
  }

  it("lets a turn under way end that does what was asked for", async () => {
    await refusedAndWaiting();
    const turn = await leaseOne(queue);
    expect(await redrive(false)).toBe(1);
    const written = { ...known(turn), targetKey: "k", version: 3n };
    await queue.begin(turn, { ...written, certainty: "Unknown" }, leaseMs);
    await queue.settle(turn, { kind: "Written", written, sent: true });
    expect([await dead(), await pending()]).toEqual([0, 0]);
  });

  it("is done anew after a turn under way that did not know that the record is to be made again", async () => {
    await refusedAndWaiting();
    const turn = await leaseOne(queue);
    expect(await redrive(true)).toBe(1);
    await queue.settle(turn, { kind: "Dead", before: turn.written, refusal: refusal("RemovedInCampaign") });
    expect([await dead(), await pending()]).toEqual([0, 1]);
    expect(await leaseOne(queue)).toMatchObject({ id: "a", replay: true });
  });

  it("begins no call by a turn that was leased before it", async () => {
    await refusedAndWaiting();
    const turn = await leaseOne(queue);
    await redrive(true);
    expect(await queue.begin(turn, { ...known(turn), certainty: "Unknown" }, leaseMs)).toBe("Superseded");
  });

  it("is still to read the record when a newer version came, which may be older than what is there by then", async () => {
    await commit(queue, [refused("a", 1n)]);
    await redrive(true);
    await commit(queue, [upsert("a", 2n)]);
    const record = await leaseOne(queue);
    expect(record).toMatchObject({ version: 2n, replay: true });
    expect(record).not.toHaveProperty("content");
  });

  it("finds nothing when a newer version came first, and leaves that alone", async () => {
    await commit(queue, [refused("a", 1n)]);
    await commit(queue, [upsert("a", 2n)]);
    expect(await redrive(true)).toBe(0);
    expect(await leaseOne(queue)).toMatchObject({ version: 2n, replay: false, content: { targetKey: "key-a" } });
  });

  it("of a record that is deleted meanwhile ends in reading that it is gone", async () => {
    await commit(queue, [refused("a", 1n)]);
    await redrive(false);
    await commit(queue, [{ kind: "Delete", id: "a" }]);
    expect(await leaseOne(queue)).not.toHaveProperty("content");
    expect(await pending()).toBe(1);
  });

  it("survives the store's closing whole", async () => {
    await commit(queue, [refused("a", 1n)]);
    await redrive(true);
    await queue.close();
    queue = await ground.open();
    expect([await dead(), await pending()]).toEqual([0, 1]);
    expect(await leaseOne(queue)).toMatchObject({ replay: true });
  });
});
