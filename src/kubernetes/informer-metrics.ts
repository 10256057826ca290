import { Gauge, type Registry } from "prom-client";
import type { Cached } from "./cache.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Informer } from "./informer.ts";

type Watched = Pick<Informer<Cached, string>, "resource" | "lastContactAtMs"> & { cache: { size: number } };

/** Publishes how old each cache may be, and how much it holds. */
export function registerInformerMetrics(
  registry: Registry,
  informers: readonly Watched[],
  clock: Clock = systemClock,
): void {
  const gauge = (name: string, help: string, read: (informer: Watched) => number): void => {
    const metric: Gauge<"resource"> = new Gauge({
      name,
      help,
      labelNames: ["resource"],
      registers: [registry],
      collect: () => {
        for (const informer of informers) metric.set({ resource: informer.resource }, read(informer));
      },
    });
  };
  gauge(
    "kubernetes_cache_staleness_seconds",
    "Seconds since the API server was last heard; about two minutes are normal for a quiet resource.",
    (informer) => (clock.monotonicMs() - informer.lastContactAtMs()) / 1000,
  );
  gauge("kubernetes_cache_objects", "Objects in the cache.", (informer) => informer.cache.size);
}
