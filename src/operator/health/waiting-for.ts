import type { Look } from "../sight/look.ts";
import { isEnding } from "../sight/ownership.ts";
import { clip } from "./last-words.ts";

/** What a run without a ready worker waits for, for a person. */
export function waitingFor({ run, runPods, memory }: Look): string {
  const pod = runPods.find(({ metadata }) => !isEnding(metadata)) ?? runPods[0];
  if (pod === undefined) return `Run ${run?.run} has no pod yet`;
  const { name } = pod.metadata;
  if (pod.unschedulable !== undefined) return `Pod ${name} waits for a node: ${clip(pod.unschedulable, 512)}`;
  if (pod.worker === undefined) return `Pod ${name} waits to be started`;
  if (pod.worker.waiting !== undefined) return `Pod ${name} waits: ${pod.worker.waiting.reason}`;
  if (pod.readySinceMs !== undefined) return `Pod ${name} is ready, and must stay so for 60 s after its last restart`;
  const notReady = memory.poll?.run === run?.run ? memory.poll?.status.notReady : undefined;
  if (notReady !== undefined) return `The worker in pod ${name} is not ready: ${notReady.reason}: ${notReady.message}`;
  return `The worker in pod ${name} is up and not ready yet: Dynamics 365 and Campaign must both answer it`;
}
