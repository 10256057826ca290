import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import manifest from "../../package.json" with { type: "json" };

/** Gauges by names that end as counters' do, which Prometheus' linter refuses; the same is there by type, without the ending. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/** A registry with what every process tells of itself: its version, and what Node knows of it. */
export function processRegistry(role: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  new Gauge({
    name: "integration_workflow_build_info",
    help: "Always 1; the labels say what runs.",
    labelNames: ["role", "version", "node"],
    registers: [registry],
  }).set({ role, version: manifest.version, node: process.versions.node }, 1);
  return registry;
}
