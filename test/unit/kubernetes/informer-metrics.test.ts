import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { registerInformerMetrics } from "../../../src/kubernetes/informer-metrics.ts";
import { ManualClock } from "./manual-clock.ts";

test("the metrics say how old each cache may be and how much it holds", async () => {
  const registry = new Registry();
  const clock = new ManualClock();
  const informers = [
    { resource: "pods", lastContactAtMs: () => 1000, cache: { size: 3 } },
    { resource: "deployments.apps", lastContactAtMs: () => 4000, cache: { size: 0 } },
  ];
  registerInformerMetrics(registry, informers, clock);
  await clock.advance(5000);
  const text = await registry.metrics();
  for (const line of [
    'kubernetes_cache_staleness_seconds{resource="pods"} 4',
    'kubernetes_cache_staleness_seconds{resource="deployments.apps"} 1',
    'kubernetes_cache_objects{resource="pods"} 3',
    'kubernetes_cache_objects{resource="deployments.apps"} 0',
  ]) {
    expect(text).toContain(line);
  }
});
