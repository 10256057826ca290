export interface CounterBudgetOptions {
  /** Between two writes of one workflow's counters. */
  readonly perWorkflowMs: number;
  readonly perSecond: number;
}

/** What the contract allows: a status write costs the API server about 5 ms. */
export const defaultCounterBudget: CounterBudgetOptions = { perWorkflowMs: 10_000, perSecond: 20 };

/**
 * A start and a stop say in quick succession what they wait for. Only what is waited for longer than this is told: the
 * state itself is never late.
 */
const wordsRestMs = 5000;

/** So late may a turn be taken without putting the others off; the rate may be above its bound by what fits in here. */
const slackMs = 100;

/**
 * How often figures go into status. Each workflow that has something to tell, and has rested, takes its place in one line,
 * and tells what is newest when its turn comes. Turns are never made up for: when one is late, so are all after it.
 */
export class CounterBudget {
  readonly #options: CounterBudgetOptions;
  readonly #writtenAtMs = new Map<string, number>();
  /** When each one's turn is, by the time of the line. */
  readonly #turns = new Map<string, number>();
  #nextTurnMs = 0;
  /** How far the time of the line is behind the clock. */
  #behindMs = 0;

  constructor(options: CounterBudgetOptions) {
    this.#options = options;
  }

  /** How long this workflow must wait; 0: it may write now, and `noteWrite` is called when it has. */
  waitMs(key: string, nowMs: number): number {
    return this.#wait(key, nowMs, this.#options.perWorkflowMs);
  }

  /** How long new words about what was told already must wait; 0: they may be written now. */
  wordsWaitMs(key: string, nowMs: number): number {
    return this.#wait(key, nowMs, wordsRestMs);
  }

  /** Status was written, for whatever reason. */
  noteWrite(key: string, nowMs: number): void {
    this.#turns.delete(key);
    this.#writtenAtMs.set(key, nowMs);
  }

  forget(key: string): void {
    this.#turns.delete(key);
    this.#writtenAtMs.delete(key);
  }

  #wait(key: string, nowMs: number, restMs: number): number {
    const lineMs = nowMs - this.#behindMs;
    // A turn that long ago was not missed but not needed: what there was to tell then was taken back.
    if (lineMs - (this.#turns.get(key) ?? lineMs) > this.#options.perWorkflowMs) this.#turns.delete(key);
    // No turn before it has rested: most starts and stops are over by then.
    const restsUntilMs = (this.#writtenAtMs.get(key) ?? Number.NEGATIVE_INFINITY) + restMs;
    if (!this.#turns.has(key) && restsUntilMs > nowMs) return restsUntilMs - nowMs;
    const lateMs = lineMs - (this.#turns.get(key) ?? this.#takePlace(key, lineMs));
    if (lateMs < 0) return -lateMs;
    this.#behindMs += Math.max(0, lateMs - slackMs);
    return 0;
  }

  #takePlace(key: string, lineMs: number): number {
    const turnMs = Math.max(lineMs, this.#nextTurnMs);
    this.#nextTurnMs = turnMs + 1000 / this.#options.perSecond;
    this.#turns.set(key, turnMs);
    return turnMs;
  }
}
