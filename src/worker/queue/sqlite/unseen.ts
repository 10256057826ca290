import type { DatabaseSync } from "node:sqlite";
import type { Keys } from "./keys.ts";
import { claims, holds } from "./keys.ts";
import type { Links } from "./links.ts";

/** Rows looked at in one transaction: a few milliseconds. */
const rowsPerPart = 5000;

/** A part of what was written, in order of ids. */
interface Part {
  /** Where the next part begins; absent: this was the last. */
  readonly next?: string;
  /** How many of its rows the generation did not see. */
  readonly unseen: number;
}

/** What was written and is no longer found in its table. To be called within a transaction, a part at a time. */
export class Unseen {
  readonly #keys: Keys;
  readonly #links: Links;
  readonly #part;
  readonly #ofPart;
  readonly #forgetDead;
  readonly #enqueue;
  readonly #see;
  readonly #isWaiting;
  readonly #forget;

  constructor(database: DatabaseSync, keys: Keys, links: Links) {
    this.#keys = keys;
    this.#links = links;
    this.#part = database.prepare(
      `SELECT count(*) AS looked, max(id) AS last, sum(seen < ?3) AS unseen
       FROM (SELECT id, seen FROM written WHERE mapping = ?1 AND id > ?2 ORDER BY id LIMIT ${rowsPerPart})`,
    );
    this.#ofPart = database.prepare(
      `SELECT id, target_key, ${holds} AS holds, ${claims} AS claims FROM written WHERE mapping = ?1 AND id > ?2 AND id <= ?3 AND seen < ?4`,
    );
    this.#forgetDead = database.prepare(
      `DELETE FROM dead WHERE mapping = ?1 AND id IN
         (SELECT id FROM dead WHERE mapping = ?1 AND generation < ?2 LIMIT ${rowsPerPart})`,
    );
    this.#enqueue = database.prepare(
      `INSERT OR IGNORE INTO pending (mapping, id, operation, generation, bulk, first_read_at, ready_at)
       VALUES (?, ?, 0, ?, 1, ?, ?)`,
    );
    this.#see = database.prepare("UPDATE written SET seen = ? WHERE mapping = ? AND id = ?");
    this.#isWaiting = database.prepare("SELECT 1 FROM pending WHERE mapping = ? AND id = ?");
    this.#forget = database.prepare("DELETE FROM written WHERE mapping = ? AND id = ?");
  }

  /** @param after where the part begins; "" for the first */
  part(mapping: string, generation: number, after: string): Part {
    const row = this.#part.get(mapping, after, generation);
    const unseen = Number(row?.["unseen"] ?? 0);
    const last = row?.["last"];
    return row?.["looked"] === rowsPerPart && typeof last === "string" ? { next: last, unseen } : { unseen };
  }

  /** Takes what the generation did not see of a part. @returns where the next part begins */
  sweep(mapping: string, generation: number, remove: boolean, after: string, now: number): string | undefined {
    if (after === "" && this.#forgetDead.run(mapping, generation).changes === rowsPerPart) return "";
    const { next, unseen } = this.part(mapping, generation, after);
    if (unseen === 0) return next;
    for (const row of this.#ofPart.all(mapping, after, next ?? "\u{10FFFF}", generation)) {
      const id = String(row["id"]);
      if (remove) this.#enqueue.run(mapping, id, generation, now, now);
      // What waits already is read again at its turn, which decides.
      if (remove || this.#isWaiting.get(mapping, id) !== undefined) this.#see.run(generation, mapping, id);
      else {
        this.#forget.run(mapping, id);
        this.#links.forget({ mapping, id }, now);
        this.#links.lost({ mapping, id });
        if (row["claims"] === 0) continue;
        const key = { targetKey: String(row["target_key"] ?? id), wasHeld: row["holds"] === 1 };
        this.#keys.passOn(mapping, id, key, now);
      }
    }
    return next;
  }
}
