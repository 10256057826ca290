/** A budget's size: what may be spent within a sliding window, and at what pace. Amounts are calls or seconds. */
export interface BudgetLimits {
  /** What may be spent in any `windowSeconds`. Absent: the pace alone holds. */
  readonly perWindow?: { readonly amount: number; readonly seconds: number };
  readonly perSecond: number;
  /** What may be spent at once after a rest. */
  readonly burst: number;
  /**
   * What may be spent at once at the start. When it is next to nothing, the pace alone keeps what processes spend one
   * after the other within the limit, and a process need not know of the one before it.
   */
  readonly initial: number;
}

/**
 * One facet of a service's limits. The pace keeps spending even (a window emptied in its first minute would mean four
 * minutes of silence); the window holds the limit itself.
 *
 * What always holds: a call counts from its grant until one window after its answer. The service counts it from some
 * moment between these two, so in no window of the service's own does it see more than the limit, however long calls
 * take on the way.
 */
export class Budget {
  readonly #limits: BudgetLimits;
  #level: number;
  #levelAt: number;
  /** Granted and not answered. */
  #reserved = 0;
  /** Answered, within the window. */
  #spent = 0;
  /** In the order of their expiry; entries before `#first` have expired. */
  #entries: { readonly expiresAt: number; readonly amount: number }[] = [];
  #first = 0;

  constructor(limits: BudgetLimits, now: number) {
    this.#limits = limits;
    this.#level = limits.initial;
    this.#levelAt = now;
  }

  /**
   * Milliseconds until `amount` can be granted if nothing else happens; Infinity if only answers can make room.
   * An amount above the limits is treated as the most that they allow, so that it waits long but not for ever.
   */
  waitFor(amount: number, now: number): number {
    this.#advance(now);
    const { perSecond, burst } = this.#limits;
    const lacking = Math.min(amount, burst) - this.#level;
    return Math.max(lacking <= tiny ? 0 : (lacking / perSecond) * 1000, this.#waitForWindow(amount, now));
  }

  reserve(amount: number, now: number): void {
    this.#advance(now);
    this.#reserved += amount;
    this.#level -= amount;
  }

  /** The call that reserved `reserved` is over and has cost `actual`; nothing, if it never left. */
  settle(reserved: number, actual: number, now: number): void {
    this.#advance(now);
    this.#reserved = Math.max(this.#reserved - reserved, 0);
    const window = this.#limits.perWindow;
    const level = Math.min(this.#level + reserved - actual, this.#limits.burst);
    // What cost more than all of a window (a call without an answer) is over with that window: the pace rests no longer.
    this.#level = window === undefined ? level : Math.max(level, this.#limits.burst - window.amount - this.#reserved);
    if (window === undefined || actual <= 0) return;
    this.#spent += actual;
    this.#entries.push({ expiresAt: now + window.seconds * 1000, amount: actual });
  }

  #waitForWindow(wanted: number, now: number): number {
    const window = this.#limits.perWindow;
    if (window === undefined) return 0;
    let over = this.#spent + this.#reserved + Math.min(wanted, window.amount) - window.amount;
    if (over <= tiny) return 0;
    for (let index = this.#first; index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry === undefined) break;
      over -= entry.amount;
      if (over <= tiny) return entry.expiresAt - now;
    }
    return Number.POSITIVE_INFINITY;
  }

  #advance(now: number): void {
    const { perSecond, burst } = this.#limits;
    this.#level = Math.min(this.#level + ((now - this.#levelAt) / 1000) * perSecond, burst);
    this.#levelAt = now;
    for (;;) {
      const entry = this.#entries[this.#first];
      if (entry === undefined || entry.expiresAt > now) break;
      this.#spent -= entry.amount;
      this.#first++;
    }
    if (this.#first === this.#entries.length) {
      this.#entries = [];
      this.#first = 0;
      this.#spent = 0; // what adding and subtracting fractions has left over
    } else if (this.#first > 1024) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}

/** Sums of fractions are not exact. */
const tiny = 1e-9;
