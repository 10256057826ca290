import { epochMsOf } from "../time.ts";
import { isEnding } from "./ownership.ts";
import type { DeploymentSeen, PodSeen, ReplicaSetSeen } from "./snapshot.ts";

/** Something of a run is still there. */
export interface Remains {
  /** For a person: what is waited for, and what to do when it does not end. */
  readonly message: string;
  /** When the message will say more than it does now. */
  readonly saysMoreInMs?: number;
}

/** How long beyond its grace period a pod may take before a person is asked to look. */
const patienceMs = 30_000;

/**
 * What is left of a run that was stopped; undefined when all is gone: Deployment and ReplicaSets have observed their stop
 * and count 0, and no pod with the workflow's label is unfinished, whoever owns it.
 */
export function remainsOf(
  nowMs: number,
  deployment: DeploymentSeen | undefined,
  replicaSets: readonly ReplicaSetSeen[],
  pods: readonly PodSeen[],
): Remains | undefined {
  const unfinished = pods.filter(isUnfinished);
  const [pod] = [...unfinished].sort((left, right) => endsAtMs(left) - endsAtMs(right));
  if (pod !== undefined && isEnding(pod.metadata)) return endingPod(nowMs, pod, unfinished.length);
  if (deployment !== undefined && lags(deployment.metadata.generation, deployment.status)) {
    return { message: `Waiting for Deployment ${deployment.metadata.name} to be scaled to 0` };
  }
  const replicaSet = replicaSets.find((entry) => entry.replicas > 0 || lags(entry.metadata.generation, entry.status));
  if (replicaSet !== undefined) {
    return { message: `Waiting for ReplicaSet ${replicaSet.metadata.name} to be scaled to 0${leftBehind(replicaSet)}` };
  }
  return pod === undefined ? undefined : strayPod(pod, unfinished.length);
}

/** ReplicaSets leave evicted pods behind: finished pods count for nothing. */
export function isUnfinished(pod: PodSeen): boolean {
  return pod.phase !== "Succeeded" && pod.phase !== "Failed";
}

/** Its Deployment was deleted without it: nothing scales it. */
function leftBehind({ metadata: { ownerReferences = [], name, namespace } }: ReplicaSetSeen): string {
  if (ownerReferences.length > 0) return "";
  return `: no Deployment has it any more. Run: kubectl delete replicaset -n ${namespace} ${name}`;
}

/** Its controller has not acted on the newest spec, or still counts pods. */
function lags(generation: number | undefined, status: { observedGeneration: number; replicas: number }): boolean {
  return status.observedGeneration < (generation ?? 0) || status.replicas > 0;
}

/** When the pod should be gone; Infinity for one that nobody has asked to end. */
function endsAtMs({ metadata }: PodSeen): number {
  // The API server sets deletionTimestamp to the end of the grace period.
  return epochMsOf(metadata.deletionTimestamp) ?? Number.POSITIVE_INFINITY;
}

function strayPod(pod: PodSeen, count: number): Remains {
  const { name, namespace } = pod.metadata;
  return {
    message: `Waiting for pod ${place(pod, count)}: it has the workflow's label and nobody has asked it to end. If no controller does, run: kubectl delete pod -n ${namespace} ${name}`,
  };
}

function endingPod(nowMs: number, pod: PodSeen, count: number): Remains {
  const { name, namespace, deletionTimestamp } = pod.metadata;
  const overdueInMs = endsAtMs(pod) + patienceMs - nowMs;
  if (overdueInMs > 0) return { message: `Waiting for pod ${place(pod, count)} to end`, saysMoreInMs: overdueInMs };
  return {
    message: `Pod ${place(pod, count)} should have ended by ${deletionTimestamp}. If the node is gone for good, delete its Node object, or run: kubectl delete pod -n ${namespace} ${name} --force --grace-period=0`,
  };
}

/** A pod that should be gone by now: it may hold what the next one needs. Before that, when it should be. */
export function overduePod(nowMs: number, pods: readonly PodSeen[]): Partial<Remains> | undefined {
  const ending = pods.filter((pod) => isEnding(pod.metadata)).sort((left, right) => endsAtMs(left) - endsAtMs(right));
  const [pod] = ending;
  if (pod === undefined) return undefined;
  const { message, saysMoreInMs } = endingPod(nowMs, pod, ending.length);
  return saysMoreInMs === undefined ? { message } : { saysMoreInMs };
}

function place(pod: PodSeen, count: number): string {
  const where = pod.node === undefined ? "on no node yet" : `on node ${pod.node}`;
  return `${pod.metadata.name} ${where}${count > 1 ? " (and others)" : ""}`;
}
