const slotMs = 5000;
const slots = 12;

/** How many of something happen a second, over the last minute or since they began to happen again. */
export class RateMeter {
  /** Counts by slot of time, the newest last. */
  #counts: { readonly slot: number; count: number }[] = [];
  #since = 0;

  /** @param now milliseconds on a clock that never jumps */
  add(count: number, now: number): void {
    if (count === 0) return;
    this.#forget(now);
    const slot = Math.floor(now / slotMs);
    const newest = this.#counts.at(-1);
    if (newest === undefined) this.#since = now;
    if (newest?.slot === slot) newest.count += count;
    else this.#counts.push({ slot, count });
  }

  /** 0 when nothing happened for a minute. */
  perSecond(now: number): number {
    this.#forget(now);
    const total = this.#counts.reduce((sum, { count }) => sum + count, 0);
    const windowStart = (Math.floor(now / slotMs) - slots + 1) * slotMs;
    // Of a shorter time than a slot nobody can tell a rate.
    const spanMs = Math.max(slotMs, now - Math.max(windowStart, this.#since));
    return (total * 1000) / spanMs;
  }

  #forget(now: number): void {
    const oldest = Math.floor(now / slotMs) - slots + 1;
    if ((this.#counts[0]?.slot ?? oldest) < oldest) this.#counts = this.#counts.filter(({ slot }) => slot >= oldest);
  }
}
