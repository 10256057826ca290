import { expect, test } from "vitest";
import { deafness } from "../../../src/operator/shell/liveness.ts";
import { minutes } from "./scene.ts";

const nowMs = 100 * minutes;
const heard = (...minutesAgo: readonly number[]) =>
  deafness(
    minutesAgo.map((ago, index) => ({ resource: `kind-${index}`, lastAnswerAtMs: () => nowMs - ago * minutes })),
    nowMs,
  );

test("a watch that stays dead while others are heard is a reason for a new process", () => {
  expect(heard(0, 5, 1)).toBeUndefined();
  expect(heard(0, 7, 1)).toBe("nothing was heard of kind-1 for 360 s");
});

test("an API server that is away for long is none: the process waits, and is there when it comes back", () => {
  // A watch that is alive is silent for two minutes at most.
  expect(heard(7, 8, 6)).toBeUndefined();
  expect(heard(40, 41, 42)).toBeUndefined();
});

test("a process that has heard nothing for an hour is not trusted any more", () => {
  expect(heard(59, 61, 60)).toBe("nothing was heard of kind-1 for 3600 s");
});
