import { exitCodes } from "../../api/worker-contract.ts";
import { isEnding } from "../sight/ownership.ts";
import type { ContainerEnd, PodSeen, ReplicaSetSeen } from "../sight/snapshot.ts";
import { clip, parseLastWords } from "./last-words.ts";

/** Why a run cannot recover. */
export interface Evidence {
  readonly reason: string;
  readonly message: string;
}

/** What the rules look at. */
export interface Health {
  readonly nowMs: number;
  readonly run: number;
  /** The run's unfinished pods. */
  readonly pods: readonly PodSeen[];
  readonly replicaSets: readonly ReplicaSetSeen[];
  /** The run's start, or its last ready pod if that was later. */
  readonly goodUntilMs: number;
}

/** A run that has not started any container for so long is not merely slow. */
export const startLimitMs = 5 * 60_000;

/** A final word is over when a worker was ready so long after it: more than clocks differ and news are late. */
const mendedAfterMs = 60_000;

type Rule = (health: Health) => Evidence | undefined;

/**
 * Evidence that a run without a ready pod cannot recover, the most telling first; undefined: none. Ready pods, and those
 * that are ending, prove nothing.
 */
export function evidenceOf(health: Health): Evidence | undefined {
  const failing = {
    ...health,
    pods: health.pods.filter((pod) => pod.readySinceMs === undefined && !isEnding(pod.metadata)),
  };
  for (const rule of rules) {
    const evidence = rule(failing);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}

const rules: readonly Rule[] = [
  ({ pods, goodUntilMs }) => firstOf(pods, (pod) => finalWord(pod, goodUntilMs)),
  ({ pods }) => firstOf(pods, outOfMemory),
  ({ pods }) => firstOf(pods, crashLoop),
  ({ pods }) => firstOf(pods, (pod) => waits(pod, "ImagePullBackOff", "check worker.image and its pull secret")),
  ({ pods }) => firstOf(pods, (pod) => waits(pod, "InvalidImageName", "correct worker.image")),
  ({ pods }) => firstOf(pods, (pod) => waits(pod, "ErrImageNeverPull", "the node must have the image")),
  ({ pods }) => firstOf(pods, (pod) => waits(pod, "CreateContainerConfigError", "correct worker.template.env")),
  cannotCreatePods,
  ({ nowMs, goodUntilMs, pods }) => (nowMs - goodUntilMs < startLimitMs ? undefined : firstOf(pods, unschedulable)),
  nothingStarted,
];

function finalWord({ worker }: PodSeen, goodUntilMs: number): Evidence | undefined {
  const ended = worker?.ended;
  if (ended?.exitCode !== exitCodes.cannotRecover) return undefined;
  // A worker was ready since: what ails this one now is something else.
  const isMended = goodUntilMs - (ended.finishedAtMs ?? goodUntilMs) > mendedAfterMs;
  if (worker?.running && isMended) return undefined;
  const words = parseLastWords(ended.message);
  if (words === undefined) {
    return { reason: "CannotRecover", message: `The worker gave up (exit code 78) and said: ${said(ended)}` };
  }
  const reason = words.reason === "Unknown" ? "CannotRecover" : words.reason;
  return {
    reason,
    message: words.message === "" ? "The worker gave up (exit code 78) without a message" : words.message,
  };
}

function outOfMemory(pod: PodSeen): Evidence | undefined {
  if (pod.worker?.waiting?.reason !== "CrashLoopBackOff" || pod.worker.ended?.reason !== "OOMKilled") return undefined;
  return {
    reason: "OOMKilled",
    message: `The worker in pod ${pod.metadata.name} keeps running out of memory: raise worker.resources.limits.memory`,
  };
}

function crashLoop(pod: PodSeen): Evidence | undefined {
  if (pod.worker?.waiting?.reason !== "CrashLoopBackOff") return undefined;
  const { ended } = pod.worker;
  const how =
    ended === undefined ? "" : ` with exit code ${ended.exitCode} (${ended.reason}), and said: ${said(ended)}`;
  return { reason: "CrashLoopBackOff", message: `The worker in pod ${pod.metadata.name} keeps ending${how}` };
}

function said({ message }: ContainerEnd): string {
  const words = parseLastWords(message);
  if (words !== undefined) return `${words.reason}: ${words.message}`;
  return message.trim() === "" ? "nothing" : clip(message.trim(), 1024);
}

function waits(pod: PodSeen, reason: string, advice: string): Evidence | undefined {
  const waiting = pod.worker?.waiting;
  if (waiting?.reason !== reason) return undefined;
  const detail = waiting.message === "" ? "" : `: ${clip(waiting.message, 1024)}`;
  return { reason, message: `Pod ${pod.metadata.name} cannot start its worker (${advice})${detail}` };
}

/** Quota, pod security, a missing service account. */
function cannotCreatePods({ replicaSets, run }: Health): Evidence | undefined {
  const failing = replicaSets.find((replicaSet) => replicaSet.run === run && replicaSet.createFailure !== undefined);
  if (failing === undefined) return undefined;
  return { reason: "PodNotCreated", message: `No pod can be created: ${clip(failing.createFailure ?? "", 2048)}` };
}

function unschedulable(pod: PodSeen): Evidence | undefined {
  if (pod.unschedulable === undefined) return undefined;
  const message = `No node takes pod ${pod.metadata.name}: ${clip(pod.unschedulable, 1024)}`;
  return { reason: "Unschedulable", message };
}

function nothingStarted({ nowMs, goodUntilMs, pods }: Health): Evidence | undefined {
  if (nowMs - goodUntilMs < startLimitMs || pods.some(hasStarted)) return undefined;
  const [pod] = pods;
  if (pod === undefined) {
    return { reason: "NotStarted", message: "No pod was made for 5 minutes: is kube-controller-manager running?" };
  }
  const waiting = pod.worker?.waiting;
  const where = pod.node === undefined ? "and has no node yet" : `on node ${pod.node}`;
  const why = waiting === undefined ? "" : `: ${waiting.reason} ${clip(waiting.message, 1024)}`.trimEnd();
  return {
    reason: "NotStarted",
    message: `Pod ${pod.metadata.name} ${where} has not started its worker for 5 minutes${why}. kubectl describe pod shows why`,
  };
}

/** A worker that lives, or did, never fails by time: an outage of Dataverse is not a failure. */
function hasStarted({ worker }: PodSeen): boolean {
  return worker !== undefined && (worker.running || worker.ended !== undefined || worker.restarts > 0);
}

function firstOf(pods: readonly PodSeen[], rule: (pod: PodSeen) => Evidence | undefined): Evidence | undefined {
  for (const pod of pods) {
    const evidence = rule(pod);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}
