import { expect, test } from "vitest";
import { RateMeter } from "../../../../src/worker/engine/rate-meter.ts";

const minute = 60_000;

/** Adds `perSecond` each second of `seconds` seconds. */
function run(meter: RateMeter, from: number, seconds: number, perSecond: number): void {
  for (let second = 0; second < seconds; second++) meter.add(perSecond, from + second * 1000);
}

test("a steady rate is told as it is, after ten seconds as after ten minutes", () => {
  for (const seconds of [10, 60, 600]) {
    const meter = new RateMeter();
    run(meter, 3333, seconds, 20);
    expect(meter.perSecond(3333 + seconds * 1000)).toBeCloseTo(20, 0);
  }
});

test("it counts from when things began to happen again, and not from the pause before", () => {
  const meter = new RateMeter();
  run(meter, 0, 30, 20);
  run(meter, 30_000, 570, 0);
  run(meter, 10 * minute, 10, 20);
  expect(meter.perSecond(10 * minute + 10_000)).toBeCloseTo(20, 0);
});

test("it follows a change within a minute, and is 0 when a minute was idle", () => {
  const meter = new RateMeter();
  run(meter, 0, 300, 20);
  run(meter, 300_000, 30, 100);
  expect(meter.perSecond(330_000)).toBeGreaterThan(20);
  expect(meter.perSecond(330_000)).toBeLessThan(100);
  run(meter, 330_000, 60, 100);
  expect(meter.perSecond(390_000)).toBeCloseTo(100, 0);
  expect(meter.perSecond(390_000 + 30_000)).toBeLessThan(60);
  expect(meter.perSecond(390_000 + minute)).toBe(0);
  expect(new RateMeter().perSecond(5)).toBe(0);
});

test("one record is no rate of many a second", () => {
  const meter = new RateMeter();
  meter.add(1, 1000);
  expect(meter.perSecond(1001)).toBe(0.2);
});
