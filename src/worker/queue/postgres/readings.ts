import type { Reading } from "../interface.ts";
import type { Database } from "./connection.ts";

/** How long a reader that says nothing is waited for: it may be paused, or cut off. */
const leaseMs = 15_000;
const renewEveryMs = 4000;

/**
 * Which mappings this process reads. A reading is a lease in the store with a number that grows: whoever reads later has a
 * higher one, and what a reader stores is refused when its number is no longer the newest. So a process that was paused
 * may believe what it likes. A reading that is over, and that nobody else took, goes on.
 */
export class Readings {
  readonly #database: Database;
  readonly #readings = new Map<string, { readonly number: string; readonly timer: NodeJS.Timeout; lose: () => void }>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** See Queue.read. */
  async take(mapping: string): Promise<Reading | undefined> {
    const [row] = await this.#database.query<{ number: string | null }>("SELECT take_reader($1, $2) AS number", [
      mapping,
      leaseMs,
    ]);
    const number = row?.number;
    if (number === undefined || number === null) return undefined;
    this.lost(mapping);
    const lost = new AbortController();
    const timer = setInterval(() => void this.#renew(mapping, number), renewEveryMs);
    timer.unref();
    this.#readings.set(mapping, { number, timer, lose: () => lost.abort() });
    return { lost: lost.signal, end: () => this.#end(mapping, number) };
  }

  /** By which number this process reads it; null: it does not. */
  numberOf(mapping: string): string | null {
    return this.#readings.get(mapping)?.number ?? null;
  }

  /** Another process reads it now. */
  lost(mapping: string): void {
    const reading = this.#readings.get(mapping);
    if (reading === undefined) return;
    clearInterval(reading.timer);
    this.#readings.delete(mapping);
    reading.lose();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readings].map(([mapping, { number }]) => this.#end(mapping, number)));
  }

  async #renew(mapping: string, number: string): Promise<void> {
    try {
      const rows = await this.#database.query(
        "UPDATE reader SET until = wall_ms() + $3 WHERE mapping = $1 AND number = $2 RETURNING 1",
        [mapping, number, leaseMs],
      );
      if (rows.length === 0 && this.numberOf(mapping) === number) this.lost(mapping);
    } catch {
      // Nobody can take it while the database does not answer; what is stored next tells.
    }
  }

  async #end(mapping: string, number: string): Promise<void> {
    if (this.numberOf(mapping) === number) this.lost(mapping);
    await this.#database
      .query("UPDATE reader SET until = 0 WHERE mapping = $1 AND number = $2", [mapping, number])
      .catch(() => undefined); // It ends by itself.
  }
}
