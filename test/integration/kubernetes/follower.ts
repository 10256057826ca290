/** Runs an informer and keeps what its handlers were told beside it. */
import type { Cached } from "../../../src/kubernetes/cache.ts";
import type { Informer } from "../../../src/kubernetes/informer.ts";
import type { KubernetesObject } from "../../../src/kubernetes/objects.ts";

export interface Follower<T extends Cached = KubernetesObject, Index extends string = never> {
  informer: Informer<T, Index>;
  /** What one knows who only listens to the events. */
  told: Map<string, T>;
  /** Events that make no sense: an add of what is there, a delete or update of what is not. */
  complaints: string[];
  stop(): Promise<void>;
}

export function follow<T extends Cached, Index extends string>(informer: Informer<T, Index>): Follower<T, Index> {
  const told = new Map<string, T>();
  const complaints: string[] = [];
  informer.cache.subscribe((event) => {
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
