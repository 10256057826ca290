import { type Clock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Cached, type IndexFunction, ObjectCache } from "./cache.ts";
import type { Client } from "./client.ts";
import { type KubernetesObject, nameOfKind, type ResourceKind } from "./objects.ts";
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
  /** Managed fields are taken off before `project`, unless this is set. */
  keepManagedFields?: boolean;
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
  /** Resolves when every scope has been listed once; rejects with the signal's reason when stopped before. */
  readonly synced: Promise<void>;
  hasSynced(): boolean;
  /** Follows the server until the signal aborts; resolves when all is closed. Never rejects. Call it once. */
  run(signal: AbortSignal): Promise<void>;
  /** When the scope that has been silent longest was last heard, by the clock's `now`. A measure of staleness. */
  lastContactAtMs(): number;
  /** For liveness: false when some scope has been silent for longer than `limitMs`. */
  isHealthy(nowMs: number, limitMs: number): boolean;
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
  const unlisted = new Set(scopes);
  const synced = Promise.withResolvers<void>();
  // Whoever does not wait for it must not be ended by its rejection.
  synced.promise.catch(() => {});

  const project = (object: KubernetesObject): T => {
    if (options.keepManagedFields !== true) delete object.metadata.managedFields;
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
        project,
        cache,
        timings: options.timings ?? defaultReflectorTimings,
        clock,
        random: options.random ?? Math.random,
        logger,
        onContact: () => lastContact.set(scope, clock.now()),
        onListed: () => {
          unlisted.delete(scope);
          if (unlisted.size === 0) synced.resolve();
        },
      },
      signal,
    );

  const lastContactAtMs = (): number => Math.min(...lastContact.values());
  return {
    resource: nameOfKind(kind),
    cache,
    synced: synced.promise,
    hasSynced: () => unlisted.size === 0,
    async run(signal) {
      for (const scope of scopes) lastContact.set(scope, clock.now());
      await Promise.all(scopes.map((scope) => reflect(scope, signal)));
      synced.reject(signal.reason);
    },
    lastContactAtMs,
    isHealthy: (nowMs, limitMs) => nowMs - lastContactAtMs() <= limitMs,
  };
}
