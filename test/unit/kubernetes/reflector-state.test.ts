import { expect, test } from "vitest";
import { nextState, type ReflectorOutcome, type ReflectorState } from "../../../src/kubernetes/reflector-state.ts";

const backoff = { initialMs: 100, factor: 2, maxMs: 1000, jitter: 0 };
const next = (state: ReflectorState, outcome: ReflectorOutcome): ReflectorState =>
  nextState(state, outcome, backoff, 0);
const listing: ReflectorState = { name: "listing", paged: true, failures: 0 };
const watching: ReflectorState = { name: "watching", resourceVersion: "7", failures: 0 };

test("a list is followed by a watch from its version", () => {
  expect(next(listing, { type: "listed", resourceVersion: "7" })).toEqual(watching);
});

test("a watch that the server ended in its time goes on at once from where it was", () => {
  const state = next({ ...watching, failures: 3 }, { type: "ended", resourceVersion: "9", progressed: true });
  expect(state).toEqual({ name: "watching", resourceVersion: "9", failures: 0 });
});

test("a watch that ends at once, again and again, waits longer each time", () => {
  const ended: ReflectorOutcome = { type: "ended", resourceVersion: "7", progressed: false };
  const first = next(watching, ended);
  expect(first).toEqual({ name: "waiting", delayMs: 100, next: { ...watching, failures: 1 } });
  expect(next({ ...watching, failures: 1 }, ended)).toMatchObject({ delayMs: 200 });
  expect(next({ ...watching, failures: 30 }, ended)).toMatchObject({ delayMs: 1000 });
  expect(next(first, { type: "waited" })).toEqual({ ...watching, failures: 1 });
});

test("a watch whose version is too old is listed anew at once, and with a pause when that repeats", () => {
  const expired: ReflectorOutcome = { type: "expired", progressed: false };
  const again = next(watching, expired);
  expect(again).toEqual({ name: "listing", paged: true, failures: 1 });
  const watchingAgain = next(again, { type: "listed", resourceVersion: "8" });
  expect(next(watchingAgain, expired)).toMatchObject({ name: "waiting", delayMs: 200, next: { name: "listing" } });
});

test("a list whose pages expire is asked for in one piece", () => {
  expect(next(listing, { type: "expired", progressed: false })).toMatchObject({
    name: "waiting",
    next: { name: "listing", paged: false },
  });
});

test("a watch that fails is taken up from where it was, and after five in a row is listed anew", () => {
  const failed: ReflectorOutcome = { type: "failed", resourceVersion: "9", progressed: false, retryAfterMs: 0 };
  for (const failures of [0, 1, 2, 3]) {
    expect(next({ ...watching, failures }, failed)).toMatchObject({ next: { name: "watching", resourceVersion: "9" } });
  }
  expect(next({ ...watching, failures: 4 }, failed)).toMatchObject({ next: { name: "listing", failures: 5 } });
});

test("a watch that delivered something before it failed starts the backoff anew", () => {
  const failed: ReflectorOutcome = { type: "failed", resourceVersion: "9", progressed: true, retryAfterMs: 0 };
  expect(next({ ...watching, failures: 7 }, failed)).toMatchObject({
    delayMs: 100,
    next: { name: "watching", failures: 1 },
  });
});

test("Retry-After is waited for when it is longer than the backoff", () => {
  const failed: ReflectorOutcome = { type: "failed", progressed: false, retryAfterMs: 5000 };
  expect(next(listing, failed)).toMatchObject({ name: "waiting", delayMs: 5000, next: { name: "listing" } });
});
