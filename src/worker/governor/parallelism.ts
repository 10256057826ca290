/**
 * How many calls may be under way at once: grows by one a round of calls that used it all, halves when the service
 * throttles, and never passes the ceiling or what the service recommends. Until the first throttling it grows faster,
 * and starts from the recommendation as soon as there is one (send-parallel-requests.md).
 */
export class Parallelism {
  readonly #ceiling: number;
  #value: number;
  #recommended = Number.POSITIVE_INFINITY;
  #throttledOnce = false;
  #epoch = 0;

  constructor(initial: number, ceiling: number) {
    this.#ceiling = Math.max(ceiling, 1);
    this.#value = Math.min(Math.max(initial, 1), this.#ceiling);
  }

  get allowed(): number {
    return Math.max(1, Math.floor(Math.min(this.#value, this.#ceiling, this.#recommended)));
  }

  /** Whether nothing but what was given at the start bounds it. */
  get isAtCeiling(): boolean {
    return this.allowed >= Math.floor(this.#ceiling);
  }

  /** Changes at every halving: calls granted before one say nothing about what came after it. */
  get epoch(): number {
    return this.#epoch;
  }

  recommend(calls: number): void {
    if (!(calls >= 1)) return;
    this.#recommended = calls;
    if (!this.#throttledOnce) this.#value = Math.min(Math.max(this.#value, calls), this.#ceiling);
  }

  /** A call was answered; `usedUp`: it ran when no further call was allowed. */
  succeeded(usedUp: boolean): void {
    if (!usedUp) return;
    this.#value = Math.min(this.#value + (this.#throttledOnce ? 1 / this.#value : 1), this.#ceiling);
  }

  /** @param epoch of the throttled call's grant: the calls of one round halve once. */
  throttled(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#epoch++;
    this.#throttledOnce = true;
    this.#value = Math.max(1, Math.min(this.#value, this.#recommended) / 2);
  }
}
