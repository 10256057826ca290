import { type Clock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Cached, ObjectCache } from "./cache.ts";
import type { IndexFunction } from "./cache-index.ts";
import type { Client } from "./client.ts";
import { type KubernetesObject, nameOfKind, type ResourceKind } from "./objects.ts";
import { type ReadJson, readWithoutManagedFields } from "./partial-read.ts";
import { defaultReflectorTimings, type ReflectorTimings, runReflector } from "./reflector.ts";

export interface InformerOptions<Source extends KubernetesObject, T extends Cached, Index extends string> {
  client: Client;
  kind: ResourceKind<Source>;
  /** One reflector for each; absent or empty: one for the whole cluster. */
  namespaces?: readonly string[];
  labelSelector?: string;
  fieldSelector?: string;
  /** Keeps what is used; the less, the smaller the memory. Must be pure. Gets its own object, which it may return. */
  project: (object: Source) => T;
  /** Reads an object's text. Absent: all but the managed fields, which `project` does not get then. */
  read?: ReadJson;
  indexes?: Readonly<Record<Index, IndexFunction<T>>>;
  timings?: ReflectorTimings;
  clock?: Clock;
  random?: () => number;
  logger: Logger;
}

/** A cache of one kind and the reflectors that feed it. */
export interface Informer<T extends Cached, Index extends string = never> {
  /** `deployments.apps`: for metrics and logs. */
  readonly resource: string;
  readonly cache: ObjectCache<T, Index>;
  /**
   * Resolves when every scope has been listed once, or all but those that the server refuses to list: a namespace that is
   * gone takes the right to list it along, and holds up no other. Rejects with the signal's reason when stopped before.
   */
  readonly synced: Promise<void>;
  hasSynced(): boolean;
  /** Whether the server refused to list this namespace when it was last asked: what is cached of it may be the past, or nothing. */
  isRefused(namespace: string): boolean;
  /** Follows the server until the signal aborts; resolves when all is closed. Never rejects. Call it once. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Opens every watch anew from where it is: what a dead connection has kept back comes now, and not when its silence is
   * noticed. The same cheap request with which the server's own end of a watch is answered every few minutes.
   */
  reopen(): void;
  /** When the scope that has been silent longest was last heard, by the clock's `now`. A measure of staleness. */
  lastContactAtMs(): number;
  /** The same, with refusals for contact: whether a new connection could help. */
  lastAnswerAtMs(): number;
}

export function createInformer<Source extends KubernetesObject, T extends Cached, Index extends string = never>(
  options: InformerOptions<Source, T, Index>,
): Informer<T, Index> {
  const { client, kind, logger, clock = systemClock } = options;
  const scopes = options.namespaces?.length ? [...new Set(options.namespaces)] : [""];
  // Without indexes there is no Index, and the empty record has them all.
  const indexes = options.indexes ?? ({} as Record<Index, IndexFunction<T>>);
  const cache = new ObjectCache<T, Index>({ indexes, clock, logger });
  const lastContact = new Map(scopes.map((scope) => [scope, clock.now()]));
  const lastRefusal = new Map<string, number>();
  const unlisted = new Set(scopes);
  const refused = new Set<string>();
  const hasSynced = (): boolean => unlisted.size < scopes.length && [...unlisted].every((scope) => refused.has(scope));
  const reopeners = new Map<string, () => void>();
  const synced = Promise.withResolvers<void>();
  // Whoever does not wait for it must not be ended by its rejection.
  synced.promise.catch(() => {});

  const project = (object: KubernetesObject): T => {
    if (options.read === undefined && "managedFields" in object.metadata) delete object.metadata.managedFields;
    // The kind's type parameter says what the server holds under it.
    return options.project(object as Source);
  };

  const reflect = (scope: string, signal: AbortSignal): Promise<void> =>
    runReflector(
      {
        client,
        kind,
        scope,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        read: options.read ?? readWithoutManagedFields,
        project,
        cache,
        timings: options.timings ?? defaultReflectorTimings,
        clock,
        random: options.random ?? Math.random,
        logger,
        onContact: () => lastContact.set(scope, clock.now()),
        onWatch: (reopen) => reopeners.set(scope, reopen),
        onListed: () => {
          unlisted.delete(scope);
          refused.delete(scope);
          if (hasSynced()) synced.resolve();
        },
        onRefused: (during) => {
          lastRefusal.set(scope, clock.now());
          if (during === "watch") return;
          refused.add(scope);
          if (hasSynced()) synced.resolve();
        },
      },
      signal,
    );

  const lastContactAtMs = (): number => Math.min(...lastContact.values());
  return {
    resource: nameOfKind(kind),
    cache,
    synced: synced.promise,
    hasSynced,
    isRefused: (namespace) => refused.has(scopes.includes("") ? "" : namespace),
    async run(signal) {
      for (const scope of scopes) lastContact.set(scope, clock.now());
      await Promise.all(scopes.map((scope) => reflect(scope, signal)));
      synced.reject(signal.reason);
    },
    reopen: () => {
      for (const reopen of reopeners.values()) reopen();
    },
    lastContactAtMs,
    lastAnswerAtMs: () =>
      Math.min(...scopes.map((scope) => Math.max(lastContact.get(scope) ?? 0, lastRefusal.get(scope) ?? 0))),
  };
}
