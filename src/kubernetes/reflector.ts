import { type Clock, sleep } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { BackoffPolicy } from "./backoff.ts";
import type { Cached, ObjectCache, Scope } from "./cache.ts";
import type { Client } from "./client.ts";
import { ApiError, ConnectionError, isForbidden, isGone, statusError } from "./errors.ts";
import { type KubernetesObject, keyOf, nameOfKind, type ResourceKind } from "./objects.ts";
import type { ReadJson } from "./partial-read.ts";
import { firstState, nextState, type ReflectorOutcome, type ReflectorState } from "./reflector-state.ts";
import { type WatchEvent, watchEvents } from "./watch.ts";

/** What a reflector's patience depends on; tests make it short. */
export interface ReflectorTimings {
  /** The server ends a watch after this long, so that watches spread over servers. */
  watchTimeoutSeconds: number;
  /**
   * A watch on which nothing came for so long is closed and opened anew, which tells a dead connection from a quiet one.
   * Bookmarks come about once a minute, but none while the version has not moved (seen on 1.36), so silence is no failure.
   */
  idleTimeoutMs: number;
  /** Time for one page of a list. */
  listTimeoutMs: number;
  backoff: BackoffPolicy;
}

export const defaultReflectorTimings: ReflectorTimings = {
  watchTimeoutSeconds: 290,
  idleTimeoutMs: 120_000,
  listTimeoutMs: 60_000,
  backoff: { initialMs: 800, factor: 2, maxMs: 30_000, jitter: 0.5 },
};

export interface ReflectorOptions<T extends Cached> {
  client: Client;
  kind: ResourceKind;
  /** A namespace, or "" for all. */
  scope: Scope;
  labelSelector: string | undefined;
  fieldSelector: string | undefined;
  /** Parses one object, or one event. */
  read: ReadJson;
  /** Called once for each object that comes in; what it returns is cached. */
  project: (object: KubernetesObject) => T;
  cache: Pick<ObjectCache<T, string>, "replace" | "put" | "remove" | "advance">;
  timings: ReflectorTimings;
  clock: Clock;
  /** From 0 to 1. */
  random: () => number;
  logger: Logger;
  /** Called whenever the server was heard. */
  onContact: () => void;
  onListed: () => void;
  /** The server answers, and lets nothing of this scope be listed or watched. */
  onRefused: (during: "list" | "watch") => void;
  /** Told, for each watch, what closes it so that it is opened anew. */
  onWatch: (reopen: () => void) => void;
}

const pageSize = 100;

/**
 * Keeps a cache equal to what the server holds, until the signal aborts. Never rejects: every failure is logged, waited
 * out and tried again, because a reflector that gives up leaves an operator deciding on the past.
 */
export async function runReflector<T extends Cached>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  let state: ReflectorState = firstState;
  while (!signal.aborted) {
    const outcome = await step(options, state, signal);
    state = nextState(state, outcome, options.timings.backoff, options.random());
  }
}

async function step<T extends Cached>(
  options: ReflectorOptions<T>,
  state: ReflectorState,
  signal: AbortSignal,
): Promise<ReflectorOutcome> {
  switch (state.name) {
    case "listing":
      return list(options, state.paged, signal);
    case "watching":
      return watch(options, state.resourceVersion, signal);
    case "waiting":
      await sleep(options.clock, state.delayMs, signal);
      return { type: "waited" };
  }
}

async function list<T extends Cached>(
  options: ReflectorOptions<T>,
  paged: boolean,
  signal: AbortSignal,
): Promise<ReflectorOutcome> {
  const { client, kind, read, project, timings } = options;
  const listed = new Map<string, T>();
  try {
    let continueToken: string | undefined;
    for (;;) {
      const query = { ...selection(options), limit: paged ? pageSize : 0, continueToken };
      const visit = (object: KubernetesObject): unknown => listed.set(keyOf(object.metadata), project(object));
      const page = await client.visitPage(kind, query, visit, { timeoutMs: timings.listTimeoutMs, signal, read });
      options.onContact();
      continueToken = page.continueToken;
      if (continueToken === undefined) {
        options.cache.replace(options.scope, listed, page.resourceVersion);
        options.onListed();
        return { type: "listed", resourceVersion: page.resourceVersion };
      }
    }
  } catch (error) {
    return outcomeOf(error, { options, during: "list", resourceVersion: undefined, progressed: false, signal });
  }
}

async function watch<T extends Cached>(
  options: ReflectorOptions<T>,
  from: string,
  signal: AbortSignal,
): Promise<ReflectorOutcome> {
  const { clock, timings } = options;
  const startedAtMs = clock.now();
  const idle = idleTimer(clock, timings.idleTimeoutMs);
  let resourceVersion = from;
  let opened = false;
  let delivered = false;
  const progressed = (): boolean => delivered || clock.now() - startedAtMs > timings.backoff.maxMs;
  try {
    const query = { ...selection(options), resourceVersion, timeoutSeconds: timings.watchTimeoutSeconds };
    const stream = await options.client.watch(options.kind, query, AbortSignal.any([signal, idle.signal]));
    opened = true;
    options.onContact();
    options.onWatch(idle.expire);
    for await (const event of watchEvents(stream, options.read)) {
      idle.heard();
      options.onContact();
      resourceVersion = take(options, event);
      delivered = true;
    }
    return { type: "ended", resourceVersion, progressed: progressed() };
  } catch (error) {
    if (opened && error === idle.signal.reason) return { type: "ended", resourceVersion, progressed: true };
    return outcomeOf(error, { options, during: "watch", resourceVersion, progressed: progressed(), signal });
  } finally {
    idle.stop();
  }
}

/** Takes one event into the cache. @returns the version that the watch has reached @throws ApiError for an ERROR event */
function take<T extends Cached>(options: ReflectorOptions<T>, event: WatchEvent): string {
  const { cache, scope, project } = options;
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
      cache.put(scope, project(event.object));
      break;
    case "DELETED":
      cache.remove(scope, event.object.metadata);
      break;
    case "BOOKMARK":
      cache.advance(scope, event.object.metadata.resourceVersion);
      break;
    case "ERROR":
      throw statusError(`WATCH ${nameOfKind(options.kind)}`, event.object);
  }
  return event.object.metadata.resourceVersion;
}

interface FailureContext {
  options: Pick<ReflectorOptions<Cached>, "kind" | "scope" | "logger" | "onRefused">;
  during: "list" | "watch";
  resourceVersion: string | undefined;
  progressed: boolean;
  signal: AbortSignal;
}

function outcomeOf(error: unknown, context: FailureContext): ReflectorOutcome {
  const { options, during, resourceVersion, progressed, signal } = context;
  const fields = { resource: nameOfKind(options.kind), namespace: options.scope, during };
  if (isGone(error)) {
    options.logger.info("reflector lists anew", fields);
    return { type: "expired", progressed };
  }
  if (isForbidden(error)) options.onRefused(during);
  // Ending is not failing: the loop looks at the signal next.
  if (!signal.aborted) options.logger.warn("reflector tries again", { ...fields, error });
  const retryAfterMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  return { type: "failed", ...(resourceVersion === undefined ? {} : { resourceVersion }), progressed, retryAfterMs };
}

function selection(options: Pick<ReflectorOptions<Cached>, "scope" | "labelSelector" | "fieldSelector">) {
  const { scope, labelSelector, fieldSelector } = options;
  return { namespace: scope === "" ? undefined : scope, labelSelector, fieldSelector };
}

/** Aborts its signal when nothing was heard for `timeoutMs`. One timer for many events: it is set anew only when it fires. */
function idleTimer(clock: Clock, timeoutMs: number) {
  const controller = new AbortController();
  let heardAtMs = clock.now();
  const arm = (delayMs: number): (() => void) =>
    clock.schedule(delayMs, () => {
      const leftMs = heardAtMs + timeoutMs - clock.now();
      if (leftMs > 0) cancel = arm(leftMs);
      else controller.abort(new ConnectionError(`nothing came on the watch for ${timeoutMs} ms`));
    });
  let cancel = arm(timeoutMs);
  return {
    signal: controller.signal,
    expire: () => controller.abort(new ConnectionError("the watch is to be opened anew")),
    heard: () => {
      heardAtMs = clock.now();
    },
    stop: () => cancel(),
  };
}
