/** Whose turn it is. */
import { expect, test } from "vitest";
import { settle } from "./manual-clock.ts";
import { queueUnderTest } from "./work-queue-ground.ts";

test("keys of a higher priority go first, also one that waits already, or was added while it was worked on", async () => {
  const { queue, work, turn, stop } = queueUnderTest({ concurrency: 1 });
  for (const key of ["a", "b", "c"]) queue.add(key);
  queue.add("c", { priority: 1 });
  queue.add("d", { priority: 2 });
  queue.add("d");
  expect(queue.depth).toBe(4);
  void queue.run(stop.signal);
  await settle();
  queue.add("d", { priority: 1 });
  queue.add("d");
  for (let index = 0; index < 5; index += 1) {
    turn(index).end();
    await settle();
  }
  expect(work.map(({ key }) => key)).toEqual(["d", "c", "d", "a", "b"]);
  expect(queue.depth).toBe(0);
});

test("with a thousand keys before it, what somebody waits for is the next, or the one after that", async () => {
  const { queue, work, turn, stop } = queueUnderTest({ concurrency: 1 });
  for (let key = 0; key < 1000; key += 1) queue.add(`key-${key}`, { priority: key % 3 === 0 ? 1 : 0 });
  void queue.run(stop.signal);
  for (let count = 0; count < 50; count += 1) {
    await settle();
    queue.add("edited", { priority: 2 });
    const next = work.length;
    for (let turns = 0; turns < 2; turns += 1) {
      turn(-1).end();
      await settle();
    }
    expect(work.slice(next).map(({ key }) => key)).toContain("edited");
  }
});

test("however much is added with a higher priority, the oldest of the other keys goes within eight turns", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest({ concurrency: 1 });
  const patient = ["a", "b", "c"];
  for (const key of patient) {
    queue.add(key, { priority: key === "b" ? 1 : 0 });
    await clock.advance(1);
  }
  for (const key of ["x", "y", "z"]) queue.add(key, { priority: 2 });
  void queue.run(stop.signal);
  await settle();
  for (let turns = 0; turns < 24; turns += 1) {
    const { key, end } = turn(-1);
    if (!patient.includes(key)) queue.add(key, { priority: 2 });
    end();
    await settle();
  }
  const done = work.map(({ key }) => key);
  expect(patient.map((key) => done.indexOf(key))).toEqual([7, 15, 23]);
});

test("whatever else the process does has its turn after 5 ms of work, and whoever is added meanwhile waits for that", async () => {
  const resumed: (() => void)[] = [];
  const { queue, clock, work, turn, stop } = queueUnderTest({
    concurrency: 1,
    letOthers: (resume) => resumed.push(resume),
  });
  void queue.run(stop.signal);
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(4);
  turn(0).end();
  await settle();
  expect(work.map(({ key }) => key)).toEqual(["a", "b"]);
  await clock.advance(1);
  turn(1).end();
  await settle();
  queue.add("d", { priority: 2 });
  await settle();
  expect([work.length, resumed.length]).toEqual([2, 1]);
  resumed[0]?.();
  await settle();
  expect(work.map(({ key }) => key)).toEqual(["a", "b", "d"]);
  turn(2).end();
  await settle();
  expect(work.map(({ key }) => key)).toEqual(["a", "b", "d", "c"]);
  // With nobody waiting there is nothing to hold back.
  await clock.advance(100);
  turn(3).end();
  await settle();
  expect(resumed).toHaveLength(1);
});
