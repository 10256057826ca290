import type { DatabaseSync } from "node:sqlite";

/**
 * The clock of places, leases and tries: it never goes back. When the machine's clock is set back, it goes on from where it
 * was, for otherwise nothing that was queued before would be due until the old time came again.
 *
 * An earlier process may have seen a later time than this one does: its newest row tells.
 */
export class StoreClock {
  readonly #wall: () => number;
  #aheadMs = 0;
  #last: number;

  /** @param wall milliseconds since 1970 */
  constructor(wall: () => number, database: DatabaseSync) {
    this.#wall = wall;
    this.#last = Number(database.prepare("SELECT max(first_read_at) AS newest FROM pending").get()?.["newest"] ?? 0);
  }

  now(): number {
    const now = this.#wall() + this.#aheadMs;
    if (now < this.#last) this.#aheadMs += this.#last - now;
    this.#last = Math.max(this.#last, now);
    return this.#last;
  }
}
