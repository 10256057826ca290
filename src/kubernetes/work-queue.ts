import { type Clock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type BackoffPolicy, backoffDelayMs } from "./backoff.ts";

/** An error that trying again cannot mend. The key rests until something adds it again. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  readonly code = "TerminalError";
}

/** When to look at a key again though nothing asks for it; absent: not before something adds it. */
export interface WorkResult {
  requeueAfterMs?: number;
}

/** What the queue tells its metrics; see `work-queue-metrics.ts`. Times in seconds. */
export interface WorkQueueObserver {
  added(): void;
  retried(): void;
  started(queuedSeconds: number): void;
  finished(workSeconds: number): void;
}

export interface WorkQueueOptions {
  /** Does the work of one key. The signal aborts when the queue stops: finish, or give up safely. */
  process: (key: string, signal: AbortSignal) => Promise<WorkResult | undefined>;
  /** How many keys are worked on at the same time. */
  concurrency: number;
  backoff?: BackoffPolicy;
  clock?: Clock;
  /** From 0 to 1. */
  random?: () => number;
  observer?: WorkQueueObserver;
  logger: Logger;
}

/** From 5 ms, doubled up to 5 minutes: a quick second try for a conflict, no storm for what stays broken. */
const defaultBackoff: BackoffPolicy = { initialMs: 5, factor: 2, maxMs: 300_000, jitter: 0.5 };

/**
 * One entry per key.
 *
 * Invariants: a key is waiting at most once; it is never worked on twice at the same time; added while it is worked on, it
 * is worked on once more after; after an error it comes back by itself, later each time, until it succeeds or the error is
 * a TerminalError. A key that is added is worked on at once even while it waits out a backoff: something has changed.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  /** Keys to work on, oldest first, with the time at which they were added. */
  readonly #ready = new Map<string, number>();
  /** Keys that are worked on, with the time at which that began. */
  readonly #working = new Map<string, number>();
  /** Keys that were added while they were worked on, with the time at which they were. */
  readonly #again = new Map<string, number>();
  readonly #later = new Map<string, { atMs: number; cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #run: { signal: AbortSignal; onIdle: () => void } | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Keys that are ready and not yet worked on. */
  get depth(): number {
    return this.#ready.size;
  }

  /** For how long each key in work has been, in milliseconds. */
  workingMs(): number[] {
    const nowMs = this.#clock.now();
    return [...this.#working.values()].map((startedAtMs) => nowMs - startedAtMs);
  }

  add(key: string): void {
    if (this.#run?.signal.aborted === true) return;
    this.#cancelLater(key);
    const waiting = this.#working.has(key) ? this.#again : this.#ready;
    if (waiting.has(key)) return;
    waiting.set(key, this.#clock.now());
    this.#options.observer?.added();
    this.#startWork();
  }

  /** Adds the key after a delay. Of several delays of one key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#run?.signal.aborted === true) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const atMs = this.#clock.now() + delayMs;
    const planned = this.#later.get(key);
    if (planned !== undefined && planned.atMs <= atMs) return;
    planned?.cancel();
    this.#later.set(key, { atMs, cancel: this.#clock.schedule(delayMs, () => this.add(key)) });
  }

  /**
   * Works until the signal aborts; then starts nothing more, and resolves when what is in work has ended. What still waits
   * is dropped: whoever leads next lists everything anew. Never rejects. Keys may be added before.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#run !== undefined) throw new TypeError("this queue runs already");
    const idle = Promise.withResolvers<void>();
    this.#run = { signal, onIdle: idle.resolve };
    const stop = (): void => {
      for (const { cancel } of this.#later.values()) cancel();
      this.#later.clear();
      this.#ready.clear();
      this.#again.clear();
      if (this.#working.size === 0) idle.resolve();
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    this.#startWork();
    await idle.promise;
  }

  #startWork(): void {
    const run = this.#run;
    if (run === undefined || run.signal.aborted) return;
    for (const [key, addedAtMs] of this.#ready) {
      if (this.#working.size >= this.#options.concurrency) return;
      this.#ready.delete(key);
      const startedAtMs = this.#clock.now();
      this.#working.set(key, startedAtMs);
      this.#options.observer?.started((startedAtMs - addedAtMs) / 1000);
      void this.#work(key, run.signal);
    }
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const startedAtMs = this.#clock.now();
    try {
      const result = await this.#options.process(key, signal);
      this.#failures.delete(key);
      if (result?.requeueAfterMs !== undefined) this.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      this.#failed(key, error, signal);
    }
    this.#options.observer?.finished((this.#clock.now() - startedAtMs) / 1000);
    this.#done(key);
  }

  #failed(key: string, error: unknown, signal: AbortSignal): void {
    const { logger, observer, backoff = defaultBackoff, random = Math.random } = this.#options;
    if (signal.aborted) {
      logger.info("work given up on stop", { key, error });
      return;
    }
    if (error instanceof TerminalError) {
      this.#failures.delete(key);
      logger.error("work cannot succeed", { key, error });
      return;
    }
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = backoffDelayMs(backoff, failures, random());
    logger.warn("work failed, trying again", { key, failures, delayMs: Math.round(delayMs), error });
    observer?.retried();
    this.addAfter(key, delayMs);
  }

  #done(key: string): void {
    this.#working.delete(key);
    const addedAtMs = this.#again.get(key);
    if (addedAtMs !== undefined) {
      this.#again.delete(key);
      // The next turn says for itself when to look again.
      this.#cancelLater(key);
      this.#ready.set(key, addedAtMs);
    }
    if (this.#run?.signal.aborted === true && this.#working.size === 0) this.#run.onIdle();
    this.#startWork();
  }

  #cancelLater(key: string): void {
    this.#later.get(key)?.cancel();
    this.#later.delete(key);
  }
}
