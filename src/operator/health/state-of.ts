import type { WorkflowState } from "../../api/integration-workflow.ts";
import { isEnding } from "../sight/ownership.ts";
import { overduePod } from "../sight/remains.ts";
import type { PodSeen } from "../sight/snapshot.ts";
import { earliest } from "../time.ts";
import { type Evidence, evidenceOf, type Health, startLimitMs } from "./evidence.ts";

/** What the state rule decides on. */
export interface RunHealth extends Omit<Health, "goodUntilMs" | "aliveUntilMs"> {
  /** The state of this run so far; absent: it has just begun. */
  readonly last: Exclude<WorkflowState, "STOPPED"> | undefined;
  /** Why it FAILED, while it has. */
  readonly lastFailure: Evidence | undefined;
  /** It has been RUNNING, in this run. */
  readonly ran: boolean;
  readonly startedAtMs: number;
  /** When a ready pod of this run was last seen; absent: never. */
  readonly lastReadyAtMs: number | undefined;
  /** When a living worker of this run was last seen; absent: never. */
  readonly lastAliveAtMs: number | undefined;
  readonly askedReplicas: number;
}

export type RunState =
  | { readonly state: "RUNNING"; readonly message: string; readonly changesInMs: number | undefined }
  | { readonly state: "FAILED"; readonly evidence: Evidence; readonly changesInMs: number | undefined }
  | {
      readonly state: "STARTING";
      readonly reason: "Starting" | "Recovering";
      readonly changesInMs: number | undefined;
    };

/** A worker must stay ready so long to be believed, after a failure or a restart; and may be away so long. */
export const steadyMs = 60_000;
/** For how long a restarted container must prove itself. */
const suspicionMs = 10 * 60_000;

/**
 * The state of a run by the health of its unfinished pods. `changesInMs` is when time alone may change it.
 *
 * 1. A ready pod that is not ending: RUNNING; after FAILED or a recent container restart only when ready for 60 s.
 * 2. Evidence that it cannot recover: FAILED.
 * 3. Else STARTING; but RUNNING is left only after 60 s without a ready pod, and FAILED only by rule 1 or a new run.
 */
export function stateOf(health: RunHealth): RunState {
  const { nowMs, pods, last } = health;
  const ready = pods.filter(isReady);
  const believed = ready.filter((pod) => last === "RUNNING" || steadyInMs(pod, last, nowMs) <= 0);
  if (believed.length > 0) {
    const message = `${ready.length} of ${health.askedReplicas} workers ready`;
    return { state: "RUNNING", message, changesInMs: undefined };
  }
  const steadyIn = earliest(...ready.map((pod) => steadyInMs(pod, last, nowMs)));

  const goodUntilMs = Math.max(health.startedAtMs, health.lastReadyAtMs ?? 0);
  const aliveUntilMs = Math.max(goodUntilMs, health.lastAliveAtMs ?? 0);
  // A pod that is ready, and only not yet believed, is no evidence of anything.
  const evidence =
    ready.length > 0 && last !== "FAILED" ? undefined : evidenceOf({ ...health, goodUntilMs, aliveUntilMs });
  if (evidence !== undefined) {
    const changesInMs = earliest(steadyIn, overduePod(nowMs, pods)?.saysMoreInMs);
    return { state: "FAILED", evidence, changesInMs };
  }
  if (last === "FAILED") {
    const kept = health.lastFailure ?? { reason: "Unknown", message: "The worker failed; why is not known any more" };
    return { state: "FAILED", evidence: kept, changesInMs: steadyIn };
  }

  const startLimitIn = later(aliveUntilMs + startLimitMs - nowMs);
  if (last === "RUNNING" && health.lastReadyAtMs !== undefined) {
    const awayInMs = health.lastReadyAtMs + steadyMs - nowMs;
    if (awayInMs > 0) {
      return { state: "RUNNING", message: `0 of ${health.askedReplicas} workers ready`, changesInMs: awayInMs };
    }
  }
  const reason = health.ran || last === "RUNNING" ? "Recovering" : "Starting";
  return { state: "STARTING", reason, changesInMs: earliest(steadyIn, startLimitIn) };
}

export function isReady(pod: PodSeen): boolean {
  return pod.readySinceMs !== undefined && !isEnding(pod.metadata);
}

/** How long until a ready pod is believed. */
function steadyInMs(pod: PodSeen, last: RunHealth["last"], nowMs: number): number {
  const restartedAtMs = pod.worker?.restarts ? (pod.worker.ended?.finishedAtMs ?? Number.NEGATIVE_INFINITY) : undefined;
  const isSuspect = last === "FAILED" || (restartedAtMs !== undefined && nowMs - restartedAtMs < suspicionMs);
  // The kubelet's clock against ours, as minReadySeconds of a Deployment; a time to come counts as now.
  const readyForMs = Math.max(0, nowMs - (pod.readySinceMs ?? nowMs));
  return isSuspect ? steadyMs - readyForMs : 0;
}

function later(inMs: number): number | undefined {
  return inMs > 0 ? inMs : undefined;
}
