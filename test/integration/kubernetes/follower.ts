/** Runs an informer and keeps what its handlers were told beside it. */
import type { Cached } from "../../../src/kubernetes/cache.ts";
import type { Informer } from "../../../src/kubernetes/informer.ts";
import type { KubernetesObject } from "../../../src/kubernetes/objects.ts";
import { isAtLeast } from "../../../src/kubernetes/own-writes.ts";

export interface Follower<T extends Cached = KubernetesObject, Index extends string = never> {
  informer: Informer<T, Index>;
  /** What one knows who only listens to the events. */
  told: Map<string, T>;
  /** Events that make no sense: an add of what is there, a delete or update of what is not, a step back in time. */
  complaints: string[];
  stop(): Promise<void>;
}

export function follow<T extends Cached, Index extends string>(informer: Informer<T, Index>): Follower<T, Index> {
  const told = new Map<string, T>();
  const complaints: string[] = [];
  const latest = new Map<string, string>();
  informer.cache.subscribe((event) => {
    const { resourceVersion } = event.object.metadata;
    if (isAtLeast(resourceVersion, latest.get(event.key) ?? "1") !== true)
      complaints.push(`back in time: ${event.key}`);
    latest.set(event.key, resourceVersion);
    const known = told.get(event.key);
    if ((event.type === "add") !== (known === undefined)) complaints.push(`${event.type} ${event.key}`);
    if (event.type === "update" && event.previous !== known) complaints.push(`update of another ${event.key}`);
    if (event.type === "delete") told.delete(event.key);
    else told.set(event.key, event.object);
  });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  return {
    informer,
    told,
    complaints,
    stop: async () => {
      stop.abort(new Error("the test is over"));
      await running;
    },
  };
}

/** Objects without their managed fields, in the order of their names. */
export function contentOf(objects: Iterable<KubernetesObject>): unknown[] {
  return [...objects]
    .map(({ metadata: { managedFields: _, ...metadata }, ...rest }) => ({ ...rest, metadata }))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}
