import { type Clock, sleep } from "../../telemetry/clock.ts";

const lookAgainMs = 500;

/** Turns taken in parallel, started whenever there may be something to do. */
export class TurnLoop {
  readonly #clock: Clock;
  readonly #fatalOf: (error: unknown) => Error | undefined;
  readonly #turns = new Set<Promise<void>>();
  readonly #failed = new AbortController();
  #news = Promise.withResolvers<void>();

  /** @param fatalOf is told of each turn and each start that failed; what it returns ends the loop */
  constructor(clock: Clock, fatalOf: (error: unknown) => Error | undefined) {
    this.#clock = clock;
    this.#fatalOf = fatalOf;
  }

  /** There may be something to do. */
  wake(): void {
    this.#news.resolve();
  }

  get underWay(): number {
    return this.#turns.size;
  }

  /** A turn that has begun. */
  add(turn: Promise<void>): void {
    const ended = turn
      .catch((error: unknown) => this.#meet(error))
      .finally(() => {
        this.#turns.delete(ended);
        this.wake();
      });
    this.#turns.add(ended);
  }

  /**
   * Starts turns again and again, until `stop` aborts or one fails for good, and every turn under way has ended.
   * @param start starts turns, and says when to be called again although nobody wakes it; undefined: soon
   * @throws what fails for good
   */
  async run(stop: AbortSignal, start: (end: AbortSignal) => Promise<number | undefined>): Promise<void> {
    const end = AbortSignal.any([stop, this.#failed.signal]);
    end.addEventListener("abort", () => this.wake(), { once: true });
    while (!end.aborted) {
      this.#news = Promise.withResolvers();
      const pauseMs = await start(end).catch((error: unknown) => this.#meet(error));
      if (!end.aborted) await this.#newsOr(pauseMs ?? lookAgainMs, end);
    }
    await Promise.all(this.#turns);
    this.#failed.signal.throwIfAborted();
  }

  #meet(error: unknown): undefined {
    const fatal = this.#fatalOf(error);
    if (fatal !== undefined) this.#failed.abort(fatal);
  }

  async #newsOr(delayMs: number, end: AbortSignal): Promise<void> {
    if (delayMs <= 0) return;
    const waited = new AbortController();
    const timer = sleep(this.#clock, delayMs, AbortSignal.any([end, waited.signal]));
    await Promise.race([this.#news.promise, timer]);
    waited.abort();
  }
}
