import { expect, test } from "vitest";
import { outlookOf } from "../../../src/steering/outlook.ts";
import { type Expectation, messageLike } from "../../failures/expectation.ts";
import { readMeasured } from "../../failures/measured.ts";
import { onNode } from "../../failures/on-node.ts";
import { played } from "../../failures/played.ts";
import { workflow } from "../operator/scene.ts";

const expectations: [string, Expectation][] = Object.entries({ ...onNode, ...played });

test.each(expectations)("what the page of failures quotes was told as the tests expect it: %s", (name, expected) => {
  expect(readMeasured()[name]?.message).toMatch(messageLike(expected.message));
});

test.each(expectations)("the plugin and the page say the reason, the message and what to do: %s", (name, expected) => {
  const message = readMeasured()[name]?.message ?? "";
  const { state, reason } = expected;
  const failure = state === "FAILED" ? { failure: { reason, message, since: "2026-11-21T10:00:00Z" } } : {};
  const ready = {
    type: "Ready",
    status: "False",
    reason,
    message,
    observedGeneration: 1,
    lastTransitionTime: "2026-11-21T10:00:00Z",
  } as const;
  const status = {
    observedGeneration: 1,
    state: state === "as it was" ? "RUNNING" : state,
    ...failure,
    conditions: [ready],
  };
  const { advice } = outlookOf(workflow({ state: "Running" }, status as never));
  expect(advice[0]).toMatchObject({ reason, message });
  if (state === "FAILED") expect(advice[1]).toMatchObject({ about: "Mended", command: "restart contacts" });
});
