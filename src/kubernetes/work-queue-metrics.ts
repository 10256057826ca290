import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { priorities, type WorkQueue, type WorkQueueObserver } from "./work-queue.ts";

type WatchedQueue = Pick<WorkQueue, "depthAt" | "workingMs">;

/** From 10 ns to 1,000 s, as controller-runtime has them. */
const durationBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000];

/** The metrics of all work queues of a process, under the names, labels and buckets of controller-runtime. */
export interface WorkQueueMetrics {
  /** The observer to give to the queue called `name`. */
  observer(name: string): WorkQueueObserver;
  /** Reads the queue's gauges from now on. */
  watch(name: string, queue: WatchedQueue): void;
}

export function createWorkQueueMetrics(registry: Registry): WorkQueueMetrics {
  const queues = new Map<string, WatchedQueue>();
  const common = { labelNames: ["name", "controller"] as const, registers: [registry] };
  const gauge = (name: string, help: string, read: (queue: WatchedQueue) => number): void => {
    const metric: Gauge<"name" | "controller"> = new Gauge({
      ...common,
      name,
      help,
      collect: () => {
        for (const [label, queue] of queues) metric.set(labelsOf(label), read(queue));
      },
    });
  };
  const depth: Gauge<"name" | "controller" | "priority"> = new Gauge({
    ...common,
    name: "workqueue_depth",
    help: "Keys that wait to be worked on, by priority: the higher, the sooner.",
    labelNames: [...common.labelNames, "priority"],
    collect: () => {
      for (const [name, queue] of queues)
        for (const priority of priorities) depth.set({ ...labelsOf(name), priority }, queue.depthAt(priority));
    },
  });
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
    observer: (name) => {
      const labels = labelsOf(name);
      adds.inc(labels, 0);
      retries.inc(labels, 0);
      return {
        added: () => adds.inc(labels),
        retried: () => retries.inc(labels),
        started: (seconds) => waited.observe(labels, seconds),
        finished: (seconds) => worked.observe(labels, seconds),
      };
    },
    watch: (name, queue) => void queues.set(name, queue),
  };
}

/** A controller's queue has its name. */
function labelsOf(name: string) {
  return { name, controller: name };
}
