import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CallResult, Governor, type Grant } from "../../../../src/worker/governor/governor.ts";
import type { Lane } from "../../../../src/worker/governor/lanes.ts";
import { campaignLimits, dataverseLimits } from "../../../../src/worker/governor/limits.ts";
import { mostInWindow, type SimulatedCall, SimulatedService } from "./simulated-service.ts";
import { VirtualClock } from "./virtual-clock.ts";

const windowMs = 300_000;
const longestCallMs = 3000;
const never = new AbortController().signal;
const done: CallResult = { sent: true, executionSeconds: 0.1 };

const lanes: readonly Lane[] = ["control", "delta", "write", "snapshot"];
/** Quick calls run into the limit of their number, slow ones into that of their execution time. */
const arbitraryCalls = fc.constantFrom(30, longestCallMs).chain((longestMs) =>
  fc.array(
    fc.record({
      afterMs: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20_000) }),
      lane: fc.constantFrom(...lanes),
      toServerMs: fc.nat(400),
      executionMs: fc.integer({ min: 10, max: longestMs }),
      toClientMs: fc.nat(longestMs === 30 ? 10 : 400),
      throttledForSeconds: fc.oneof(
        { weight: 199, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 60 }) },
      ),
    }),
    { minLength: 100, maxLength: 400 },
  ),
);

describe("the governor of Dataverse, whatever the arrival pattern", () => {
  test("never passes the limits in any window, never calls during a Retry-After, never leaves a call waiting for ever", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), arbitraryCalls, async (sharePercent, calls) => {
        const service = new SimulatedService(sharePercent);
        let at = 0;
        for (const { afterMs, ...call } of calls) {
          at += afterMs;
          service.clock.schedule(at, () => void service.call(call satisfies SimulatedCall));
        }
        const pauses = calls.reduce((sum, call) => sum + (call.throttledForSeconds ?? 0), 0);
        // The smallest share has room for three of the slowest calls in a window: one in each is no wait for ever.
        await service.clock.run(at + pauses * 1000 + calls.length * windowMs);
        const share = sharePercent / 100;
        const atOnce = Math.max(1, Math.floor(52 * share));
        expect(service.finished).toBe(calls.length);
        expect(service.grantedDuringPause).toEqual([]);
        expect(service.mostAtOnce).toBeLessThanOrEqual(atOnce);
        const arrivals = service.arrivals.map((time) => ({ at: time, amount: 1 }));
        expect(mostInWindow(arrivals, windowMs)).toBeLessThanOrEqual(6000 * share);
        // What calls cost is known only when they end: those under way may cost more than was expected of them.
        const executions = service.executions.map(({ at: time, seconds }) => ({ at: time, amount: seconds }));
        const underWay = (atOnce * longestCallMs) / 1000;
        expect(mostInWindow(executions, windowMs)).toBeLessThanOrEqual(1200 * share + underWay);
      }),
      { numRuns: 40 },
    );
  });

  test("stays within the limits in any window, although it is ended and started again and knows nothing of before", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 10, max: 100 }),
        fc.oneof(fc.integer({ min: 20, max: 300 }), fc.integer({ min: 300, max: 5000 })),
        fc.array(fc.integer({ min: 30, max: 250 }), { minLength: 2, maxLength: 6 }),
        fc.constantFrom(2, 4, 10, 52),
        async (sharePercent, typicalMs, lives, recommendedParallelism) => {
          const service = new SimulatedService(sharePercent);
          const loop = async (end: AbortSignal) => {
            for (let n = 0; !end.aborted; n++) {
              // Between nine tenths and eleven tenths of what is typical.
              const executionMs = typicalMs * (0.9 + ((n * 7) % 11) / 50);
              const call = { lane: "snapshot", toServerMs: 5, executionMs, toClientMs: 5 } as const;
              await service.call({ ...call, recommendedParallelism }, end);
            }
          };
          for (const seconds of lives) {
            const life = new AbortController();
            for (let index = 0; index < 60; index++) loop(life.signal).catch(() => undefined);
            await service.clock.run(seconds * 1000);
            life.abort();
            service.startAgain(sharePercent);
          }
          const share = sharePercent / 100;
          const arrivals = service.arrivals.map((at) => ({ at, amount: 1 }));
          expect(mostInWindow(arrivals, windowMs)).toBeLessThanOrEqual(6000 * share);
          const executions = service.executions.map(({ at, seconds }) => ({ at, amount: seconds }));
          // In a small share one call is much, and what it costs is known when it ends.
          const oneCall = sharePercent < 50 ? (typicalMs * 1.1) / 1000 : 0;
          expect(mostInWindow(executions, windowMs)).toBeLessThanOrEqual(1200 * share + oneCall);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each([
    { name: "quick calls are bound by their number", executionMs: 20, ceiling: 6000 },
    { name: "slow calls are bound by their execution time", executionMs: 2000, ceiling: 600 },
    { name: "very slow calls likewise", executionMs: 10_000, ceiling: 120 },
  ])("uses nine tenths of what is allowed over 20 minutes: $name", async ({ executionMs, ceiling }) => {
    const service = new SimulatedService(100);
    const minutes = 20;
    let running = true;
    const loop = async () => {
      while (running) await service.call({ lane: "snapshot", toServerMs: 5, executionMs, toClientMs: 5 });
    };
    for (let index = 0; index < 60; index++) void loop();
    await service.clock.run(minutes * 60_000);
    running = false;
    const arrivals = service.arrivals.map((at) => ({ at, amount: 1 }));
    expect(mostInWindow(arrivals, windowMs)).toBeLessThanOrEqual(6000);
    expect(
      mostInWindow(
        service.executions.map((e) => ({ at: e.at, amount: e.seconds })),
        windowMs,
      ),
    ).toBeLessThanOrEqual(1200);
    expect(service.arrivals.length).toBeGreaterThan(0.9 * ceiling * (minutes / 5));
  });
});

/** One that has been up for a while: at its very start, nothing may be spent at once. */
async function restedGovernor(sharePercent: number): Promise<{ governor: Governor; clock: VirtualClock }> {
  const clock = new VirtualClock();
  const governor = new Governor(dataverseLimits(sharePercent), clock);
  await clock.run(60_000);
  return { governor, clock };
}

describe("the governor", () => {
  test("lets a share that is too small for one call at once still make one", async () => {
    const { governor } = await restedGovernor(1);
    const grant = await governor.acquire("delta", never);
    expect(governor.state()).toMatchObject({ inFlight: 1, parallelism: 1 });
    grant.release(done);
    expect(governor.state().inFlight).toBe(0);
  });

  test("pauses everybody at once when one call is throttled, and goes on after the Retry-After", async () => {
    const { governor, clock } = await restedGovernor(100);
    const first = await governor.acquire("snapshot", never);
    const second = await governor.acquire("write", never);
    first.release({ ...done, throttled: { retryAfterSeconds: 30 } });
    second.release(done);
    const waiting: Promise<Grant>[] = [governor.acquire("control", never), governor.acquire("delta", never)];
    await clock.run(29_999);
    expect(governor.state()).toMatchObject({ inFlight: 0, waiting: 2 });
    await clock.run(1);
    await Promise.all(waiting);
    expect(governor.state()).toMatchObject({ inFlight: 2, waiting: 0, pausedSeconds: 0 });
  });

  test.each([1, 3, 10, 100])(
    "gets over a call without an answer within two windows, with a share of %i",
    async (share) => {
      const { governor, clock } = await restedGovernor(share);
      const unanswered = await governor.acquire("delta", never);
      await clock.run(60_000);
      unanswered.release({ sent: true, executionSeconds: 60 });
      let answered = 0;
      const next = async () => {
        (await governor.acquire("delta", never)).release(done);
        answered += 1;
        if (answered < 20) void next();
      };
      void next();
      await clock.run(2 * windowMs);
      expect(answered).toBe(20);
    },
  );

  test("leaves no timer behind when nobody waits for the end of a pause any more", async () => {
    const clock = new VirtualClock();
    const governor = new Governor(campaignLimits(100), clock);
    (await governor.acquire("write", never)).release({ ...done, throttled: { retryAfterSeconds: 3600 } });
    const leaving = new AbortController();
    const waiting = [governor.acquire("write", leaving.signal), governor.acquire("delta", leaving.signal)];
    expect(clock.scheduled).toBe(1);
    leaving.abort(new Error("left"));
    await Promise.all(waiting.map((grant) => expect(grant).rejects.toThrow("left")));
    expect(clock.scheduled).toBe(0);
  });

  test("pauses longer each time that the service throttles without saying for how long", async () => {
    const clock = new VirtualClock();
    const governor = new Governor(campaignLimits(100), clock);
    const pauses: number[] = [];
    for (let round = 0; round < 3; round++) {
      const grantPromise = governor.acquire("write", never);
      await clock.run(60_000);
      (await grantPromise).release({ ...done, throttled: {} });
      pauses.push(governor.state().pausedSeconds);
    }
    expect(pauses).toEqual([1, 2, 4]);
  });

  test("halves its parallelism once for all calls of a round, and grows again while it is used up", async () => {
    const clock = new VirtualClock();
    const governor = new Governor(campaignLimits(1000), clock);
    const take = (count: number) => Promise.all(Array.from({ length: count }, () => governor.acquire("write", never)));
    for (const grant of await take(4)) grant.release(done);
    const before = governor.state().parallelism;
    const round = await take(before);
    for (const grant of round) grant.release({ ...done, throttled: { retryAfterSeconds: 0 } });
    const after = governor.state().parallelism;
    expect(after).toBe(Math.floor(before / 2));
    for (let index = 0; index < 20; index++) {
      const grants = take(after);
      await clock.run(1000);
      for (const grant of await grants) grant.release(done);
    }
    expect(governor.state().parallelism).toBeGreaterThan(after);
  });

  test("follows the parallelism that the service recommends", async () => {
    const { governor } = await restedGovernor(100);
    (await governor.acquire("control", never)).release({ ...done, recommendedParallelism: 17 });
    expect(governor.state().parallelism).toBe(17);
    (await governor.acquire("control", never)).release({ ...done, recommendedParallelism: 9 });
    expect(governor.state().parallelism).toBe(9);
  });

  test("rests when the service says that next to nothing is left, for others use the account too", async () => {
    const { governor, clock } = await restedGovernor(100);
    (await governor.acquire("delta", never)).release({ ...done, remainingCalls: 1 });
    expect(governor.state().pausedSeconds).toBe(1);
    await clock.run(1000);
    (await governor.acquire("delta", never)).release({ ...done, remainingExecutionSeconds: 0.01 });
    expect(governor.state().pausedSeconds).toBe(1);
  });

  test("counts a call that never left as nothing", async () => {
    const clock = new VirtualClock();
    const governor = new Governor(campaignLimits(1), clock);
    for (let index = 0; index < 50; index++) {
      (await governor.acquire("write", never)).release({ sent: false, executionSeconds: 0 });
    }
    expect(clock.now()).toBe(0);
  });

  test("forgets who gives up waiting, and gives the turn to the next", async () => {
    const clock = new VirtualClock();
    const governor = new Governor(campaignLimits(1), clock);
    const held = await governor.acquire("write", never);
    const impatient = new AbortController();
    const given = governor.acquire("write", impatient.signal);
    const patient = governor.acquire("write", never);
    impatient.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    held.release(done);
    await clock.run(1000);
    (await patient).release(done);
    expect(governor.state()).toMatchObject({ inFlight: 0, waiting: 0 });
    await expect(governor.acquire("write", impatient.signal)).rejects.toThrow("enough");
  });

  test("ignores a second release", async () => {
    const governor = new Governor(campaignLimits(10), new VirtualClock());
    const grant = await governor.acquire("write", never);
    grant.release(done);
    grant.release(done);
    expect(governor.state().inFlight).toBe(0);
  });
});

describe("the governor of Campaign", () => {
  test("starts in any time t at most rate x t + burst calls, and nearly as many when there is work", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.2, max: 400, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        async (rate, spanMs) => {
          const clock = new VirtualClock();
          const governor = new Governor(campaignLimits(rate), clock);
          const starts: { at: number; amount: number }[] = [];
          let running = true;
          const loop = async () => {
            while (running) {
              const grant = await governor.acquire("write", never);
              starts.push({ at: clock.now(), amount: 1 });
              await clock.sleep(5);
              grant.release({ sent: true, executionSeconds: 0.005 });
            }
          };
          for (let index = 0; index < 30; index++) void loop();
          const seconds = Math.max(2000 / rate, 5) > 60 ? 60 : Math.max(200 / rate, 5);
          await clock.run(seconds * 1000);
          running = false;
          const burst = Math.max(1, rate / 10);
          expect(mostInWindow(starts, spanMs)).toBeLessThanOrEqual(Math.floor((rate * spanMs) / 1000 + burst + 1e-6));
          expect(starts.length).toBeGreaterThanOrEqual(Math.floor(rate * seconds * 0.95) - 4);
        },
      ),
      { numRuns: 40 },
    );
  });
});
