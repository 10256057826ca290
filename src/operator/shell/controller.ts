import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import { type BackoffPolicy, backoffDelayMs } from "../../kubernetes/backoff.ts";
import type { Cached, CacheEvent } from "../../kubernetes/cache.ts";
import {
  type Priority,
  TerminalError,
  WorkQueue,
  type WorkQueueObserver,
  type WorkResult,
} from "../../kubernetes/work-queue.ts";
import { decide } from "../decide/decide.ts";
import { sameSystemsOf } from "../sight/opt-out-fields.ts";
import { isOfEarlier } from "../sight/ownership.ts";
import { limitsUseOf } from "../sight/shared-limits.ts";
import type { SeenMetadata } from "../sight/snapshot.ts";
import { type ActOptions, type ActOutcome, act } from "./act.ts";
import { type GatherOptions, gather, gatherAfresh, hasSeenOwnWrites } from "./gather.ts";
import type { ReconcileResult } from "./metrics.ts";
import type { Shard } from "./shard.ts";
import { Turns } from "./turns.ts";
import { isHidden, workflowKeys } from "./watched.ts";

export interface ControllerOptions extends GatherOptions, ActOptions {
  readonly shard: Shard;
  readonly concurrency: number;
  readonly observer?: WorkQueueObserver;
  readonly onReconcile?: (result: ReconcileResult, seconds: number) => void;
}

/** The caches tell when they have caught up; this is for a watch that is silent. */
const catchUpMs = 1000;
/** Until a namespace is looked at again of which something may not be listed: the reflectors try again, and say so. */
const unseenMs = 5000;
/** After a write that came too late: the caches need a moment to show why, and longer when they do not. */
const againMs: BackoffPolicy = { initialMs: 50, factor: 2, maxMs: 10_000, jitter: 0.5 };

/** Looks at every workflow when anything of it changes, and carries out what is decided. One for each leadership. */
export class Controller {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #turns = new Turns();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new WorkQueue({
      process: (key, signal) => this.#reconcile(key, signal),
      concurrency: options.concurrency,
      logger: options.logger,
      keyField: "workflow",
      ...(options.observer === undefined ? {} : { observer: options.observer }),
    });
  }

  /** Works until the signal aborts, and resolves when what was in work has ended. The caches must have synced. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, memories, logger } = this.#options;
    const unsubscribe = [
      // Before the workflows are looked at, so that no last words are missed.
      watched.pods.cache.subscribe((event) => {
        for (const key of workflowKeys(event.object.metadata)) {
          const workflow = watched.workflows.cache.get(key);
          // Of one that is gone, another may have the name by the next look.
          if (workflow !== undefined && !isOfEarlier(event.object.metadata, workflow)) memories.hear(key, event.object);
        }
        this.#addOwners(event);
      }),
      watched.workflows.cache.subscribe((event) => {
        // Another may have its name by the next look.
        if (event.type === "delete" && memories.forget(event.key))
          logger.info("workflow is gone", { workflow: event.key });
        if (changesNothing(event)) return;
        this.#countLimits(event.key);
        this.queue.add(event.key, { priority: isUnseen(event.object) ? 2 : this.#priorityOf(event.key) });
      }),
      watched.pins.cache.subscribe(({ object }) => {
        for (const key of workflowKeys(object.metadata)) this.#countLimits(key);
      }),
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

  /** Whoever shares its application user is looked at when that changes what they are told. */
  #countLimits(key: string): void {
    const { watched, limits } = this.#options;
    const workflow = watched.workflows.cache.get(key);
    const pinNamed = (name: string) => watched.pins.cache.get(`${workflow?.metadata.namespace}/${name}`);
    const use = workflow === undefined ? undefined : limitsUseOf(workflow, pinNamed);
    for (const other of limits.note(key, use)) this.queue.add(other);
  }

  #addOwners(event: CacheEvent<Cached & { metadata: SeenMetadata }>): void {
    if (changesNothing(event)) return;
    const previous = event.type === "update" ? workflowKeys(event.previous.metadata) : [];
    for (const key of new Set([...workflowKeys(event.object.metadata), ...previous])) {
      this.queue.add(key, { priority: this.#priorityOf(key) });
    }
  }

  /** Of what happens to it: whoever asked for a start or a stop waits until it is told. */
  #priorityOf(key: string): Priority {
    const workflow = this.#options.watched.workflows.cache.get(key);
    return workflow !== undefined && (isUnseen(workflow) || isMoving(workflow)) ? 1 : 0;
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<WorkResult | undefined> {
    const startedAtMs = performance.now();
    const report = (result: ReconcileResult): void =>
      this.#options.onReconcile?.(result, (performance.now() - startedAtMs) / 1000);
    try {
      const result = await this.#look(key, signal);
      report(result === undefined ? "success" : "requeue_after");
      return result;
    } catch (error) {
      report(error instanceof TerminalError ? "terminal_error" : "error");
      throw error;
    }
  }

  async #look(key: string, signal: AbortSignal): Promise<WorkResult | undefined> {
    const { watched, memories, budget, shard, logger } = this.#options;
    const workflow = watched.workflows.cache.get(key);
    if (workflow === undefined) {
      memories.forget(key); // What a look that was under way still noted.
      budget.forget(key);
      return undefined;
    }
    if (!shard.has(workflow)) {
      // What another operator does meanwhile is not known here: nothing of what is remembered may outlive that.
      if (memories.forget(key)) logger.info("workflow is of another shard", { workflow: key });
      budget.forget(key);
      return undefined;
    }
    if (isHidden(watched, workflow.metadata.namespace)) return { requeueAfterMs: unseenMs };
    memories.meet(key, workflow.metadata.uid);
    if (!hasSeenOwnWrites(this.#options, key)) return { requeueAfterMs: catchUpMs };
    let snapshot = await gather(this.#options, workflow, signal);
    let plan = decide(snapshot);
    memories.note(key, plan.remember);
    let outcome: ActOutcome;
    if (plan.lookAfresh) {
      // Of two that may not both start, the second must see the first one's Deployment.
      const systems = sameSystemsOf(workflow.metadata.namespace, workflow.spec);
      outcome = await this.#turns.take(systems, async () => {
        snapshot = await gatherAfresh(this.#options, { ...snapshot, memory: memories.of(key).memory }, signal);
        plan = decide(snapshot);
        memories.note(key, plan.remember);
        return act(this.#options, key, snapshot, plan);
      });
    } else outcome = await act(this.#options, key, snapshot, plan);
    const failures = memories.noteOutcome(key, outcome.type);
    if (failures > 0) return { requeueAfterMs: backoffDelayMs(againMs, failures, Math.random()) };
    const waitMs = outcome.type === "done" ? outcome.waitMs : undefined;
    const waits = [plan.lookAgainMs, waitMs].filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.max(1, Math.ceil(Math.min(...waits))) };
  }
}

/** Somebody edited it, or asked for a start or a stop, and status does not show that yet. */
function isUnseen({ metadata, status }: IntegrationWorkflow): boolean {
  return metadata.generation !== status?.observedGeneration;
}

/** It starts or stops; one that is to recover has nobody waiting before it. */
function isMoving({ status }: IntegrationWorkflow): boolean {
  const reconciling = status?.conditions?.find(({ type }) => type === "Reconciling");
  return reconciling?.status === "True" && reconciling.reason !== "Recovering";
}

/** Of what is kept of an object: controllers write much more into it. Our own writes always change something of it. */
function changesNothing(event: CacheEvent<Cached>): boolean {
  if (event.type !== "update") return false;
  const { object, previous } = event;
  const { resourceVersion } = object.metadata;
  return sameJson(object, { ...previous, metadata: { ...previous.metadata, resourceVersion } });
}
