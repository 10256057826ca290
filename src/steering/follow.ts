/** One workflow as it changes, and waiting until it is as somebody asked. */
import type { Client } from "../kubernetes/client.ts";
import { createInformer } from "../kubernetes/informer.ts";
import type { ObjectRef } from "../kubernetes/objects.ts";
import { type Clock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type LiveWorkflow, workflows } from "./workflow.ts";

/** How a wait went on: keep waiting, or its end. */
export type Look<End> = { readonly wait: true } | { readonly wait: false; readonly end: End };

export interface FollowOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of every fault of the watch, which goes on by itself. */
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** It did not come to it in time. */
export class WaitTimeoutError extends Error {
  override readonly name = "WaitTimeoutError";
  readonly code = "WaitTimeout";
}

/**
 * Looks at the workflow now and at each of its changes, until `look` says that the wait is over.
 *
 * @param look called with undefined when the workflow is not there, or not any more
 * @throws WaitTimeoutError, or the signal's reason
 */
export async function follow<End>(
  client: Client,
  { namespace = "", name }: ObjectRef,
  look: (workflow: LiveWorkflow | undefined) => Look<End>,
  { timeoutMs, signal, logger, clock = systemClock }: FollowOptions,
): Promise<End> {
  const over = new AbortController();
  const done = Promise.withResolvers<End>();
  const onAbort = (): void => done.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const informer = createInformer({
    client,
    kind: workflows,
    namespaces: [namespace],
    fieldSelector: `metadata.name=${name}`,
    project: (workflow: LiveWorkflow) => workflow,
    logger,
  });
  const lookNow = (): void => {
    const seen = look(informer.cache.get(`${namespace}/${name}`));
    if (!seen.wait) done.resolve(seen.end);
  };
  const unsubscribe = informer.cache.subscribe(() => {
    if (informer.hasSynced()) lookNow();
  });
  // A state may have to stand for a while, which no change of the object tells.
  const lookAgain = (): (() => void) =>
    clock.schedule(1000, () => {
      if (informer.hasSynced()) lookNow();
      cancel = lookAgain();
    });
  let cancel = lookAgain();
  const cancelTimeout = clock.schedule(timeoutMs, () =>
    done.reject(new WaitTimeoutError(`${namespace}/${name}: not so after ${Math.round(timeoutMs / 1000)} s`)),
  );
  const running = informer.run(over.signal);
  informer.synced.then(lookNow, () => {});
  try {
    if (signal.aborted) throw signal.reason;
    return await done.promise;
  } finally {
    cancel();
    cancelTimeout();
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
    over.abort();
    await running;
  }
}

/** What somebody asked for, at which generation. */
export interface Asked {
  readonly state: "Running" | "Stopped";
  readonly generation: number;
  readonly restart?: string | undefined;
}

export type Reached = { readonly outcome: "Reached" | "Failed" | "Gone"; readonly workflow: LiveWorkflow | undefined };

/** A start of a workflow that had FAILED keeps that word for a moment, so it counts only when it stands for a while. */
const failedForMs = 10_000;

/** A judge of one wait: whether what was asked is so, or cannot be. */
export function reaching(
  asked: Asked,
  clock: Clock = systemClock,
): (workflow: LiveWorkflow | undefined) => Look<Reached> {
  let failedSince: number | undefined;
  return (workflow) => {
    if (workflow === undefined) return { wait: false, end: { outcome: "Gone", workflow } };
    const { state, observedGeneration = -1, handledRestart, conditions = [] } = workflow.status ?? {};
    const isMoving = conditions.some(({ type, status }) => type === "Reconciling" && status === "True");
    const isSeen = observedGeneration >= asked.generation;
    const isSo = state === (asked.state === "Running" ? "RUNNING" : "STOPPED") && !isMoving;
    const isHandled = asked.restart === undefined || handledRestart === asked.restart;
    if (isSeen && isSo && isHandled) return { wait: false, end: { outcome: "Reached", workflow } };
    if (!isSeen || state !== "FAILED" || isMoving) failedSince = undefined;
    else {
      failedSince ??= clock.now();
      if (clock.now() - failedSince >= failedForMs) return { wait: false, end: { outcome: "Failed", workflow } };
    }
    return { wait: true };
  };
}
