import { type Clock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type BackoffPolicy, backoffDelayMs } from "./backoff.ts";
import { ApiError } from "./errors.ts";

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
  /** Calls back when whatever else the process does has had its turn. Default: setImmediate. */
  letOthers?: (resume: () => void) => void;
  logger: Logger;
  /** What a key is called in the log. Default: key. */
  keyField?: string;
}

/** 2 and 1: somebody waits for it, and most for what is 2. 0: it has time. */
export type Priority = 0 | 1 | 2;

export const priorities: readonly Priority[] = [0, 1, 2];
const mostPriority: Priority = 2;

/** So many turns in a row go by priority; the next one is the oldest key's. */
const turnsByPriority = 7;

/** For so long keys are worked on before whatever else the process does has its turn: answers to calls, events of watches. */
const turnMs = 5;

/** From 5 ms, doubled up to 5 minutes: a quick second try for a conflict, no storm for what stays broken. */
const defaultBackoff: BackoffPolicy = { initialMs: 5, factor: 2, maxMs: 300_000, jitter: 0.5 };

/**
 * One entry per key.
 *
 * Invariants: a key is waiting at most once; it is never worked on twice at the same time; added while it is worked on, it
 * is worked on once more after; after an error it comes back by itself, later each time, until it succeeds or the error is
 * a TerminalError. A key that is added is worked on at once even while it waits out a backoff: something has changed. Keys of
 * a higher priority go first, of the same one the oldest; but one turn of eight is the oldest key's of all, so that none
 * waits for ever.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  /** By priority, the highest first: keys to work on, oldest first, with the time at which they were added. Each is in one. */
  readonly #ready: readonly Map<string, number>[] = [new Map(), new Map(), new Map()];
  /** Keys that are worked on, with the time at which that began. */
  readonly #working = new Map<string, number>();
  /** Keys that were added while they were worked on. */
  readonly #again = new Map<string, { readonly addedAtMs: number; readonly priority: Priority }>();
  readonly #later = new Map<string, { atMs: number; cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  /** Turns in a row that went by priority while others waited. */
  #turns = 0;
  #run: { signal: AbortSignal; onIdle: () => void } | undefined;
  /** When the process last did something else. */
  #turnAtMs = 0;
  #isOthersTurn = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Keys that are ready and not yet worked on. */
  get depth(): number {
    return this.#ready.reduce((sum, { size }) => sum + size, 0);
  }

  /** Of these, those of a priority. */
  depthAt(priority: Priority): number {
    return this.#ready[mostPriority - priority]?.size ?? 0;
  }

  /** For how long each key in work has been, in milliseconds. */
  workingMs(): number[] {
    const nowMs = this.#clock.now();
    return [...this.#working.values()].map((startedAtMs) => nowMs - startedAtMs);
  }

  /** A key that waits already keeps its age, and takes the higher priority of the two. */
  add(key: string, { priority = 0 }: { priority?: Priority } = {}): void {
    if (this.#run?.signal.aborted === true) return;
    this.#cancelLater(key);
    const isNew = this.#working.has(key) ? this.#addAgain(key, priority) : this.#addReady(key, priority);
    if (!isNew) return;
    this.#options.observer?.added();
    this.#startWork();
  }

  #addAgain(key: string, priority: Priority): boolean {
    const present = this.#again.get(key);
    if (present !== undefined && present.priority >= priority) return false;
    this.#again.set(key, { addedAtMs: present?.addedAtMs ?? this.#clock.now(), priority });
    return present === undefined;
  }

  #addReady(key: string, priority: Priority): boolean {
    const to = mostPriority - priority;
    const present = this.#ready.findIndex((keys) => keys.has(key));
    if (present >= 0 && present <= to) return false;
    const addedAtMs = this.#ready[present]?.get(key);
    this.#ready[present]?.delete(key);
    this.#ready[to]?.set(key, addedAtMs ?? this.#clock.now());
    return present < 0;
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
    this.#turnAtMs = this.#clock.now();
    const stop = (): void => {
      for (const { cancel } of this.#later.values()) cancel();
      this.#later.clear();
      for (const keys of this.#ready) keys.clear();
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
    if (run === undefined || run.signal.aborted || this.#isOthersTurn) return;
    while (this.#working.size < this.#options.concurrency) {
      const next = this.#next();
      if (next === undefined) return;
      const startedAtMs = this.#clock.now();
      this.#working.set(next.key, startedAtMs);
      this.#options.observer?.started((startedAtMs - next.addedAtMs) / 1000);
      void this.#work(next.key, run.signal);
    }
  }

  /** Takes out the key whose turn it is. */
  #next(): { key: string; addedAtMs: number } | undefined {
    const firsts = this.#ready.flatMap((keys) => {
      for (const [key, addedAtMs] of keys) return [{ keys, key, addedAtMs }];
      return [];
    });
    const [first] = firsts;
    if (first === undefined) return undefined;
    const isOldests = this.#turns >= turnsByPriority;
    this.#turns = isOldests || firsts.length === 1 ? 0 : this.#turns + 1;
    const next = isOldests ? firsts.reduce((oldest, one) => (one.addedAtMs < oldest.addedAtMs ? one : oldest)) : first;
    next.keys.delete(next.key);
    return next;
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
    const { logger, observer, keyField = "key", backoff = defaultBackoff, random = Math.random } = this.#options;
    if (signal.aborted) {
      logger.info("work given up on stop", { [keyField]: key, error });
      return;
    }
    if (error instanceof TerminalError) {
      this.#failures.delete(key);
      logger.error("work cannot succeed", { [keyField]: key, error });
      return;
    }
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const askedMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const delayMs = Math.max(askedMs, backoffDelayMs(backoff, failures, random()));
    logger.warn("work failed, trying again", { [keyField]: key, failures, delayMs: Math.round(delayMs), error });
    observer?.retried();
    this.addAfter(key, delayMs);
  }

  #done(key: string): void {
    this.#working.delete(key);
    const again = this.#again.get(key);
    if (again !== undefined) {
      this.#again.delete(key);
      // The next turn says for itself when to look again.
      this.#cancelLater(key);
      this.#ready[mostPriority - again.priority]?.set(key, again.addedAtMs);
    }
    if (this.#run?.signal.aborted === true && this.#working.size === 0) this.#run.onIdle();
    if (this.depth > 0 && this.#clock.now() - this.#turnAtMs >= turnMs) this.#letOthers();
    this.#startWork();
  }

  #letOthers(): void {
    if (this.#isOthersTurn) return;
    this.#isOthersTurn = true;
    const { letOthers = setImmediate } = this.#options;
    letOthers(() => {
      this.#isOthersTurn = false;
      this.#turnAtMs = this.#clock.now();
      this.#startWork();
    });
  }

  #cancelLater(key: string): void {
    this.#later.get(key)?.cancel();
    this.#later.delete(key);
  }
}
