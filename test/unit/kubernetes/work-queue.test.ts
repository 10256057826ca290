import fc from "fast-check";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { apiErrorFrom } from "../../../src/kubernetes/errors.ts";
import { TerminalError } from "../../../src/kubernetes/work-queue.ts";
import { createWorkQueueMetrics } from "../../../src/kubernetes/work-queue-metrics.ts";
import { settle } from "./manual-clock.ts";
import { queueUnderTest } from "./work-queue-ground.ts";

test("a key that is added many times before its turn is worked on once", async () => {
  const { queue, work, stop } = queueUnderTest();
  for (let count = 0; count < 5; count += 1) queue.add("a");
  void queue.run(stop.signal);
  await settle();
  expect(work.map(({ key }) => key)).toEqual(["a"]);
});

test("a key that is added while it is worked on is worked on once more, after", async () => {
  const { queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.add("a");
  queue.add("a");
  queue.add("a");
  await settle();
  expect(work).toHaveLength(1);
  turn(0).end();
  await settle();
  expect(work).toHaveLength(2);
  turn(1).end();
  await settle();
  expect(work).toHaveLength(2);
});

test("no more keys than the concurrency are worked on at the same time", async () => {
  const { queue, running, stop } = queueUnderTest({ concurrency: 3 });
  void queue.run(stop.signal);
  for (const key of ["a", "b", "c", "d", "e"]) queue.add(key);
  await settle();
  expect(running().map(({ key }) => key)).toEqual(["a", "b", "c"]);
  running()[1]?.end();
  await settle();
  expect(running().map(({ key }) => key)).toEqual(["a", "c", "d"]);
});

test("after each error a key waits longer, up to the cap, and a success forgets the errors", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.add("a");
  await settle();
  for (const delayMs of [10, 20, 40, 80, 100, 100]) {
    const before = work.length;
    turn(-1).fail(new Error("broken"));
    await clock.advance(delayMs - 1);
    expect(work).toHaveLength(before);
    await clock.advance(1);
    expect(work).toHaveLength(before + 1);
  }
  turn(-1).end();
  await settle();
  queue.add("a");
  await settle();
  const before = work.length;
  turn(-1).fail(new Error("broken again"));
  await clock.advance(10);
  expect(work).toHaveLength(before + 1);
});

test("after an answer that says how long to wait, a key waits at least so long", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.add("a");
  await settle();
  turn(0).fail(apiErrorFrom("POST /pods", 429, "too many requests", "7"));
  await settle();
  await clock.advance(6_900);
  expect(work).toHaveLength(1);
  await clock.advance(200);
  expect(work).toHaveLength(2);
  stop.abort();
});

test("after a terminal error a key rests until it is added", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.add("a");
  await settle();
  turn(0).fail(new TerminalError("nothing helps"));
  await clock.advance(1_000_000);
  expect(work).toHaveLength(1);
  queue.add("a");
  await settle();
  expect(work).toHaveLength(2);
});

test("of several delays of one key the earliest counts, and an add takes the place of them all", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.addAfter("a", 500);
  queue.addAfter("a", 100);
  queue.addAfter("a", 300);
  await clock.advance(100);
  expect(work).toHaveLength(1);
  turn(0).end();
  await clock.advance(10_000);
  expect(work).toHaveLength(1);
  queue.addAfter("a", 100);
  queue.add("a");
  await settle();
  expect(work).toHaveLength(2);
  turn(1).end();
  await clock.advance(10_000);
  expect(work).toHaveLength(2);
});

test("a result may ask for another look later", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest();
  void queue.run(stop.signal);
  queue.add("a");
  await settle();
  turn(0).end({ requeueAfterMs: 5000 });
  await clock.advance(4999);
  expect(work).toHaveLength(1);
  await clock.advance(1);
  expect(work).toHaveLength(2);
});

test("on stop nothing new starts, and run resolves when what is in work has ended", async () => {
  const { clock, queue, work, turn, stop } = queueUnderTest({ concurrency: 1 });
  let stopped = false;
  const run = queue.run(stop.signal).then(() => {
    stopped = true;
  });
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  await settle();
  stop.abort();
  queue.add("d");
  await clock.advance(1000);
  expect(stopped).toBe(false);
  turn(0).end({ requeueAfterMs: 1 });
  await run;
  await clock.advance(1000);
  expect(work.map(({ key }) => key)).toEqual(["a"]);
  expect(clock.nextAtMs()).toBeUndefined();
});

describe("whatever happens in whatever order", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), key }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("addAfter" as const), key, ms: fc.integer({ min: -5, max: 50 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("end" as const), index: fc.nat(10) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("again" as const), index: fc.nat(10), ms: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("fail" as const), index: fc.nat(10) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(60) }) },
  );

  test("no key is worked on twice at a time, and none that was added is lost", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, concurrency) => {
          const { clock, queue, work, turn, stop, running } = queueUnderTest({ concurrency });
          const run = queue.run(stop.signal);
          /** Keys for which a turn that begins after this moment is owed. */
          const owed = new Set<string>();
          let seen = 0;
          const look = async (): Promise<void> => {
            await settle();
            for (; seen < work.length; seen += 1) owed.delete(turn(seen).key);
            const keys = running().map((item) => item.key);
            expect(new Set(keys).size).toBe(keys.length);
            expect(keys.length).toBeLessThanOrEqual(concurrency);
          };
          for (const next of steps) {
            const item = "index" in next ? running()[next.index % Math.max(1, running().length)] : undefined;
            if (next.do === "add") {
              owed.add(next.key);
              queue.add(next.key);
            } else if (next.do === "addAfter") {
              owed.add(next.key);
              queue.addAfter(next.key, next.ms);
            } else if (next.do === "advance") await clock.advance(next.ms);
            else if (item !== undefined && next.do === "end") item.end();
            else if (item !== undefined && next.do === "again") {
              owed.add(item.key);
              item.end({ requeueAfterMs: next.ms });
            } else if (item !== undefined && next.do === "fail") {
              owed.add(item.key);
              item.fail(new Error("broken"));
            }
            await look();
          }
          // Left alone with working work, the queue comes to rest and owes nothing.
          for (let turns = 0; running().length > 0 || clock.nextAtMs() !== undefined; turns += 1) {
            expect(turns).toBeLessThan(200);
            for (const item of running()) item.end();
            await look();
            await clock.advance(200);
            await look();
          }
          expect([...owed]).toEqual([]);
          expect(queue.depth).toBe(0);
          stop.abort();
          await run;
        },
      ),
      { numRuns: 300 },
    );
  });
});

test("the metrics have the names that Kubernetes dashboards read", async () => {
  const registry = new Registry();
  const metrics = createWorkQueueMetrics(registry);
  const { clock, queue, turn, stop } = queueUnderTest({
    concurrency: 1,
    observer: metrics.observer("workflows"),
  });
  metrics.watch("workflows", queue);
  queue.add("a");
  queue.add("b");
  await clock.advance(2000);
  void queue.run(stop.signal);
  await clock.advance(3000);
  const text = await registry.metrics();
  for (const line of [
    'workqueue_depth{name="workflows",controller="workflows",priority="0"} 1',
    'workqueue_adds_total{name="workflows",controller="workflows"} 2',
    'workqueue_queue_duration_seconds_sum{name="workflows",controller="workflows"} 2',
    'workqueue_unfinished_work_seconds{name="workflows",controller="workflows"} 3',
    'workqueue_longest_running_processor_seconds{name="workflows",controller="workflows"} 3',
  ]) {
    expect(text).toContain(line);
  }
  turn(0).fail(new Error("broken"));
  await settle();
  const later = await registry.metrics();
  expect(later).toContain('workqueue_retries_total{name="workflows",controller="workflows"} 1');
  expect(later).toContain('workqueue_work_duration_seconds_sum{name="workflows",controller="workflows"} 3');
});
