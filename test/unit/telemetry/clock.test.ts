import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sleep, systemClock } from "../../../src/telemetry/clock.ts";

const dayMs = 86_400_000;

// Faked as Node does it: a timer longer than 31 bits fires at once.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([0, 1, 2 ** 31 - 1, 2 ** 31, 30 * dayMs, 100 * dayMs])("a delay of %d ms is waited for whole", (delayMs) => {
  const callback = vi.fn();
  systemClock.schedule(delayMs, callback);
  vi.advanceTimersByTime(Math.max(0, delayMs - 1));
  if (delayMs > 0) expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(callback).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

test("a delay without an end never ends, and can be taken back", () => {
  const callback = vi.fn();
  const cancel = systemClock.schedule(Number.POSITIVE_INFINITY, callback);
  vi.advanceTimersByTime(60 * dayMs);
  expect(callback).not.toHaveBeenCalled();
  cancel();
  expect(vi.getTimerCount()).toBe(0);
});

test("a long delay that is taken back in its second part leaves no timer", () => {
  const callback = vi.fn();
  const cancel = systemClock.schedule(40 * dayMs, callback);
  vi.advanceTimersByTime(30 * dayMs);
  cancel();
  vi.advanceTimersByTime(30 * dayMs);
  expect(callback).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test("a sleep ends when its time has come, and not a moment earlier", async () => {
  const ended = vi.fn();
  const sleeping = sleep(systemClock, 30 * dayMs, new AbortController().signal).then(ended);
  await vi.advanceTimersByTimeAsync(30 * dayMs - 1);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await sleeping;
  expect(ended).toHaveBeenCalledOnce();
});

test("an abort ends a sleep at once and leaves nothing behind", async () => {
  const controller = new AbortController();
  const sleeping = sleep(systemClock, dayMs, controller.signal);
  expect(vi.getTimerCount()).toBe(1);
  controller.abort();
  await sleeping;
  expect(vi.getTimerCount()).toBe(0);
  await sleep(systemClock, dayMs, controller.signal); // It is over already.
});
