import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { IntegrationWorkflow, WorkflowStatus } from "../../api/integration-workflow.ts";
import type { WorkQueue } from "../../kubernetes/work-queue.ts";
import type { Snapshot } from "../sight/snapshot.ts";
import { epochMsOf } from "../time.ts";
import type { Memories } from "./memory.ts";
import type { Shard } from "./shard.ts";
import { informersOf, type Watched } from "./watched.ts";
import { WorkflowMetrics } from "./workflow-metrics.ts";

/** How a look at a workflow ended. */
export type ReconcileResult = "success" | "requeue_after" | "error" | "terminal_error";

export interface OperatorMetrics {
  onReconcile(result: ReconcileResult, seconds: number): void;
  onStatus(snapshot: Snapshot, status: WorkflowStatus): void;
  onLeading(leading: boolean): void;
  onWatchedNamespace(namespace: string, isMissing: boolean): void;
  /** The leader tells of the workflows, from what it remembers, and of its queue; `undefined` ends that. */
  tellOf(leader: { readonly memories: Memories; readonly queue: Pick<WorkQueue, "workingMs"> } | undefined): void;
  /** What a scrape is answered with. */
  text(): AsyncIterable<string>;
}

export interface MetricsOptions {
  readonly registry: Registry;
  readonly watched: Watched;
  readonly shard: Shard;
  /** Workflows that are looked at at the same time. */
  readonly concurrency: number;
  readonly monotonicMs: () => number;
}

/** From 1 s to an hour and more: what a person waits for. */
const transitionBuckets = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
/** As controller-runtime has them. */
const reconcileBuckets = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5],
  ...[1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];
/** controller-runtime's words; "requeue", which is no more than an error's retry there, is never said here. */
const results = ["success", "error", "requeue", "requeue_after"];

export const controllerName = "integrationworkflow";

export function createMetrics(options: MetricsOptions): OperatorMetrics {
  const { registry, watched, shard, monotonicMs } = options;
  const { leaseName } = shard;
  const workflows = new WorkflowMetrics(watched.workflows.cache, shard);
  let activeWorkers = (): number => 0;
  const onReconcile = reconcileMetrics(options, () => activeWorkers());
  const registers = [registry];
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
    name: "integration_workflow_operator_transition_duration_seconds",
    help: "How long starts (until RUNNING) and stops (until STOPPED) took, of all workflows.",
    labelNames: ["transition"],
    buckets: transitionBuckets,
    registers,
  });
  return {
    onReconcile,
    onStatus({ workflow, nowMs }, status) {
      const duration = transitionSeconds(workflow, status, nowMs);
      if (duration === undefined) return;
      transitions.observe({ transition: duration.transition }, duration.seconds);
      const { namespace, name } = workflow.metadata;
      workflows.noteTransition(`${namespace}/${name}`, duration.transition, duration.seconds);
    },
    onLeading: (isLeading) => leading.set({ name: leaseName }, isLeading ? 1 : 0),
    onWatchedNamespace: (namespace, isMissing) => missing.set({ namespace }, isMissing ? 1 : 0),
    tellOf(leader) {
      workflows.tellOf(leader?.memories);
      activeWorkers = () => leader?.queue.workingMs().length ?? 0;
    },
    async *text() {
      yield await registry.metrics();
      yield* workflows.text();
    },
  };
}

/** Under the names, labels and buckets of controller-runtime, so that dashboards for its controllers show this one. */
function reconcileMetrics(
  { registry, concurrency }: MetricsOptions,
  activeWorkers: () => number,
): OperatorMetrics["onReconcile"] {
  const registers = [registry];
  const controller = controllerName;
  const labelNames = ["controller"] as const;
  const counter = (name: string, help: string) => {
    const made = new Counter({ name: `controller_runtime_${name}`, help, labelNames, registers });
    made.inc({ controller }, 0);
    return made;
  };
  const reconciled = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Looks at a workflow, by how they ended.",
    labelNames: ["controller", "result"],
    registers,
  });
  for (const result of results) reconciled.inc({ controller, result }, 0);
  const failed = counter("reconcile_errors_total", "Looks at a workflow that failed.");
  const gaveUp = counter(
    "terminal_reconcile_errors_total",
    "Looks at a workflow that failed, and are not tried again.",
  );
  const took = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "How long a look at a workflow took.",
    labelNames,
    buckets: reconcileBuckets,
    registers,
  });
  const active: Gauge<"controller"> = new Gauge({
    name: "controller_runtime_active_workers",
    help: "Workflows that are looked at now.",
    labelNames,
    registers,
    collect: () => active.set({ controller }, activeWorkers()),
  });
  new Gauge({
    name: "controller_runtime_max_concurrent_reconciles",
    help: "Workflows that are looked at at the same time, at most.",
    labelNames,
    registers,
  }).set({ controller }, concurrency);
  return (result, seconds) => {
    const isError = result === "error" || result === "terminal_error";
    reconciled.inc({ controller, result: isError ? "error" : result });
    if (isError) failed.inc({ controller });
    if (result === "terminal_error") gaveUp.inc({ controller });
    took.observe({ controller }, seconds);
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
