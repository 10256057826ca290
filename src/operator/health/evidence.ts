import { exitCodes } from "../../api/worker-contract.ts";
import { isEnding } from "../sight/ownership.ts";
import { overduePod } from "../sight/remains.ts";
import type { ClaimSeen, PodSeen, ReplicaSetSeen } from "../sight/snapshot.ts";
import { endOf, isWrongFormat, killed, logsOf, saying } from "./container-ends.ts";
import { imageFault } from "./image-faults.ts";
import { parseLastWords } from "./last-words.ts";
import { whyUnplaced } from "./placement.ts";
import { quote } from "./quote.ts";
import { refusalInWords } from "./refusal-advice.ts";
import { stepOf } from "./start-steps.ts";

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
  /** That its pods mount. */
  readonly claims: readonly ClaimSeen[];
  /** The run's start, or its last ready pod if that was later. */
  readonly goodUntilMs: number;
  /** The same, or when a worker was last seen to live, ready or not, if that was later. */
  readonly aliveUntilMs: number;
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
  const evidence = firstRule(atOnce, failing);
  if (evidence !== undefined || health.nowMs - health.aliveUntilMs < startLimitMs) return evidence;
  const late = firstRule(inTime, failing);
  const overdue = overduePod(health.nowMs, health.pods);
  if (late === undefined || overdue?.message === undefined) return late;
  return { ...late, message: `${late.message}. ${overdue.message}` };
}

function firstRule(rules: readonly Rule[], health: Health): Evidence | undefined {
  for (const rule of rules) {
    const evidence = rule(health);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}

const atOnce: readonly Rule[] = [
  ({ pods, goodUntilMs }) => firstOf(pods, (pod) => finalWord(pod, goodUntilMs)),
  ({ pods }) => firstOf(pods, outOfMemory),
  ({ pods }) => firstOf(pods, crashLoop),
  ({ pods }) => firstOf(pods, imageFault),
  ({ pods }) => firstOf(pods, configurationFault),
  cannotCreatePods,
];

/** When the limit of a start has passed. */
const inTime: readonly Rule[] = [(health) => firstOf(health.pods, (pod) => unschedulable(pod, health)), nothingStarted];

function finalWord({ metadata, worker }: PodSeen, goodUntilMs: number): Evidence | undefined {
  const ended = worker?.ended;
  if (ended?.exitCode !== exitCodes.cannotRecover) return undefined;
  // A worker was ready since: what ails this one now is something else.
  const isMended = goodUntilMs - (ended.finishedAtMs ?? goodUntilMs) > mendedAfterMs;
  if (worker?.running && isMended) return undefined;
  const words = parseLastWords(ended.message);
  const reason = words === undefined || words.reason === "Unknown" ? "CannotRecover" : words.reason;
  if (words !== undefined && words.message !== "") return { reason, message: words.message };
  const gaveUp = `The worker in pod ${metadata.name} gave up (exit code 78) without a reason, and ${saying(endOf(ended).said)}`;
  return { reason, message: `${gaveUp}. ${logsOf(metadata)}. It has to be mended, and the workflow restarted` };
}

function outOfMemory(pod: PodSeen): Evidence | undefined {
  if (!isCrashLooping(pod) || pod.worker?.ended?.reason !== "OOMKilled") return undefined;
  return {
    reason: "OOMKilled",
    message: `The worker in pod ${pod.metadata.name} keeps running out of memory and is killed: raise worker.resources.limits.memory and restart`,
  };
}

function crashLoop(pod: PodSeen): Evidence | undefined {
  if (!isCrashLooping(pod)) return undefined;
  const { metadata, node, worker } = pod;
  const ended = worker?.ended;
  const reason = "CrashLoopBackOff";
  if (ended === undefined) {
    return { reason, message: `The worker in pod ${metadata.name} keeps ending. ${logsOf(metadata)}` };
  }
  const { kind, said } = endOf(ended);
  switch (kind) {
    case "NotStarted": {
      const image = isWrongFormat(said)
        ? `The image is made for another kind of processor than node ${node} has`
        : "The image holds no worker that can be run";
      const remedy = "correct worker.image and restart";
      const message = `The worker in pod ${metadata.name} cannot be started: ${said}. ${image}: ${remedy}`;
      return { reason: "StartError", message };
    }
    case "Killed":
      return { reason, message: `The worker in pod ${metadata.name} keeps being ${killed(ended, metadata)}` };
    default: {
      const unasked = ended.exitCode === 0 ? ", though nobody asked it to end" : "";
      const how = `keeps ending with exit code ${ended.exitCode}${unasked}`;
      const message = `The worker in pod ${metadata.name} ${how}, and ${saying(said)}. ${logsOf(metadata)}`;
      return { reason, message };
    }
  }
}

/** Between two tries of a container that keeps ending. */
function isCrashLooping({ worker }: PodSeen): boolean {
  return worker?.waiting?.reason === "CrashLoopBackOff";
}

function configurationFault({ metadata, worker }: PodSeen): Evidence | undefined {
  const reason = "CreateContainerConfigError";
  if (worker?.waiting?.reason !== reason) return undefined;
  const { name, namespace } = metadata;
  const said = quote(worker.waiting.message);
  return {
    reason,
    message: `Pod ${name} cannot start its worker: ${said}. Make that in namespace ${namespace}, or correct worker.template.env, which names it, and restart`,
  };
}

/** Quota, pod security, a missing service account. */
function cannotCreatePods({ replicaSets, run }: Health): Evidence | undefined {
  const failing = replicaSets.find((replicaSet) => replicaSet.run === run && replicaSet.createFailure !== undefined);
  if (failing === undefined) return undefined;
  const message = `No pod can be created: ${refusalInWords(failing.createFailure ?? "", failing.metadata.namespace)}`;
  return { reason: "PodNotCreated", message };
}

function unschedulable(pod: PodSeen, { claims }: Health): Evidence | undefined {
  if (pod.unschedulable === undefined) return undefined;
  const message = `No node takes pod ${pod.metadata.name}: ${whyUnplaced(pod, pod.unschedulable, claims)}`;
  return { reason: "Unschedulable", message };
}

function nothingStarted({ pods, claims }: Health): Evidence | undefined {
  if (pods.some(hasStarted)) return undefined;
  const [pod] = pods;
  const reason = "NotStarted";
  if (pod === undefined) {
    return { reason, message: "No pod was made for 5 minutes: see that kube-controller-manager runs" };
  }
  return { reason, message: `Nothing has started for 5 minutes. ${stepOf(pod, claims)}` };
}

/** A worker that lives, or did, never fails by time: an outage of Dataverse is not a failure. */
export function hasStarted({ worker }: PodSeen): boolean {
  return worker !== undefined && (worker.running || worker.ended !== undefined || worker.restarts > 0);
}

/** A worker is known to live in it. A pod that should have ended, or whose node is not heard of, may say so for ever. */
export function isAlive(pod: PodSeen, nowMs: number): boolean {
  const isKnown = pod.nodeSilentSinceMs === undefined && overduePod(nowMs, [pod])?.message === undefined;
  return pod.worker?.running === true && isKnown;
}

function firstOf(pods: readonly PodSeen[], rule: (pod: PodSeen) => Evidence | undefined): Evidence | undefined {
  for (const pod of pods) {
    const evidence = rule(pod);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}
