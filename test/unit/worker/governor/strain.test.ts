import fc from "fast-check";
import { expect, test } from "vitest";
import { type CallResult, Governor } from "../../../../src/worker/governor/governor.ts";
import { campaignLimits, dataverseLimits } from "../../../../src/worker/governor/limits.ts";
import { StrainGauge } from "../../../../src/worker/governor/strain.ts";
import { VirtualClock } from "./virtual-clock.ts";

const never = new AbortController().signal;
const done: CallResult = { sent: true, executionSeconds: 0.05 };
const minutes = (count: number) => count * 60_000;

/** Calls one after the other, each answered at once. */
async function calls(governor: Governor, end: AbortSignal, answer: () => CallResult): Promise<void> {
  while (!end.aborted) {
    const grant = await governor.acquire("write", end).catch(() => undefined);
    grant?.release(answer());
  }
}

test("one's own bound is told after a minute of nothing else, and taken back when it was idle for half of five", async () => {
  const clock = new VirtualClock();
  const governor = new Governor(campaignLimits(20), clock);
  const end = new AbortController();
  void calls(governor, end.signal, () => done);
  await clock.run(40_000);
  expect(governor.strain()).toBeUndefined();
  await clock.run(minutes(5));
  expect(governor.strain()).toMatchObject({ by: "Configuration", limit: "Calls", heldPercent: 100, refusedCalls: 0 });
  expect(governor.strain()?.callsLastMinute).toBeGreaterThan(1190);
  end.abort();
  await clock.run(minutes(1));
  expect(governor.strain()).toBeDefined();
  await clock.run(minutes(3));
  expect(governor.strain()).toBeUndefined();
});

test("a workflow that uses half of what it may is not told that it is held back", async () => {
  const clock = new VirtualClock();
  const governor = new Governor(campaignLimits(20), clock);
  for (let second = 0; second < 600; second += 10) {
    clock.schedule(second * 1000, () => {
      for (let call = 0; call < 100; call++) void governor.acquire("write", never).then((grant) => grant.release(done));
    });
  }
  for (let told = 0; told < 60; told++) {
    await clock.run(10_000);
    expect(governor.strain()).toBeUndefined();
  }
});

test("a service's refusals are told with the limit that it named, also when nobody waits, and for how long", async () => {
  const clock = new VirtualClock();
  const governor = new Governor(dataverseLimits(100), clock);
  const grant = await governor.acquire("delta", never);
  grant.release({ ...done, throttled: { retryAfterSeconds: 45, limit: "ExecutionTime" } });
  await clock.run(20_000);
  expect(governor.strain()).toBeUndefined();
  await clock.run(15_000);
  const strain = governor.strain();
  expect(strain).toMatchObject({ by: "Service", limit: "ExecutionTime", refusedCalls: 1, callsLastMinute: 1 });
  await clock.run(30_000);
  expect(governor.strain()).toMatchObject({ since: strain?.since, heldPercent: 15 });
  expect(governor.state().heldSeconds.Service).toBe(45);
  await clock.run(minutes(6));
  expect(governor.strain()).toBeUndefined();
  expect(governor.state().heldSeconds.Service).toBe(45);
});

test("what a service refuses comes before the workflow's own bound", async () => {
  const clock = new VirtualClock();
  const governor = new Governor(campaignLimits(20), clock);
  const end = new AbortController();
  let call = 0;
  void calls(governor, end.signal, () => (++call % 5 === 0 ? { ...done, throttled: {} } : done));
  await clock.run(minutes(2));
  expect(governor.strain()).toMatchObject({ by: "Service", limit: "Unnamed" });
  end.abort();
});

test("whatever happens, what is told stays for five minutes, and no more is told than was held", () => {
  const moment = fc.record({
    afterMs: fc.integer({ min: 100, max: 90_000 }),
    hold: fc.option(
      fc.record({
        by: fc.constantFrom("Service" as const, "Configuration" as const),
        limit: fc.constantFrom("Calls" as const, "ExecutionTime" as const),
        forMs: fc.option(fc.nat(120_000), { nil: undefined }),
      }),
      { nil: undefined },
    ),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 600_000 }),
      fc.array(moment, { minLength: 20, maxLength: 120 }),
      (windowMs, moments) => {
        const scale = windowMs / minutes(5);
        const gauge = new StrainGauge(0, windowMs);
        const told = new Map<string, { readonly since: number; last: number }>();
        let now = 0;
        for (const { afterMs, hold } of moments) {
          const until = hold?.forMs === undefined ? {} : { until: now + hold.forMs * scale };
          gauge.hold(hold && { by: hold.by, limit: hold.limit, ...until }, now);
          now += afterMs * scale;
          const strain = gauge.strain(now);
          expect(strain?.heldPercent ?? 0).toBeLessThanOrEqual(100);
          if (strain !== undefined) told.set(`${strain.by} ${strain.since}`, { since: strain.since, last: now });
          const seconds = gauge.heldSeconds("Service", now) + gauge.heldSeconds("Configuration", now);
          expect(seconds * 1000).toBeLessThanOrEqual(now + 1e-6);
        }
        // One that was told is told again with the same beginning, or a window has passed since it.
        const beginnings = (by: string) =>
          [...told].filter(([key]) => key.startsWith(by)).map(([, { since }]) => since);
        for (const by of ["Service", "Configuration"]) {
          const times = beginnings(by);
          for (const [index, since] of times.slice(1).entries()) {
            expect(since - (times[index] ?? 0)).toBeGreaterThanOrEqual(windowMs * 0.8 - 1);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
