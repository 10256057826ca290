import { type BackoffPolicy, backoffDelayMs } from "../../kubernetes/backoff.ts";
import type { Cached, CacheEvent } from "../../kubernetes/cache.ts";
import { WorkQueue, type WorkQueueObserver, type WorkResult } from "../../kubernetes/work-queue.ts";
import { decide } from "../decide/decide.ts";
import type { SeenMetadata } from "../sight/snapshot.ts";
import { type ActOptions, act } from "./act.ts";
import { type GatherOptions, gather, gatherAfresh, hasSeenOwnWrites } from "./gather.ts";
import { workflowKeys } from "./watched.ts";

export interface ControllerOptions extends GatherOptions, ActOptions {
  readonly concurrency: number;
  readonly observer?: WorkQueueObserver;
  readonly onReconcile?: (result: "success" | "requeue_after" | "error", seconds: number) => void;
}

/** The caches tell when they have caught up; this is for a watch that is silent. */
const catchUpMs = 1000;
/** After a write that came too late: the caches need a moment to show why, and longer when they do not. */
const againMs: BackoffPolicy = { initialMs: 50, factor: 2, maxMs: 10_000, jitter: 0.5 };

/** Looks at every workflow when anything of it changes, and carries out what is decided. One for each leadership. */
export class Controller {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new WorkQueue({
      process: (key, signal) => this.#reconcile(key, signal),
      concurrency: options.concurrency,
      logger: options.logger,
      ...(options.observer === undefined ? {} : { observer: options.observer }),
    });
  }

  /** Works until the signal aborts, and resolves when what was in work has ended. The caches must have synced. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, memories } = this.#options;
    const unsubscribe = [
      // Before the workflows are looked at, so that no last words are missed.
      watched.pods.cache.subscribe((event) => {
        for (const key of workflowKeys(event.object.metadata)) memories.hear(key, event.object);
        this.#addOwners(event);
      }),
      watched.workflows.cache.subscribe(({ key }) => this.queue.add(key)),
      ...[watched.deployments, watched.replicaSets, watched.pins, watched.claims, watched.networkPolicies].map(
        ({ cache }) =>
          cache.subscribe((event: CacheEvent<Cached & { metadata: SeenMetadata }>) => this.#addOwners(event)),
      ),
    ];
    try {
      await this.queue.run(signal);
    } finally {
      for (const end of unsubscribe) end();
    }
  }

  #addOwners(event: CacheEvent<Cached & { metadata: SeenMetadata }>): void {
    const previous = event.type === "update" ? workflowKeys(event.previous.metadata) : [];
    for (const key of new Set([...workflowKeys(event.object.metadata), ...previous])) this.queue.add(key);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<WorkResult | undefined> {
    const startedAtMs = performance.now();
    const report = (result: "success" | "requeue_after" | "error"): void =>
      this.#options.onReconcile?.(result, (performance.now() - startedAtMs) / 1000);
    try {
      const result = await this.#look(key, signal);
      report(result === undefined ? "success" : "requeue_after");
      return result;
    } catch (error) {
      report("error");
      throw error;
    }
  }

  async #look(key: string, signal: AbortSignal): Promise<WorkResult | undefined> {
    const { watched, memories, budget } = this.#options;
    const workflow = watched.workflows.cache.get(key);
    if (workflow === undefined) {
      memories.forget(key);
      budget.forget(key);
      return undefined;
    }
    if (!hasSeenOwnWrites(this.#options, key)) return { requeueAfterMs: catchUpMs };
    let snapshot = await gather(this.#options, workflow, signal);
    let plan = decide(snapshot);
    memories.note(key, plan.remember);
    if (plan.lookAfresh) {
      snapshot = await gatherAfresh(this.#options, { ...snapshot, memory: memories.of(key).memory }, signal);
      plan = decide(snapshot);
      memories.note(key, plan.remember);
    }
    const outcome = await act(this.#options, key, snapshot, plan);
    const failures = memories.noteOutcome(key, outcome.type);
    if (failures > 0) return { requeueAfterMs: backoffDelayMs(againMs, failures, Math.random()) };
    const waitMs = outcome.type === "done" ? outcome.waitMs : undefined;
    const waits = [plan.lookAgainMs, waitMs].filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.max(1, Math.ceil(Math.min(...waits))) };
  }
}
