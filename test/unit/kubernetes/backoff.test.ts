import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffDelayMs } from "../../../src/kubernetes/backoff.ts";

const policy = { initialMs: 100, factor: 2, maxMs: 1000, jitter: 0.5 };

test("delays double up to the cap", () => {
  expect([1, 2, 3, 4, 5, 100].map((failures) => backoffDelayMs(policy, failures, 0))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
});

test("jitter takes away at most its part, and a delay is always more than nothing", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const delayMs = backoffDelayMs(policy, failures, random);
      expect(delayMs).toBeGreaterThanOrEqual(50);
      expect(delayMs).toBeLessThanOrEqual(1000);
    }),
  );
});
