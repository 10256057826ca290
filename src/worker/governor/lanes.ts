/**
 * What a call is for, the more urgent first. When calls wait, lanes are served in proportion to their weights, so delta
 * goes before snapshot, and nothing starves: a lane that waits gets its share whatever the others do.
 */
const weights = {
  /** Metadata and sign-in checks: rare, and others wait for them. */
  control: 8,
  /** Reading what changed: a reader that waits outlives its token. */
  delta: 4,
  /** Writes, and the look-ups that they need. */
  write: 4,
  /** First loads and replays. */
  snapshot: 1,
} as const;

export type Lane = keyof typeof weights;

interface Queue<T extends object> {
  readonly weight: number;
  /** In the order of arrival. */
  readonly waiting: Set<T>;
  /** What the lane has had, divided by its weight: the lane with the lowest is next. */
  pass: number;
}

/** Waiters in lanes, told apart by identity, taken by stride scheduling (Waldspurger and Weihl, 1995). */
export class Lanes<T extends object> {
  readonly #queues = new Map<Lane, Queue<T>>();
  #size = 0;
  #pass = 0;

  get size(): number {
    return this.#size;
  }

  push(lane: Lane, waiter: T): void {
    let queue = this.#queues.get(lane);
    if (queue === undefined) {
      queue = { weight: weights[lane], waiting: new Set(), pass: 0 };
      this.#queues.set(lane, queue);
    }
    // A lane that slept has no claim to what it did not use.
    if (queue.waiting.size === 0) queue.pass = Math.max(queue.pass, this.#pass);
    queue.waiting.add(waiter);
    this.#size++;
  }

  remove(lane: Lane, waiter: T): void {
    if (this.#queues.get(lane)?.waiting.delete(waiter)) this.#size--;
  }

  /** Takes the waiter whose turn it is. */
  shift(): T | undefined {
    let next: Queue<T> | undefined;
    for (const queue of this.#queues.values()) {
      if (queue.waiting.size > 0 && (next === undefined || queue.pass < next.pass)) next = queue;
    }
    const waiter = next?.waiting.values().next();
    if (next === undefined || waiter === undefined || waiter.done === true) return undefined;
    next.waiting.delete(waiter.value);
    this.#size--;
    this.#pass = next.pass;
    next.pass += 1 / next.weight;
    return waiter.value;
  }
}
