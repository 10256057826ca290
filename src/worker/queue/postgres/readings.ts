import { randomUUID } from "node:crypto";
import type { PoolClient } from "pg";
import { StoreOutage } from "../errors.ts";
import type { Reading } from "../interface.ts";
import type { Database } from "./connection.ts";

/** How long a reader that says nothing is waited for, unless told otherwise: it may be paused, or cut off. */
const usualLeaseMs = 15_000;
const renewalsPerLease = 4;

/** @param now by the store's clock */
type Work<T> = (client: PoolClient, now: string) => Promise<T>;

interface OwnReading {
  readonly number: string;
  readonly timer: NodeJS.Timeout;
  readonly lose: () => void;
  /** What the store may have been marked with last: several, when nobody heard whether it was. */
  marks: readonly string[];
  /** The reading's transactions follow each other. */
  last: Promise<unknown>;
}

/** "Nobody else's any more", as the database says it. */
const taken = "IW001";

/**
 * Which mappings this process reads. A reading is a lease in the store with a number that grows: whoever reads later has a
 * higher one, and what a reader stores is refused when its number is no longer the newest. So a process that was paused
 * may believe what it likes. A reading that is over, and that nobody else took, goes on.
 *
 * Each transaction of a reading marks the store, and goes on only from a mark of its own: a database that came back without
 * its newest commits, or that an older copy took the place of, is read on from where it is and not from where this process was.
 */
export class Readings {
  readonly #database: Database;
  readonly #leaseMs: number;
  readonly #readings = new Map<string, OwnReading>();

  constructor(database: Database, leaseMs = usualLeaseMs) {
    this.#database = database;
    this.#leaseMs = leaseMs;
  }

  /** See Queue.read. */
  async take(mapping: string): Promise<Reading | undefined> {
    const mark = randomUUID();
    const sql = "SELECT take_reader($1, $2, $3) AS number";
    const [row] = await this.#database.change<{ number: string | null }>(sql, [mapping, this.#leaseMs, mark]);
    const number = row?.number;
    if (number === undefined || number === null) return undefined;
    this.#lost(mapping);
    const lost = new AbortController();
    const timer = setInterval(() => void this.#renew(mapping, number), this.#leaseMs / renewalsPerLease);
    timer.unref();
    const lose = () => lost.abort();
    this.#readings.set(mapping, { number, timer, lose, marks: [mark], last: Promise.resolve() });
    return { lost: lost.signal, end: () => this.#end(mapping, number) };
  }

  /**
   * A transaction of who reads the mapping, or of anybody while nobody does.
   * @throws StoreOutage `ReadingTaken`
   */
  async transaction<T>(mapping: string, work: Work<T>): Promise<T> {
    const reading = this.#readings.get(mapping);
    if (reading === undefined) return this.#enter(reading, [mapping, null, null, null], work);
    const mine = reading.last.then(async () => {
      const mark = randomUUID();
      const had = reading.marks;
      const result = await this.#enter(reading, [mapping, reading.number, had, mark], async (client, now) => {
        const worked = await work(client, now);
        reading.marks = [...had, mark];
        return worked;
      });
      reading.marks = [mark];
      return result;
    });
    reading.last = mine.catch(() => undefined); // Told to who asked for it.
    return mine;
  }

  /** @param values of enter_as_reader */
  #enter<T>(
    reading: OwnReading | undefined,
    values: readonly [mapping: string, ...unknown[]],
    work: Work<T>,
  ): Promise<T> {
    const [mapping] = values;
    return this.#database
      .transaction(async (client) => {
        const sql = "SELECT enter_as_reader($1, $2, $3, $4) AS now";
        const { rows } = await client.query<{ now: string }>(sql, [...values]);
        return work(client, String(rows[0]?.now));
      })
      .catch((error: unknown) => {
        if (!(error instanceof Error) || !("code" in error) || error.code !== taken) throw error;
        // It may have been lost, and taken anew, by now.
        if (this.#readings.get(mapping) === reading) this.#lost(mapping);
        const why = `another process reads ${mapping}, or it is read on from where the store is`;
        throw new StoreOutage("ReadingTaken", why, error);
      });
  }

  #numberOf(mapping: string): string | undefined {
    return this.#readings.get(mapping)?.number;
  }

  /** Another process reads it now. */
  #lost(mapping: string): void {
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
      const rows = await this.#database.change(
        "UPDATE reader SET until = wall_ms() + $3 WHERE mapping = $1 AND number = $2 RETURNING 1",
        [mapping, number, this.#leaseMs],
      );
      if (rows.length === 0 && this.#numberOf(mapping) === number) this.#lost(mapping);
    } catch {
      // Nobody can take it while the database does not answer; what is stored next tells.
    }
  }

  async #end(mapping: string, number: string): Promise<void> {
    if (this.#numberOf(mapping) === number) this.#lost(mapping);
    await this.#database
      .change("UPDATE reader SET until = 0 WHERE mapping = $1 AND number = $2", [mapping, number])
      .catch(() => undefined); // It ends by itself.
  }
}
