/** Whether calls are held back so much that a person should know, and by what. */

/** Service: it refuses calls, or says that next to nothing is left. Configuration: the workflow's own bound. */
export type Holder = "Service" | "Configuration";
/** Which of a service's limits; Unnamed: it does not say. */
export type HeldLimit = "Calls" | "ExecutionTime" | "Concurrency" | "Unnamed";

/** Why calls wait at a moment. */
export interface Hold {
  readonly by: Holder;
  readonly limit: HeldLimit;
  /** When it is over even if nothing happens, on the governor's clock. */
  readonly until?: number;
}

/** What is told of one service. */
export interface Strain extends Pick<Hold, "by" | "limit"> {
  /** On the governor's clock. */
  readonly since: number;
  /** Of the last five minutes, in per cent. */
  readonly heldPercent: number;
  /** Of the last five minutes. */
  readonly refusedCalls: number;
  /** Calls that were made in the last minute. */
  readonly callsLastMinute: number;
}

interface Bucket {
  readonly number: number;
  readonly heldMs: Record<Holder, number>;
  refused: number;
  made: number;
}

interface Told {
  readonly since: number;
  limit: HeldLimit;
  limitAt: number;
}

/** Over which calls are summed up. */
export const strainWindowMs = 300_000;
const windowBuckets = 30;
const minuteBuckets = 6;

/**
 * Told when calls were held for such a part of the last minute, and again not when for less than such a part of the last
 * five. A service that asks for half a minute's rest is worth a word; a bound of one's own only when there is no end of it.
 */
const begins: Readonly<Record<Holder, number>> = { Service: 0.5, Configuration: 0.9 };
const ends: Readonly<Record<Holder, number>> = { Service: 0.1, Configuration: 0.5 };

/**
 * Sums up how long calls were held back. What is told stays told for five minutes at least, so that whoever writes it down
 * does so twice in that time at most.
 */
export class StrainGauge {
  #buckets: Bucket[] = [];
  #hold: Hold | undefined;
  #heldFrom: number;
  readonly #told: Partial<Record<Holder, Told>> = {};
  readonly #lastLimit: Record<Holder, HeldLimit> = { Service: "Unnamed", Configuration: "Calls" };
  readonly #totalMs: Record<Holder, number> = { Service: 0, Configuration: 0 };

  readonly #windowMs: number;
  readonly #bucketMs: number;

  /** @param windowMs five minutes; what is called a minute is a fifth of it */
  constructor(now: number, windowMs: number) {
    this.#heldFrom = now;
    this.#windowMs = windowMs;
    this.#bucketMs = windowMs / windowBuckets;
  }

  /** From now on calls wait for this, or for nothing. */
  hold(hold: Hold | undefined, now: number): void {
    this.#advance(now);
    this.#hold = hold;
    if (hold !== undefined) this.#lastLimit[hold.by] = hold.limit;
  }

  made(now: number): void {
    this.#advance(now);
    this.#bucket(this.#numberOf(now)).made++;
  }

  refused(now: number): void {
    this.#advance(now);
    this.#bucket(this.#numberOf(now)).refused++;
  }

  /** Undefined when there is nothing to tell. A service's refusals say more than one's own bound. */
  strain(now: number): Strain | undefined {
    this.#advance(now);
    const by = (["Service", "Configuration"] as const).find((holder) => this.#isTold(holder, now));
    const told = by && this.#told[by];
    if (by === undefined || told === undefined) return undefined;
    const sum = (count: number, of: (bucket: Bucket) => number) =>
      this.#last(count, now).reduce((total, bucket) => total + of(bucket), 0);
    return {
      by,
      limit: told.limit,
      since: told.since,
      heldPercent: Math.min(100, Math.round((sum(windowBuckets, ({ heldMs }) => heldMs[by]) / this.#windowMs) * 100)),
      refusedCalls: sum(windowBuckets, ({ refused }) => refused),
      callsLastMinute: sum(minuteBuckets, ({ made }) => made),
    };
  }

  /** Since the beginning. */
  heldSeconds(holder: Holder, now: number): number {
    this.#advance(now);
    return this.#totalMs[holder] / 1000;
  }

  #isTold(holder: Holder, now: number): boolean {
    const held = (count: number) =>
      this.#last(count, now).reduce((total, { heldMs }) => total + heldMs[holder], 0) / (count * this.#bucketMs);
    const told = this.#told[holder];
    if (told === undefined) {
      const share = held(minuteBuckets);
      if (share < begins[holder]) return false;
      const since = now - Math.min(share, 1) * minuteBuckets * this.#bucketMs;
      this.#told[holder] = { since, limit: this.#lastLimit[holder], limitAt: now };
      return true;
    }
    if (now - told.since >= this.#windowMs && held(windowBuckets) < ends[holder]) {
      delete this.#told[holder];
      return false;
    }
    if (now - told.limitAt >= this.#windowMs) {
      told.limit = this.#lastLimit[holder];
      told.limitAt = now;
    }
    return true;
  }

  /** Adds what has passed under the present hold, bucket by bucket. */
  #advance(now: number): void {
    const from = Math.max(this.#heldFrom, now - this.#windowMs);
    if (this.#hold !== undefined) {
      const { by, until = now } = this.#hold;
      const end = Math.min(now, until);
      this.#totalMs[by] += Math.max(0, end - this.#heldFrom);
      for (let number = this.#numberOf(from); number <= this.#numberOf(end); number++) {
        const within = Math.min(end, (number + 1) * this.#bucketMs) - Math.max(from, number * this.#bucketMs);
        this.#bucket(number).heldMs[by] += Math.max(0, within);
      }
      if (this.#hold.until !== undefined && until <= now) this.#hold = undefined;
    }
    this.#heldFrom = now;
  }

  /** The buckets of the last `count` spans of time, the present one's beginning included. */
  #last(count: number, now: number): readonly Bucket[] {
    const first = this.#numberOf(now) - count;
    return this.#buckets.filter(({ number }) => number >= first);
  }

  #numberOf(at: number): number {
    return Math.floor(at / this.#bucketMs);
  }

  /** Numbers come in order. */
  #bucket(number: number): Bucket {
    const newest = this.#buckets.at(-1);
    if (newest?.number === number) return newest;
    const bucket = { number, heldMs: { Service: 0, Configuration: 0 }, refused: 0, made: 0 };
    this.#buckets = [...this.#buckets.filter((old) => old.number >= number - windowBuckets), bucket];
    return bucket;
  }
}
