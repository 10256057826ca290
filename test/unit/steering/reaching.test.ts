import { expect, test } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { type Asked, reaching } from "../../../src/steering/follow.ts";
import type { LiveWorkflow } from "../../../src/steering/workflow.ts";
import { workflow } from "../operator/scene.ts";

function ends(asked: Partial<Asked>, looks: readonly (readonly [atMs: number, status: WorkflowStatus | undefined])[]) {
  let nowMs = 0;
  const judge = reaching({ state: "Running", generation: 2, ...asked }, { now: () => nowMs, schedule: () => () => {} });
  return looks.map(([atMs, status]) => {
    nowMs = atMs;
    const look = judge(status === undefined ? undefined : (workflow({}, status) as LiveWorkflow));
    return look.wait ? "waits" : look.end.outcome;
  });
}

const moving = [{ type: "Reconciling", status: "True" as const, reason: "", message: "", lastTransitionTime: "" }];

test.each<[string, Partial<Asked>, [number, WorkflowStatus | undefined][], string[]]>([
  ["RUNNING of an earlier generation is no answer", {}, [[0, { state: "RUNNING", observedGeneration: 1 }]], ["waits"]],
  ["RUNNING of the asked one is", {}, [[0, { state: "RUNNING", observedGeneration: 2 }]], ["Reached"]],
  [
    "while it stops, its last word is no answer",
    { state: "Stopped" },
    [
      [0, { state: "STOPPED", observedGeneration: 2, conditions: moving }],
      [1, { state: "STOPPED", observedGeneration: 2 }],
    ],
    ["waits", "Reached"],
  ],
  [
    "a restart is done when its value is echoed",
    { restart: "b" },
    [
      [0, { state: "RUNNING", observedGeneration: 2, handledRestart: "a" }],
      [1, { state: "RUNNING", observedGeneration: 2, handledRestart: "b" }],
    ],
    ["waits", "Reached"],
  ],
  [
    "FAILED counts when it stands for ten seconds",
    {},
    [
      [0, { state: "FAILED", observedGeneration: 2 }],
      [5000, { state: "STARTING", observedGeneration: 2 }],
      [6000, { state: "FAILED", observedGeneration: 2 }],
      [15_999, { state: "FAILED", observedGeneration: 2 }],
      [16_000, { state: "FAILED", observedGeneration: 2 }],
    ],
    ["waits", "waits", "waits", "waits", "Failed"],
  ],
  ["what is gone reaches nothing", {}, [[0, undefined]], ["Gone"]],
])("%s", (_name, asked, looks, expected) => {
  expect(ends(asked, looks)).toEqual(expected);
});
