import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import type { IntegrationWorkflow, WorkflowStatus } from "../../api/integration-workflow.ts";
import { workflowStates } from "../../api/schema/status.ts";
import type { Snapshot } from "../sight/snapshot.ts";
import { epochMsOf } from "../time.ts";
import type { Memories } from "./memory.ts";
import { informersOf, type Watched } from "./watched.ts";

export interface OperatorMetrics {
  onReconcile(result: "success" | "requeue_after" | "error", seconds: number): void;
  onStatus(snapshot: Snapshot, status: WorkflowStatus): void;
  onLeading(leading: boolean): void;
  onWatchedNamespace(namespace: string, isMissing: boolean): void;
  /** The leader tells of the workflows; `undefined` ends that. */
  tellOf(memories: Memories | undefined): void;
}

export interface MetricsOptions {
  readonly registry: Registry;
  readonly watched: Watched;
  readonly leaseName: string;
  readonly monotonicMs: () => number;
}

/** From 1 s to an hour and more: what a person waits for. */
const transitionBuckets = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const reconcileBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export function createMetrics({ registry, watched, leaseName, monotonicMs }: MetricsOptions): OperatorMetrics {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  let told: Memories | undefined;
  workflowGauges(registry, watched, () => told);

  const controller = "integrationworkflow";
  const reconciled = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Looks at a workflow, by how they ended.",
    labelNames: ["controller", "result"],
    registers,
  });
  const failed = new Counter({
    name: "controller_runtime_reconcile_errors_total",
    help: "Looks at a workflow that failed.",
    labelNames: ["controller"],
    registers,
  });
  failed.inc({ controller }, 0);
  const took = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "How long a look at a workflow took.",
    labelNames: ["controller"],
    buckets: reconcileBuckets,
    registers,
  });
  const leading = new Gauge({
    name: "leader_election_master_status",
    help: "Whether this process leads: 1, or 0.",
    labelNames: ["name"],
    registers,
  });
  leading.set({ name: leaseName }, 0);
  const staleness: Gauge<"resource"> = new Gauge({
    name: "integration_workflow_operator_watch_staleness_seconds",
    help: "Since when nothing was heard from the API server about a resource.",
    labelNames: ["resource"],
    registers,
    collect: () => {
      for (const informer of informersOf(watched)) {
        staleness.set({ resource: informer.resource }, (monotonicMs() - informer.lastContactAtMs()) / 1000);
      }
    },
  });
  const missing = new Gauge({
    name: "integration_workflow_operator_watched_namespace_missing",
    help: "Whether a namespace that the operator is told to watch is not there: 1, or 0.",
    labelNames: ["namespace"],
    registers,
  });
  const transitions = new Histogram({
    name: "integration_workflow_transition_duration_seconds",
    help: "How long it took to start (until RUNNING) and to stop (until STOPPED).",
    labelNames: ["transition"],
    buckets: transitionBuckets,
    registers,
  });
  return {
    onReconcile(result, seconds) {
      reconciled.inc({ controller, result });
      if (result === "error") failed.inc({ controller });
      took.observe({ controller }, seconds);
    },
    onStatus({ workflow, nowMs }, status) {
      const duration = transitionSeconds(workflow, status, nowMs);
      if (duration !== undefined) transitions.observe({ transition: duration.transition }, duration.seconds);
    },
    onLeading: (isLeading) => leading.set({ name: leaseName }, isLeading ? 1 : 0),
    onWatchedNamespace: (namespace, isMissing) => missing.set({ namespace }, isMissing ? 1 : 0),
    tellOf(memories) {
      told = memories;
    },
  };
}

/** A start that came to RUNNING, or a stop that came to STOPPED. */
function transitionSeconds(workflow: IntegrationWorkflow, status: WorkflowStatus, nowMs: number) {
  const before = workflow.status;
  const since = (transition: "start" | "stop", time: string | undefined) => {
    const sinceMs = epochMsOf(time);
    return sinceMs === undefined ? undefined : { transition, seconds: Math.max(0, nowMs - sinceMs) / 1000 };
  };
  if (status.state === "RUNNING" && before?.state === "STARTING")
    return since("start", status.appliedRevision?.appliedAt);
  if (status.state !== "STOPPED" || before?.state === "STOPPED") return undefined;
  const stopping = before?.conditions?.find(({ type, reason }) => type === "Reconciling" && reason === "Stopping");
  return since("stop", stopping?.lastTransitionTime);
}

/** What is known of each workflow, read when asked: from the newest poll, which is newer than status. */
function workflowGauges(registry: Registry, watched: Watched, memories: () => Memories | undefined): void {
  const labelNames = ["namespace", "name"] as const;
  const registers = [registry];
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `integration_workflow_${name}`, help, labelNames, registers });
  const state = new Gauge({
    name: "integration_workflow_state",
    help: "1 for the state that the workflow is in, 0 for the others.",
    labelNames: ["namespace", "name", "state"],
    registers,
    collect: () => tell(),
  });
  const backlog = gauge("backlog_records", "Records read and waiting to be written; absent when unknown.");
  const pending = gauge("pending_restart", "Whether an edit waits for a stop and start.");
  const drift = gauge(
    "schema_drift",
    "Whether a table, column, resource or field in use no longer is what a mapping expects.",
  );
  const lastSync = gauge("last_sync_timestamp_seconds", "When a record was last written.");
  const dead = gauge("dead_letters", "Records refused for good.");
  const records = new Counter({
    name: "integration_workflow_records_total",
    help: "Records of the present run: read, written, dead_lettered.",
    labelNames: ["namespace", "name", "outcome"],
    registers,
  });

  // The state is collected first, and sets all the others.
  function tell(): void {
    for (const metric of [state, backlog, pending, drift, lastSync, dead, records]) metric.reset();
    const remembered = memories();
    if (remembered === undefined) return;
    for (const { metadata, status } of watched.workflows.cache.values()) {
      const labels = { namespace: metadata.namespace, name: metadata.name };
      const poll = remembered.of(`${metadata.namespace}/${metadata.name}`).memory.poll;
      const isCurrent = poll?.run === status?.appliedRevision?.run && status?.state !== "STOPPED";
      const figures = isCurrent && poll !== undefined ? poll.status : status;
      for (const word of workflowStates) state.set({ ...labels, state: word }, status?.state === word ? 1 : 0);
      pending.set(labels, status?.pendingRestart === true ? 1 : 0);
      const hasDrift = status?.conditions?.some(
        ({ type, status: truth }) => type === "SchemaDrift" && truth === "True",
      );
      drift.set(labels, hasDrift === true ? 1 : 0);
      if (figures?.backlog !== undefined) backlog.set(labels, figures.backlog);
      const lastSyncMs = epochMsOf(figures?.lastSyncTime);
      if (lastSyncMs !== undefined) lastSync.set(labels, lastSyncMs / 1000);
      const sum = (field: "read" | "written" | "deadLettered"): number =>
        (figures?.mappings ?? []).reduce((total, mapping) => total + (mapping[field] ?? 0), 0);
      dead.set(labels, sum("deadLettered"));
      records.inc({ ...labels, outcome: "read" }, sum("read"));
      records.inc({ ...labels, outcome: "written" }, sum("written"));
      records.inc({ ...labels, outcome: "dead_lettered" }, sum("deadLettered"));
    }
  }
}
