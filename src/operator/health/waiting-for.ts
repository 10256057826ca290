import type { Look } from "../sight/look.ts";
import { isEnding } from "../sight/ownership.ts";
import { overduePod } from "../sight/remains.ts";
import type { PodSeen } from "../sight/snapshot.ts";
import { rfc3339 } from "../time.ts";
import { endedBefore } from "./container-ends.ts";
import { hasStarted, isAlive, startLimitMs } from "./evidence.ts";
import { quote } from "./quote.ts";
import { since, stepOf } from "./start-steps.ts";
import { isReady } from "./state-of.ts";

/** What a run waits for, and when time alone makes that more. */
export interface Waiting {
  readonly message: string;
  readonly saysMoreInMs?: number | undefined;
}

/**
 * What a run without a ready worker waits for, for a person: which step, since when, and when it is given up.
 * @param look its claims are those that the run's pods mount
 * @param goodUntilMs the run's start, or its last ready pod
 * @param aliveUntilMs the same, or when a worker was last seen to live
 */
export function waitingFor(look: Look, goodUntilMs: number, aliveUntilMs = goodUntilMs): Waiting {
  const { runPods, nowMs } = look;
  const pod = runPods.find(({ metadata }) => !isEnding(metadata)) ?? runPods[0];
  const overdue = overduePod(nowMs, runPods);
  // While another pod is ready, though not believed yet, nothing is given up.
  const limit = runPods.some(
    (one) => isReady(one) || (hasStarted(one) && !isEnding(one.metadata)) || isAlive(one, nowMs),
  )
    ? ""
    : `. If nothing starts, it is FAILED at ${rfc3339(aliveUntilMs + startLimitMs)}`;
  const sentences = [`${sentenceOf(look, pod, goodUntilMs)}${limit}`, overdue?.message, lostBefore(look, goodUntilMs)];
  return { message: sentences.filter((one) => one !== undefined).join(". "), saysMoreInMs: overdue?.saysMoreInMs };
}

function sentenceOf(look: Look, pod: PodSeen | undefined, goodUntilMs: number): string {
  const { run } = look;
  if (pod === undefined) {
    return `Run ${run?.run} has no pod yet, since ${rfc3339(goodUntilMs)}: the cluster's controllers make it`;
  }
  const { name } = pod.metadata;
  if (pod.nodeSilentSinceMs !== undefined) return silentNode(pod);
  if (pod.worker?.running !== true) return stepOf(pod, look.claims);
  if (pod.readySinceMs !== undefined) return `Pod ${name} is ready, and must stay so for 60 s after its last restart`;
  return notReady(look, pod);
}

/** Nobody knows what became of the pod, nor whether its worker goes on: nothing is said of that. */
function silentNode({ metadata, node, nodeSilentSinceMs }: PodSeen): string {
  return `Node ${node} of pod ${metadata.name} is not ready, or not heard of,${since(nodeSilentSinceMs)}: see whether it is up (kubectl get node ${node}). Kubernetes gives the pod up five minutes later. If the node is gone for good, delete its Node object: kubectl delete node ${node}`;
}

function notReady({ run, memory }: Look, pod: PodSeen): string {
  const { metadata, steps, worker } = pod;
  const up = `The worker in pod ${metadata.name} is up${since(steps?.workerAtMs)}`;
  const before = worker?.ended === undefined ? "" : `. The one before it ${endedBefore(worker.ended, metadata)}`;
  if (worker?.started === false) {
    return `${up} and has not answered on /livez yet, for which it has 5 minutes: kubectl logs -n ${metadata.namespace} ${metadata.name} shows what it does${before}`;
  }
  const own = memory.poll?.run === run?.run ? memory.poll?.status.notReady : undefined;
  const why = own === undefined ? "Dynamics 365 and Campaign must both answer it" : `${own.reason}: ${own.message}`;
  const isForSystems = own === undefined || own.reason === "NoAnswer" || own.reason === "Starting";
  return `${up} and not ready yet: ${why}. It tries for as long as it takes${isForSystems ? `. ${lookAtSystems}` : ""}${before}`;
}

const lookAtSystems =
  "If it stays so, look whether Dynamics 365 and Campaign are up (their status pages) and can be reached from the cluster";

/** The run's newest pod that its node has ended for good since all was well. Such pods stay, and count for nothing. */
function lostBefore({ pods, run }: Look, goodUntilMs: number): string | undefined {
  const [newest] = pods
    .filter((pod) => pod.run === run?.run && pod.failed !== undefined && (pod.failed.atMs ?? 0) >= goodUntilMs - newsMs)
    .sort((left, right) => (right.failed?.atMs ?? 0) - (left.failed?.atMs ?? 0));
  if (newest?.failed === undefined) return undefined;
  const { reason, message, atMs } = newest.failed;
  const why = message === "" ? "" : `: ${quote(message, 512)}`;
  return `Pod ${newest.metadata.name} before it failed on node ${newest.node} at ${rfc3339(atMs ?? goodUntilMs)}, ${reason}${why}. kubectl describe node ${newest.node} shows what it is short of; ask for more in worker.resources.requests and restart, or make room`;
}

/** News of a pod's end may be older than those of its last readiness. */
const newsMs = 60_000;
