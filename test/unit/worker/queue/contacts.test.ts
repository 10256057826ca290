/** Contacts whose opt-outs wait, and what is agreed of each: what every store promises. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ContactEnd, NoticeCommit } from "../../../../src/worker/queue/contacts.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import { checkpointAt } from "./pages.ts";
import { leaseMs, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
let queue: Queue;
beforeEach(async () => {
  ground = new QueueGround();
  queue = await ground.open();
  await queue.read("contact");
  await queue.saveCheckpoint(checkpointAt(0, {}));
});
afterEach(() => ground.end());

const merge = (before: string, told: string) => `${before}+${told}`;
const tell = (notices: readonly (readonly [string, string])[], more: Partial<NoticeCommit> = {}) =>
  queue.contacts.tell({
    mapping: "contact",
    generation: 1,
    notices: notices.map(([id, told]) => ({ id, told })),
    merge,
    bulk: false,
    ...more,
  });
const decided: ContactEnd = { kind: "Decided", sent: true };
const counts = async () => (await queue.counts()).get("contact");
const agreement = async (id: string) => (await queue.contacts.agreements("contact", [id])).get(id);

it("keeps a contact once, with all that was told of it", async () => {
  await tell([
    ["a", "1"],
    ["b", "1"],
    ["a", "2"],
  ]);
  await tell([["a", "3"]]);
  expect(await counts()).toMatchObject({ pending: 2, totalRead: 4 });
  const told = (await queue.lease("contact", 5, leaseMs)).map(({ id, content }) => [id, content?.payload]);
  expect(told.toSorted()).toEqual([
    ["a", "1+2+3"],
    ["b", "1"],
  ]);
});

it("commits what was told, the file and its refused lines, and where reading stands together", async () => {
  const refused = { kind: "Refused", id: "f:1", version: 1n, refusal: { reason: "LineNoTime", message: "m" } } as const;
  const page = {
    checkpoint: checkpointAt(1, { mapping: "exports" }),
    stage: "Round",
    replay: false,
    listed: false,
  } as const;
  await tell([["a", "1"]], {
    checkpoint: checkpointAt(2, { mapping: "profile" }),
    file: { progress: { name: "f", progress: "{}" }, refused: { ...page, records: [refused] } },
  });
  expect((await queue.checkpoints()).map(({ mapping }) => mapping)).toEqual(["contact", "exports", "profile"]);
  expect(await queue.files()).toEqual([{ name: "f", progress: "{}" }]);
  expect((await queue.counts()).get("exports")).toMatchObject({ dead: 1 });
  await queue.contacts.forgetFiles("contact");
  expect(await queue.files()).toEqual([]);
});

it("keeps what may come of a call before it leaves, and the agreement with the end", async () => {
  await tell([["a", "1"]]);
  const record = await leaseOne(queue);
  expect(await queue.contacts.begin(record, "writing", leaseMs)).toBe(true);
  expect(await agreement("a")).toBe("writing");
  expect(await queue.contacts.end(record, "agreed", decided)).toBe(true);
  expect(await agreement("a")).toBe("agreed");
  expect(await counts()).toMatchObject({ pending: 0, totalWritten: 1 });
  expect(await queue.contacts.end(record, "again", decided)).toBe(false);
  expect(await agreement("a")).toBe("agreed");
});

it("lets a contact that was told of meanwhile wait on, whatever its turn ended with", async () => {
  for (const end of [decided, { kind: "Later", afterMs: 9e6, parked: true, sent: false }] as const) {
    await tell([["a", "1"]]);
    const record = await leaseOne(queue);
    await tell([["a", "2"]]);
    expect(await queue.contacts.end(record, "agreed", end)).toBe(true);
    const again = await leaseOne(queue);
    expect(again.content?.payload).toBe("1+2");
    await queue.contacts.end(again, "agreed", decided);
  }
});

it("gives a contact whose call was not answered to nobody before its lease is over, over a restart as well", async () => {
  await tell([["a", "1"]]);
  const record = await leaseOne(queue);
  await queue.contacts.begin(record, "writing", leaseMs);
  await queue.contacts.end(record, "writing", { kind: "Unanswered" });
  await tell([["a", "2"]]);
  if (!queue.isShared) {
    await queue.close();
    queue = await ground.open();
  }
  ground.now += leaseMs - 1000;
  expect(await queue.lease("contact", 5, leaseMs)).toEqual([]);
  ground.now += 2000;
  expect((await leaseOne(queue)).content?.payload).toBe("1+2");
  // Whoever had it before has nothing to say any more.
  expect(await queue.contacts.begin(record, "late", leaseMs)).toBe(false);
  expect(await queue.contacts.end(record, "late", decided)).toBe(false);
  expect(await agreement("a")).toBe("writing");
});

it("parks a contact for a time, or until something is told of it", async () => {
  await tell([
    ["a", "1"],
    ["b", "1"],
  ]);
  for (const record of await queue.lease("contact", 5, leaseMs)) {
    await queue.contacts.end(record, undefined, { kind: "Later", afterMs: 60_000, parked: true, sent: false });
  }
  expect(await counts()).toMatchObject({ pending: 2, parked: 2 });
  expect(await queue.lease("contact", 5, leaseMs)).toEqual([]);
  ground.now += 1000;
  await tell([["b", "2"]]);
  const b = await leaseOne(queue);
  expect(b).toMatchObject({ id: "b", attempts: 1 });
  expect(await counts()).toMatchObject({ parked: 1 });
  await queue.contacts.end(b, undefined, decided);
  ground.now += 60_000;
  const a = await leaseOne(queue);
  await queue.contacts.end(a, undefined, decided);
  expect(await counts()).toMatchObject({ pending: 0, parked: 0 });
});

it("looks again now at all that are parked, and at nobody else", async () => {
  await tell([
    ["a", "1"],
    ["b", "1"],
    ["c", "1"],
  ]);
  const later = { kind: "Later", afterMs: 60_000, sent: false } as const;
  const [a, b] = await queue.lease("contact", 3, leaseMs);
  if (a === undefined || b === undefined) throw new Error("nothing waits");
  await queue.contacts.end(a, undefined, { ...later, parked: true });
  await queue.contacts.end(b, undefined, { ...later, parked: false });
  await queue.contacts.lookAgain("contact");
  expect((await queue.lease("contact", 3, leaseMs)).map(({ id }) => id)).toEqual([a.id]);
});

it("forgets an agreement, and all of a mapping that is dropped", async () => {
  await tell([
    ["a", "1"],
    ["b", "1"],
  ]);
  for (const record of await queue.lease("contact", 5, leaseMs)) await queue.contacts.end(record, "agreed", decided);
  await tell([["a", "1"]]);
  await queue.contacts.end(await leaseOne(queue), undefined, decided);
  expect([await agreement("a"), await agreement("b")]).toEqual([undefined, "agreed"]);
  await queue.dropMapping("contact");
  expect(await agreement("b")).toBeUndefined();
});
