import type { DatabaseSync } from "node:sqlite";

/** Values of `written.departed`. */
export const departed = {
  /** Campaign's record is as this row says. */
  no: 0,
  /** Outside the filter; its record stayed in Campaign. */
  filter: 1,
  /** A newer row with the same key has the record. */
  key: 2,
} as const;

/** What other rows make of a key. */
export interface KeyStanding {
  /** How many other rows wrote it. */
  readonly others: number;
  /** A call for one of them is under way, or may still land. */
  readonly isBusy: boolean;
  /** Another row that is to stay has the record, or would have it next. */
  readonly isWanted: boolean;
  /** The version of the row that has the record. */
  readonly holder?: bigint;
}

/** Whether Campaign's record is, or by a call without an answer may be, as the row says. Certainties 1 and 2: see turns.ts. */
export const holds = `(departed = ${departed.no} OR certainty IN (1, 2))`;

/** Whether Campaign's record is the row's, or may be next: not so once the row is outside the filter. */
export const claims = `(departed <> ${departed.filter} OR certainty IN (1, 2))`;

/** A key that a row gives up. */
export interface LeftKey {
  readonly targetKey: string;
  /** Campaign's record was as the row says, or by a call without an answer may have been. */
  readonly wasHeld: boolean;
}

const removing = 3;
/** The rows with a key. */
export const sharing = `SELECT id FROM written WHERE mapping = ?1 AND target_key = ?2
  UNION ALL SELECT id FROM written WHERE mapping = ?1 AND id = ?2 AND target_key IS NULL`;

/**
 * Rows of one mapping may have one key in Campaign, at the same time or one after the other: one record, and the newest row
 * has it. While a call for the key is under way, no other is begun. When the row that has the record gives it up, the
 * newest of the others is written in its place. To be called within a transaction.
 */
export class Keys {
  readonly #standing;
  readonly #yield;
  readonly #heir;
  readonly #touch;
  readonly #queue;
  readonly #forgetLeft;

  constructor(database: DatabaseSync) {
    this.#standing = database.prepare(
      `SELECT count(*) AS others, max(coalesce(p.begun, 0)) AS busy,
         max(certainty <> ${removing} AND (${holds} OR departed = ${departed.key})) AS wanted,
         max(w.version) FILTER (WHERE certainty <> ${removing} AND ${holds}) AS holder
       FROM written w LEFT JOIN pending p ON p.mapping = w.mapping AND p.id = w.id
       WHERE w.mapping = ?1 AND w.id IN (${sharing}) AND w.id <> ?3`,
    );
    this.#standing.setReadBigInts(true); // Row versions have 64 bits.
    this.#yield = database.prepare(
      `UPDATE written SET departed = ${departed.key}, hash = NULL
       WHERE mapping = ?1 AND id IN (${sharing}) AND id <> ?3 AND departed = ${departed.no}`,
    );
    this.#heir = database.prepare(
      `SELECT id FROM written WHERE mapping = ?1 AND id IN (${sharing}) AND id <> ?3
         AND departed = ${departed.key} AND certainty <> ${removing}
         AND (?4 OR NOT EXISTS (SELECT 1 FROM written
           WHERE mapping = ?1 AND id IN (${sharing}) AND id <> ?3 AND certainty <> ${removing} AND ${holds}))
       ORDER BY version DESC LIMIT 1`,
    );
    this.#touch = database.prepare("UPDATE pending SET revision = revision + 1 WHERE mapping = ? AND id = ?");
    this.#queue = database.prepare(
      `INSERT INTO pending (mapping, id, operation, generation, first_read_at, ready_at)
       SELECT mapping, ?2, 0, generation, ?3, ?3 FROM checkpoint WHERE mapping = ?1`,
    );
    this.#forgetLeft = database.prepare(
      `DELETE FROM written WHERE mapping = ?1 AND id IN (${sharing}) AND departed = ${departed.filter}`,
    );
  }

  standing(mapping: string, id: string, targetKey: string): KeyStanding {
    const row = this.#standing.get(mapping, targetKey, id);
    const holder = row?.["holder"];
    return {
      others: Number(row?.["others"]),
      isBusy: row?.["busy"] === 1n,
      isWanted: row?.["wanted"] === 1n,
      ...(typeof holder === "bigint" ? { holder } : {}),
    };
  }

  /** The row takes the record over from whichever has it. */
  take(mapping: string, id: string, targetKey: string): void {
    this.#yield.run(mapping, targetKey, id);
  }

  /**
   * A row has given up the record, or was to have it next: the newest of the others is read again and written, unless one of
   * them has it.
   */
  passOn(mapping: string, id: string, { targetKey, wasHeld }: LeftKey, now: number): void {
    const heir = this.#heir.get(mapping, targetKey, id, wasHeld ? 1 : 0)?.["id"];
    if (typeof heir !== "string" || this.#touch.run(mapping, heir).changes > 0) return;
    this.#queue.run(mapping, heir, now);
  }

  /** The record is gone, and with it what stayed for rows outside the filter: coming back is an insert. */
  gone(mapping: string, targetKey: string): void {
    this.#forgetLeft.run(mapping, targetKey);
  }
}
