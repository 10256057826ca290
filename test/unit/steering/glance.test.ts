import { expect, test } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { notesOf } from "../../../src/steering/glance.ts";

const condition = (type: string, status: "True" | "False", reason: string) => ({
  type,
  status,
  reason,
  message: "",
  lastTransitionTime: "2026-11-21T10:00:00Z",
});
const contact = { name: "contact", phase: "Incremental" };
const paused = { name: "account", phase: "Paused" };
const throttling: WorkflowStatus["throttling"] = [
  {
    service: "Campaign",
    heldBy: "Service",
    limit: "Unnamed",
    since: "2026-11-21T10:00:00Z",
    heldPercent: 50,
    refusedCalls: 10,
    callsLastMinute: 10,
  },
];

test.each<readonly [string, WorkflowStatus, readonly string[]]>([
  ["all is well", { state: "RUNNING", mappings: [contact], conditions: [condition("Ready", "True", "Running")] }, []],
  ["it failed", { state: "FAILED", failure: { reason: "OOMKilled", message: "", since: "" } }, ["OOMKilled"]],
  ["it failed before", { state: "STARTING", failure: { reason: "OOMKilled", message: "", since: "" } }, []],
  ["it stops", { state: "RUNNING", conditions: [condition("Ready", "False", "Stopping")] }, ["Stopping"]],
  ["it is throttled", { state: "RUNNING", throttling }, ["held back by Campaign"]],
  ["it was throttled", { state: "STOPPED", throttling }, []],
  ["a mapping stands still", { state: "RUNNING", mappings: [contact, paused] }, ["1 mapping paused"]],
  [
    "a column is gone, and records were refused",
    {
      state: "RUNNING",
      mappings: [paused, { ...paused, name: "task", deadLettered: 1200 }],
      conditions: [condition("SchemaDrift", "True", "SchemaChanged")],
    },
    ["2 mappings paused: schema drift", "1,200 refused"],
  ],
])("%s", (_, status, notes) => {
  expect(notesOf(status)).toEqual(notes);
});
