import { expect, test } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { inWords, outlookOf, secondsToDrain, throttledBy } from "../../../src/steering/outlook.ts";
import { workflow } from "../operator/scene.ts";

const at = "2026-11-21T10:00:00Z";
const condition = (type: string, status: "True" | "False" | "Unknown", reason: string, message = "") => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: at,
});
const seen = (status: WorkflowStatus, spec: object = { state: "Running" }) =>
  outlookOf(workflow(spec, { observedGeneration: 1, ...status }));
const abouts = (status: WorkflowStatus, spec?: object) => seen(status, spec).advice.map(({ about }) => about);

test.each<[string, WorkflowStatus, string[]]>([
  ["no operator has looked", { observedGeneration: -1 }, ["NoOperator"]],
  ["RUNNING and nothing to do", { state: "RUNNING", conditions: [condition("Ready", "True", "Running")] }, []],
  ["STARTING", { state: "STARTING", conditions: [condition("Ready", "False", "Starting", "waits")] }, ["Starting"]],
  [
    "FAILED, and an edit waits",
    {
      state: "FAILED",
      failure: { reason: "CredentialsRejected", message: "mend the Secret", since: at },
      pendingRestart: true,
      pendingChangeCount: 2,
    },
    ["Failed", "Mended", "RestartPending"],
  ],
  [
    "drift, a paused mapping, dead letters and a backlog, in this order",
    {
      state: "RUNNING",
      backlog: 1204,
      conditions: [
        condition("Ready", "True", "Running"),
        condition("SchemaDrift", "True", "ColumnMissing", "put it back"),
      ],
      mappings: [
        { name: "contact", phase: "Paused", backlog: 4 },
        { name: "account", phase: "Incremental", backlog: 1200, deadLettered: 2, secondsToDrain: 60 },
      ],
    },
    ["SchemaDrift", "Paused", "DeadLetters", "Backlog"],
  ],
])("%s", (_name, status, expected) => {
  expect(abouts(status)).toEqual(expected);
});

test("STOPPED says what waits, and how to start it", () => {
  const { advice } = seen({ state: "STOPPED", backlog: 37 }, { state: "Stopped" });
  expect(advice).toEqual([
    {
      about: "Stopped",
      message: "Nothing syncs while it is stopped. 37 records wait for the next start; none is lost.",
      command: "start contacts",
    },
  ]);
});

test("FAILED says why, where more is told, and how it goes on once that is mended", () => {
  const failure = { reason: "CredentialsRejected", message: "check the Secret", since: at };
  const { advice } = seen({ state: "FAILED", failure });
  expect(advice).toEqual([
    { about: "Failed", reason: "CredentialsRejected", message: "check the Secret", command: "logs contacts" },
    { about: "Mended", message: expect.stringMatching(/by itself.*restart/), command: "restart contacts" },
  ]);
  expect(seen({ state: "FAILED", failure }, { state: "Stopped" }).advice.map(({ about }) => about)).toEqual(["Failed"]);
});

test("a paused mapping says why, unless the drift has said it", () => {
  const mappings = [
    { name: "contact", phase: "Paused", reason: "ColumnMissing", message: "the column level is gone" },
    { name: "account", phase: "Paused", reason: "RefusalWave", message: "20 refusals in a row" },
  ] as const;
  const conditions = [condition("SchemaDrift", "True", "SchemaChanged", "contact: the column level is gone")];
  expect(seen({ state: "RUNNING", mappings: [...mappings], conditions }).advice).toEqual([
    { about: "SchemaDrift", reason: "SchemaChanged", message: "contact: the column level is gone" },
    {
      about: "Paused",
      reason: "RefusalWave",
      message: "account is paused; its rows stay queued: 20 refusals in a row",
    },
  ]);
});

const held = (heldBy: "Service" | "Configuration") =>
  ({
    service: "Campaign",
    heldBy,
    limit: "Unnamed",
    since: at,
    heldPercent: 60,
    refusedCalls: heldBy === "Service" ? 12 : 0,
    callsLastMinute: 100,
  }) as const;

test("a throttled workflow with a backlog says who holds it back, how much gets through, and when all is written", () => {
  const status = {
    state: "RUNNING",
    backlog: 3000,
    throttling: [held("Service")],
    mappings: [{ name: "contact", backlog: 3000, secondsToDrain: 1800 }],
    conditions: [condition("Throttled", "True", "CampaignLimit", "Campaign refuses calls. It goes on by itself")],
  } as const;
  const { throttling, mappings, conditions } = status;
  const advice = seen({
    ...status,
    throttling: [...throttling],
    mappings: [...mappings],
    conditions: [...conditions],
  }).advice;
  expect(advice).toEqual([
    {
      about: "Throttled",
      reason: "CampaignLimit",
      message:
        "Campaign refuses calls. It goes on by itself. Campaign: 12 calls refused in the last five minutes, for 60 % of that time none could be made; 100 calls made in the last minute. 3,000 records are read and wait to be written: written in about 30 min",
    },
  ]);
});

test("its own bound is worth a word only while records wait for it", () => {
  const status = (backlog: number): WorkflowStatus => ({
    state: "RUNNING",
    backlog,
    throttling: [held("Configuration")],
    conditions: [condition("Throttled", "True", "ConfiguredLimit", "its own bound")],
  });
  expect(abouts(status(0))).toEqual([]);
  expect(throttledBy(status(0))).toBeUndefined();
  expect(abouts(status(9))).toEqual(["Throttled"]);
  expect(throttledBy(status(9))).toBe("its own bound for Campaign");
  expect(throttledBy({ ...status(9), state: "STOPPED" })).toBeUndefined();
  expect(throttledBy({ ...status(0), throttling: [held("Service")] })).toBe("Campaign");
});

test("what was throttled, and is not any more, is not told", () => {
  const conditions = [condition("Throttled", "False", "NotThrottled", "No call is held back")];
  expect(abouts({ state: "RUNNING", backlog: 9, conditions })).toEqual(["Backlog"]);
});

test("the slowest mapping says when all is written; nobody guesses for one that does not move", () => {
  expect(
    secondsToDrain([
      { name: "a", backlog: 1, secondsToDrain: 5 },
      { name: "b", backlog: 9, secondsToDrain: 50 },
    ]),
  ).toBe(50);
  expect(
    secondsToDrain([
      { name: "a", backlog: 1, secondsToDrain: 5 },
      { name: "b", backlog: 9 },
    ]),
  ).toBeUndefined();
  expect(secondsToDrain([{ name: "a", backlog: 0 }])).toBeUndefined();
});

test.each([
  [40, "40 s"],
  [90, "2 min"],
  [5400, "1 h 30 min"],
  [400_000, "5 d"],
])("%d seconds are %s", (seconds, words) => {
  expect(inWords(seconds)).toBe(words);
});
