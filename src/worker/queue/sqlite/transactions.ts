import type { DatabaseSync } from "node:sqlite";
import { StoreFullError } from "../errors.ts";
import { resultCode, sqlite } from "./result-codes.ts";

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: what is asked for in one turn of the event loop shares one transaction, and so one flush to disk.
 * Works run in the order of asking. If one fails, none of its group happened, and all of them are told.
 */
export class Transactions {
  readonly #database: DatabaseSync;
  readonly #noRoom: () => void;
  #waiting: Waiting[] = [];
  #dirty = false;
  #closed = false;

  /** @param noRoom called whenever a transaction or the log's truncation finds no room */
  constructor(database: DatabaseSync, noRoom: () => void) {
    this.#database = database;
    this.#noRoom = noRoom;
  }

  /** @returns what `work` returned, once it is on disk */
  run<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("the queue is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // The promise that goes with this work takes what this work returns.
    this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
    if (this.#waiting.length === 1) setImmediate(() => this.#commit());
    return promise;
  }

  /** Overwrites what the log still has of deleted rows. Does nothing when nothing was written since the last time. */
  truncateLog(): void {
    if (!this.#dirty) return;
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#dirty = false;
    } catch (error) {
      if (resultCode(error) !== sqlite.full) throw error;
      this.#noRoom(); // What was committed stays in the log.
    }
  }

  /** Commits what waits, and takes nothing more. */
  close(): void {
    this.#commit();
    this.#closed = true;
  }

  #commit(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length === 0) return;
    this.#dirty = true;
    let results: unknown[];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      results = group.map(({ work }) => work());
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      const isFull = resultCode(error) === sqlite.full;
      if (isFull) this.#noRoom();
      const told = isFull ? new StoreFullError(error) : error;
      for (const { reject } of group) reject(told);
      return;
    }
    group.forEach(({ resolve }, index) => {
      resolve(results[index]);
    });
  }
}
