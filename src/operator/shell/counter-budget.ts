export interface CounterBudgetOptions {
  /** Between two writes of one workflow's counters. */
  readonly perWorkflowMs: number;
  readonly perSecond: number;
}

/** What the contract allows: a status write costs the API server about 5 ms. */
export const defaultCounterBudget: CounterBudgetOptions = { perWorkflowMs: 10_000, perSecond: 20 };

/**
 * How often figures go into status. Each workflow that has something to tell gets a slot, in the order in which they ask,
 * and tells what is newest when its slot comes.
 */
export class CounterBudget {
  readonly #options: CounterBudgetOptions;
  readonly #writtenAtMs = new Map<string, number>();
  readonly #slots = new Map<string, number>();
  #nextSlotMs = 0;

  constructor(options: CounterBudgetOptions) {
    this.#options = options;
  }

  /** How long this workflow must wait; 0: it may write now, and `noteWrite` is called when it has. */
  waitMs(key: string, nowMs: number): number {
    const slotMs = this.#slots.get(key) ?? this.#reserve(key, nowMs);
    return Math.max(0, slotMs - nowMs);
  }

  /** Status was written, for whatever reason. */
  noteWrite(key: string, nowMs: number): void {
    this.#slots.delete(key);
    this.#writtenAtMs.set(key, nowMs);
  }

  forget(key: string): void {
    this.#slots.delete(key);
    this.#writtenAtMs.delete(key);
  }

  #reserve(key: string, nowMs: number): number {
    const writtenAtMs = this.#writtenAtMs.get(key);
    const earliestMs = Math.max(nowMs, writtenAtMs === undefined ? 0 : writtenAtMs + this.#options.perWorkflowMs);
    const slotMs = Math.max(earliestMs, this.#nextSlotMs);
    // One that waits for itself alone takes its place among the others only then.
    this.#nextSlotMs = Math.max(nowMs, this.#nextSlotMs) + 1000 / this.#options.perSecond;
    this.#slots.set(key, slotMs);
    return slotMs;
  }
}
