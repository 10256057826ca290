import { expect, test } from "vitest";
import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { shardOf } from "../../../src/operator/shell/shard.ts";
import { WorkflowMetrics } from "../../../src/operator/shell/workflow-metrics.ts";
import { workflow } from "./scene.ts";

function cacheOf(...statuses: readonly (WorkflowStatus | undefined)[]): Map<string, IntegrationWorkflow> {
  return new Map(
    statuses.map((status, index) => {
      const { metadata, ...rest } = workflow({}, status);
      return [`crm/w${index}`, { ...rest, metadata: { ...metadata, name: `w${index}` } }];
    }),
  );
}

async function linesOf(metrics: WorkflowMetrics): Promise<string[]> {
  let text = "";
  for await (const piece of metrics.text()) text += piece;
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

const running: WorkflowStatus = {
  state: "RUNNING",
  backlog: 7,
  pendingRestart: true,
  lastSyncTime: "2026-11-21T10:00:00Z",
  appliedRevision: { name: "w0-1", run: 3, generation: 1, appliedAt: "2026-11-21T09:00:00Z" },
  mappings: [
    { name: "contact", phase: "Paused", read: 10, written: 3, parked: 2, deadLettered: 1 },
    { name: "account", phase: "Snapshot", read: 5, written: 5, reading: { read: 5 } },
  ],
};

test("each workflow is told with what is known of it, and with nothing that is not", async () => {
  const metrics = new WorkflowMetrics(cacheOf(running, undefined), shardOf(undefined));
  metrics.tellOf(new Memories());
  const lines = await linesOf(metrics);
  const of = (name: string) =>
    lines
      .filter((line) => line.includes(`namespace="crm",name="${name}"`))
      .map((line) => line.replace("integration_workflow_", "").replace(`namespace="crm",name="${name}"`, ""));
  expect(of("w0")).toEqual([
    'state{,state="STOPPED"} 0',
    'state{,state="STARTING"} 0',
    'state{,state="RUNNING"} 1',
    'state{,state="FAILED"} 0',
    "backlog_records{} 7",
    "parked_records{} 2",
    "reading_mappings{} 1",
    "paused_mappings{} 1",
    "pending_restart{} 1",
    "schema_drift{} 0",
    "limits_overcommitted{} 0",
    "throttled{} 0",
    "last_sync_timestamp_seconds{} 1795255200",
    "dead_letters{} 1",
    'records_total{,outcome="read"} 15',
    'records_total{,outcome="written"} 8',
    'records_total{,outcome="dead_lettered"} 1',
  ]);
  expect(of("w1").join("\n")).not.toMatch(/backlog|parked|last_sync|dead_letters|records_total/);
});

test("the newest poll of the present run is told rather than status, and none of an earlier run", async () => {
  const memories = new Memories();
  const metrics = new WorkflowMetrics(cacheOf(running), shardOf(undefined));
  metrics.tellOf(memories);
  const status = { backlog: 4, mappings: [], schemaDrift: [] };
  memories.notePoll("crm/w0", { run: 3, atMs: 0, status });
  expect(await linesOf(metrics)).toContain('integration_workflow_backlog_records{namespace="crm",name="w0"} 4');
  memories.notePoll("crm/w0", { run: 2, atMs: 0, status });
  expect(await linesOf(metrics)).toContain('integration_workflow_backlog_records{namespace="crm",name="w0"} 7');
});

test("whoever does not lead tells of no workflow, and of none any more once it does not", async () => {
  const metrics = new WorkflowMetrics(cacheOf(running), shardOf(undefined));
  expect(await linesOf(metrics)).toEqual([]);
  metrics.tellOf(new Memories());
  metrics.noteTransition("crm/w0", "start", 2);
  expect(await linesOf(metrics)).not.toEqual([]);
  metrics.tellOf(undefined);
  expect(await linesOf(metrics)).toEqual([]);
  metrics.tellOf(new Memories());
  expect((await linesOf(metrics)).join()).not.toContain("transition_duration");
});

test("transitions are summed up for each workflow, and forgotten with it", async () => {
  const workflows = cacheOf(running);
  const metrics = new WorkflowMetrics(workflows, shardOf(undefined));
  metrics.tellOf(new Memories());
  for (const seconds of [2, 3.5]) metrics.noteTransition("crm/w0", "start", seconds);
  metrics.noteTransition("crm/w0", "stop", 1);
  const told = async () => (await linesOf(metrics)).filter((line) => line.includes("transition"));
  const metric = "integration_workflow_transition_duration_seconds";
  expect(await told()).toEqual([
    `${metric}_sum{namespace="crm",name="w0",transition="start"} 5.5`,
    `${metric}_count{namespace="crm",name="w0",transition="start"} 2`,
    `${metric}_sum{namespace="crm",name="w0",transition="stop"} 1`,
    `${metric}_count{namespace="crm",name="w0",transition="stop"} 1`,
  ]);
  const [[key, gone] = ["", workflow()]] = workflows;
  workflows.delete(key);
  expect(await told()).toEqual([]);
  workflows.set(key, gone);
  expect(await told()).toEqual([]);
});

test("a scrape of thousands of workflows lets others have their turn all the time, and tells none twice", async () => {
  const workflows = cacheOf(...Array.from({ length: 3000 }, () => running));
  const metrics = new WorkflowMetrics(workflows, shardOf(undefined));
  metrics.tellOf(new Memories());
  let turns = 0;
  let over = false;
  const takeTurns = (): void => {
    turns += 1;
    // One goes, and comes back: a new one to every list.
    const [first] = workflows;
    if (first !== undefined) workflows.delete(first[0]);
    if (first !== undefined) workflows.set(...first);
    if (!over) setImmediate(takeTurns);
  };
  setImmediate(takeTurns);
  const lines = await linesOf(metrics);
  over = true;
  expect(turns).toBeGreaterThan(50);
  const series = lines.map((line) => line.slice(0, line.lastIndexOf(" ")));
  expect(new Set(series).size).toBe(series.length);
  expect(lines.filter((line) => line.startsWith("integration_workflow_backlog_records"))).toHaveLength(3000);
});
