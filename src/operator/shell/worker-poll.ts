import { type Dispatcher, request } from "undici";
import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import { type WorkerStatus, workerPort } from "../../api/worker-contract.ts";
import type { Client } from "../../kubernetes/client.ts";
import type { WorkQueue } from "../../kubernetes/work-queue.ts";
import { type DatedClock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { parseWorkerStatus } from "../health/last-words.ts";
import { isReady } from "../health/state-of.ts";
import { isEnding, isOfEarlier } from "../sight/ownership.ts";
import type { PodSeen, WorkerPoll } from "../sight/snapshot.ts";
import { statusChange } from "../status/status-change.ts";
import type { CounterBudget } from "./counter-budget.ts";
import type { Memories } from "./memory.ts";
import type { Shard } from "./shard.ts";
import { type Watched, workflowKeys } from "./watched.ts";

export const pollModes = ["direct", "proxy", "off"] as const;
export type PollMode = (typeof pollModes)[number];

export interface WorkerPollOptions {
  readonly mode: Exclude<PollMode, "off">;
  readonly client: Client;
  /** Connections to workers, for mode direct. */
  readonly dispatcher: Dispatcher;
  readonly watched: Watched;
  readonly shard: Shard;
  readonly memories: Memories;
  readonly budget: CounterBudget;
  readonly queue: WorkQueue;
  readonly clock: DatedClock;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly logger: Logger;
}

/** A round begins so long after the last one did, or when that is over; later when there are many to ask. */
const roundMs = 4000;
/** Within its place in the round; so that no two operators, and no two workers, keep in step. */
const mostJitterMs = 250;
/** Far above what may go into status (see `CounterBudget`): a thousand workers that were asked every 4 s would cost more. */
const asksPerSecond = 50;
/** How many workers are asked at the same time: many workflows make the rounds longer, not heavier. */
const concurrency = 32;
const timeoutMs = 2000;
/** Of an answer; 128 mappings are far below. */
const maxBytes = 256 * 1024;

/**
 * Asks one worker of each running workflow for its figures, round by round, until the signal aborts. Asks are spread over the
 * round, each worker's at its place in it. A worker that does not answer is asked again in the next round: what it last said
 * stays.
 */
export async function pollWorkers(options: WorkerPollOptions, signal: AbortSignal): Promise<void> {
  const { clock, random = Math.random } = options;
  while (!signal.aborted) {
    const startedAtMs = clock.now();
    const pods = podsToAsk(options);
    const lengthMs = Math.max(roundMs, (pods.size / asksPerSecond) * 1000);
    const everyMs = lengthMs / pods.size;
    const asked = [...pods].entries();
    const ask = async (): Promise<void> => {
      for (const [place, [key, asking]] of asked) {
        const dueAtMs = startedAtMs + place * everyMs + random() * Math.min(everyMs, mostJitterMs);
        await sleep(clock, dueAtMs - clock.now(), signal);
        if (signal.aborted) return;
        await pollOne(options, key, asking, signal);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, ask));
    await sleep(clock, Math.max(0, startedAtMs + lengthMs - clock.now()), signal);
  }
}

interface Asking {
  /** Of the workflow, as it was when the round began. */
  readonly uid: string;
  readonly pod: PodSeen;
}

/** Each replica reports the whole queue: one of them is asked, a ready one if there is any. */
function podsToAsk({ watched, shard }: Pick<WorkerPollOptions, "watched" | "shard">): Map<string, Asking> {
  const chosen = new Map<string, Asking>();
  for (const pod of watched.pods.cache.values()) {
    if (pod.worker?.running !== true || pod.address === undefined || pod.run === undefined) continue;
    for (const key of workflowKeys(pod.metadata)) {
      const workflow = watched.workflows.cache.get(key);
      if (workflow === undefined || !shard.has(workflow) || isOfEarlier(pod.metadata, workflow)) continue;
      const present = chosen.get(key)?.pod;
      if (present === undefined || rank(pod) < rank(present)) chosen.set(key, { uid: workflow.metadata.uid, pod });
    }
  }
  return chosen;
}

function rank(pod: PodSeen): number {
  if (isReady(pod)) return 0;
  return isEnding(pod.metadata) ? 2 : 1;
}

async function pollOne(
  options: WorkerPollOptions,
  key: string,
  { uid, pod }: Asking,
  signal: AbortSignal,
): Promise<void> {
  const { watched, memories, logger } = options;
  // The resource may have been made anew under its name since the round began: this pod is none of that one's.
  const isOver = (): boolean => watched.workflows.cache.get(key)?.metadata.uid !== uid;
  try {
    if (isOver()) return;
    const body = await (options.mode === "direct"
      ? askDirectly(options, pod, signal)
      : askByProxy(options, pod, signal));
    if (isOver()) return;
    const status = parseWorkerStatus(body);
    if (status === undefined) {
      logger.debug("worker status not understood", { workflow: key, pod: pod.metadata.name });
      return;
    }
    memories.meet(key, uid);
    const before = memories.of(key).memory.poll;
    const poll: WorkerPoll = { run: pod.run ?? 0, atMs: options.clock.date().getTime(), status };
    memories.notePoll(key, poll);
    tell(options, key, before, poll);
  } catch (error) {
    // A worker that is starting, ending or cut off; its pod's health says which.
    if (!signal.aborted) logger.debug("worker did not answer", { workflow: key, pod: pod.metadata.name, error });
  }
}

/** Looks at the workflow at once when something happened, in its turn when only figures moved, and not at all otherwise. */
function tell(
  { queue, budget, clock }: WorkerPollOptions,
  key: string,
  before: WorkerPoll | undefined,
  now: WorkerPoll,
): void {
  if (before?.run !== now.run) {
    queue.add(key);
    return;
  }
  if (sameJson(before.status, now.status)) return;
  const { schemaDrift, uncompared, notReady, ...figures } = now.status;
  const {
    schemaDrift: driftBefore,
    uncompared: uncomparedBefore,
    notReady: notReadyBefore,
    ...figuresBefore
  } = before.status;
  const isCountersOnly =
    sameJson([schemaDrift, uncompared ?? [], notReady], [driftBefore, uncomparedBefore ?? [], notReadyBefore]) &&
    statusChange(asStatus(figuresBefore), asStatus(figures)) === "counters";
  if (isCountersOnly) queue.addAfter(key, budget.waitMs(key, clock.date().getTime()));
  else queue.add(key);
}

function asStatus({
  mappings,
  throttling = [],
  ...figures
}: Omit<WorkerStatus, "schemaDrift" | "uncompared" | "notReady">): WorkflowStatus {
  return { ...figures, mappings: [...mappings], throttling: [...throttling] };
}

async function askDirectly({ dispatcher }: WorkerPollOptions, pod: PodSeen, signal: AbortSignal): Promise<string> {
  const host = pod.address?.includes(":") ? `[${pod.address}]` : pod.address;
  const answer = await request(`http://${host}:${workerPort}/status`, {
    dispatcher,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop destroys the body, and so closes the connection.
    if (bytes > maxBytes) throw new RangeError(`the answer is longer than ${maxBytes} bytes`);
  }
  if (answer.statusCode !== 200) throw new Error(`the worker answered ${answer.statusCode}`);
  return Buffer.concat(chunks).toString("utf8");
}

async function askByProxy({ client }: WorkerPollOptions, pod: PodSeen, signal: AbortSignal): Promise<string> {
  const { namespace, name } = pod.metadata;
  const body = await client.getText(`/api/v1/namespaces/${namespace}/pods/${name}:${workerPort}/proxy/status`, {
    timeoutMs,
    signal,
  });
  if (body.length > maxBytes) throw new RangeError(`the answer is longer than ${maxBytes} characters`);
  return body;
}
