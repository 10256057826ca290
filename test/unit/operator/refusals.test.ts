import { expect, test } from "vitest";
import { refusalWaitMs, withRefusal } from "../../../src/operator/sight/refusals.ts";
import type { Refusal } from "../../../src/operator/sight/snapshot.ts";
import { minutes, seconds } from "./scene.ts";

const said = { object: "Deployment contacts", message: "exceeded quota", generation: 1 };

/** The last of so many refusals, each as soon as the write may be tried again. */
function refusedTimes(count: number): { readonly refusal: Refusal; readonly pauses: readonly number[] } {
  let refusal = withRefusal(undefined, { ...said, atMs: 0 });
  const pauses = Array.from({ length: count - 1 }, () => {
    const waitMs = refusalWaitMs(refusal, 1, refusal.atMs);
    refusal = withRefusal(refusal, { ...said, atMs: refusal.atMs + waitMs });
    return waitMs;
  });
  return { refusal, pauses };
}

test("a refused write is tried again every ten seconds for a minute, then every minute", () => {
  expect(refusedTimes(9).pauses).toEqual([10, 10, 10, 10, 10, 60, 60, 60].map((pause) => pause * seconds));
});

test("after an edit it is tried again at once, and soon again if that is refused too", () => {
  const { refusal } = refusedTimes(9);
  expect(refusalWaitMs(refusal, 2, refusal.atMs)).toBe(0);
  const edited = withRefusal(refusal, { ...said, generation: 2, atMs: refusal.atMs });
  expect(refusalWaitMs(edited, 2, refusal.atMs + 1 * seconds)).toBe(9 * seconds);
});

test.each([
  ["another object's", { object: "ConfigMap contacts-1" }, 0],
  ["one of long ago", {}, 3 * minutes],
])("%s counts for nothing", (_whose, other, laterMs) => {
  const { refusal } = refusedTimes(9);
  expect(withRefusal(refusal, { ...said, ...other, atMs: refusal.atMs + laterMs }).inARow).toBe(1);
});
