import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { CacheIndex, type IndexFunction } from "./cache-index.ts";
import { keyOf, type ObjectMeta, type ObjectRef } from "./objects.ts";
import { hasSeen, type OwnWrite, opaquePatienceMs } from "./own-writes.ts";
import { reuse } from "./reuse.ts";

/** The least that a projection must keep. */
export interface Cached {
  metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion">;
}

/** A change of the cache. An object that was deleted and made again under its name is a delete and an add. */
export type CacheEvent<T> =
  | { type: "add"; key: string; object: T }
  | { type: "update"; key: string; object: T; previous: T }
  | { type: "delete"; key: string; object: T };

export type CacheHandler<T> = (event: CacheEvent<T>) => void;

export interface CacheOptions<T, Index extends string> {
  indexes: Readonly<Record<Index, IndexFunction<T>>>;
  clock: Clock;
  logger: Logger;
}

/** The namespace that one reflector covers; "" is all of them. */
export type Scope = string;

/**
 * A local copy of the objects of one kind, by key (`namespace/name`).
 *
 * Guarantees: objects are frozen, and replaced rather than changed; what did not change of one is in the next. Handlers are
 * called after the cache has changed, in the order of the changes of each object, and one that throws is logged and does not
 * keep the others from being called.
 * Caveat: the copy is behind the server. Before deciding on an object that you wrote yourself, ask `hasSeenWrites`.
 */
export class ObjectCache<T extends Cached, Index extends string = never> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<Index, CacheIndex<T>>;
  readonly #handlers = new Set<CacheHandler<T>>();
  readonly #progress = new Map<Scope, string>();
  readonly #writes = new Map<string, OwnWrite>();
  readonly #waiters = new Set<() => void>();
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: CacheOptions<T, Index>) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    // Object.entries forgets the type of the keys.
    const indexes = Object.entries(options.indexes) as [Index, IndexFunction<T>][];
    this.#indexes = new Map(indexes.map(([name, valuesOf]) => [name, new CacheIndex(valuesOf)]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** The objects that index `name` holds under `value`, in no promised order. */
  byIndex(name: Index, value: string): T[] {
    return this.#indexes.get(name)?.get(value) ?? [];
  }

  /** Adds a handler, which first gets an add for every object that is already here. The result removes it. */
  subscribe(handler: CacheHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const [key, object] of this.#objects) this.#call(handler, { type: "add", key, object });
    return () => this.#handlers.delete(handler);
  }

  /** Notes what a create, update, patch or apply was answered with. The latest note of a key counts. */
  noteWrite(answer: Cached): void {
    const { uid, resourceVersion } = answer.metadata;
    this.#note(keyOf(answer.metadata), { uid, resourceVersion, notedAtMs: this.#clock.now() });
  }

  /** Notes that the server said: this object is gone. */
  noteDeletion(ref: ObjectRef, uid: string): void {
    this.#note(keyOf(ref), { uid, resourceVersion: undefined, notedAtMs: this.#clock.now() });
  }

  /** Whether the cache shows the last noted write of this key, or something newer. See `own-writes.ts`. */
  hasSeenWrites(key: string): boolean {
    const write = this.#writes.get(key);
    if (write === undefined) return true;
    const object = this.#objects.get(key)?.metadata;
    const view = { uid: object?.uid, resourceVersion: object?.resourceVersion, progress: this.#progressOf(key) };
    if (!hasSeen(write, view, this.#clock.now())) return false;
    this.#writes.delete(key);
    return true;
  }

  /** Resolves when `hasSeenWrites(key)`, or when the signal aborts: ask again then. */
  async waitForWrites(key: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.hasSeenWrites(key)) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          cancel();
          this.#waiters.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const cancel = this.#clock.schedule(opaquePatienceMs, wake);
        this.#waiters.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  /** For the reflector: what the server listed, whole. What is here and not there was deleted meanwhile. */
  replace(scope: Scope, listed: ReadonlyMap<string, T>, resourceVersion: string): void {
    for (const [key, object] of this.#objects) {
      if (inScope(scope, object) && !listed.has(key)) this.#remove(key, object);
    }
    for (const [key, object] of listed) this.#put(key, object);
    this.advance(scope, resourceVersion);
  }

  /** For the reflector: an object was added or changed. */
  put(scope: Scope, object: T): void {
    this.#put(keyOf(object.metadata), object);
    this.advance(scope, object.metadata.resourceVersion);
  }

  /** For the reflector: an object was deleted, or left the selection. */
  remove(scope: Scope, metadata: Cached["metadata"]): void {
    const key = keyOf(metadata);
    const object = this.#objects.get(key);
    if (this.#writes.get(key)?.uid === metadata.uid) this.#writes.delete(key);
    if (object !== undefined) this.#remove(key, object);
    this.advance(scope, metadata.resourceVersion);
  }

  /** For the reflector: everything up to this version has arrived. */
  advance(scope: Scope, resourceVersion: string): void {
    this.#progress.set(scope, resourceVersion);
    for (const wake of [...this.#waiters]) wake();
  }

  #put(key: string, arrived: T): void {
    const previous = this.#objects.get(key);
    if (previous?.metadata.uid === arrived.metadata.uid) {
      if (previous.metadata.resourceVersion === arrived.metadata.resourceVersion) return;
      const object = reuse(previous, arrived);
      this.#unindex(previous);
      this.#store(key, object);
      this.#emit({ type: "update", key, object, previous });
      return;
    }
    if (previous !== undefined) this.#remove(key, previous);
    this.#store(key, arrived);
    this.#emit({ type: "add", key, object: arrived });
  }

  #store(key: string, object: T): void {
    this.#objects.set(key, deepFreeze(object));
    for (const index of this.#indexes.values()) index.add(object);
  }

  #remove(key: string, object: T): void {
    this.#objects.delete(key);
    this.#unindex(object);
    this.#emit({ type: "delete", key, object });
  }

  #unindex(object: T): void {
    for (const index of this.#indexes.values()) index.remove(object);
  }

  #note(key: string, write: OwnWrite): void {
    this.#writes.set(key, write);
    this.hasSeenWrites(key);
  }

  #progressOf(key: string): string | undefined {
    const slash = key.indexOf("/");
    return this.#progress.get(slash < 0 ? "" : key.slice(0, slash)) ?? this.#progress.get("");
  }

  #emit(event: CacheEvent<T>): void {
    for (const handler of this.#handlers) this.#call(handler, event);
  }

  #call(handler: CacheHandler<T>, event: CacheEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      this.#logger.error("cache handler failed", { change: event.type, key: event.key, error });
    }
  }
}

function inScope(scope: Scope, object: Cached): boolean {
  return scope === "" || object.metadata.namespace === scope;
}

function deepFreeze<V>(value: V): V {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
