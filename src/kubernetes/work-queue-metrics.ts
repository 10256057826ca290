import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { WorkQueue, WorkQueueObserver } from "./work-queue.ts";

/** From 100 µs to 1,000 s. */
const durationBuckets = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000];

/** The metrics of all work queues of a process, under the names that Kubernetes controllers use. */
export interface WorkQueueMetrics {
  /** The observer to give to the queue called `name`. */
  observer(name: string): WorkQueueObserver;
  /** Reads the queue's gauges from now on. */
  watch(name: string, queue: Pick<WorkQueue, "depth" | "workingMs">): void;
}

export function createWorkQueueMetrics(registry: Registry): WorkQueueMetrics {
  const queues = new Map<string, Pick<WorkQueue, "depth" | "workingMs">>();
  const common = { labelNames: ["name"] as const, registers: [registry] };
  const gauge = (name: string, help: string, read: (queue: Pick<WorkQueue, "depth" | "workingMs">) => number): void => {
    const metric: Gauge<"name"> = new Gauge({
      ...common,
      name,
      help,
      collect: () => {
        for (const [label, queue] of queues) metric.set({ name: label }, read(queue));
      },
    });
  };
  gauge("workqueue_depth", "Keys that wait to be worked on.", (queue) => queue.depth);
  gauge(
    "workqueue_unfinished_work_seconds",
    "Seconds of work in progress, summed; a steady rise means stuck work.",
    (queue) => queue.workingMs().reduce((sum, ms) => sum + ms / 1000, 0),
  );
  gauge(
    "workqueue_longest_running_processor_seconds",
    "How long the longest work in progress has run.",
    (queue) => Math.max(0, ...queue.workingMs()) / 1000,
  );
  const adds = new Counter({ ...common, name: "workqueue_adds_total", help: "Keys added." });
  const retries = new Counter({ ...common, name: "workqueue_retries_total", help: "Keys put back after an error." });
  const waited = new Histogram({
    ...common,
    name: "workqueue_queue_duration_seconds",
    help: "How long a key waited before it was worked on.",
    buckets: durationBuckets,
  });
  const worked = new Histogram({
    ...common,
    name: "workqueue_work_duration_seconds",
    help: "How long the work of a key took.",
    buckets: durationBuckets,
  });
  return {
    observer: (name) => ({
      added: () => adds.inc({ name }),
      retried: () => retries.inc({ name }),
      started: (seconds) => waited.observe({ name }, seconds),
      finished: (seconds) => worked.observe({ name }, seconds),
    }),
    watch: (name, queue) => void queues.set(name, queue),
  };
}
