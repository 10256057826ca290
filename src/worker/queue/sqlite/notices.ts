import type { DatabaseSync } from "node:sqlite";
import type { NoticeCommit } from "../contacts.ts";

/** Takes what was told of contacts into `pending`. To be called within a transaction. */
export class Notices {
  readonly #waiting;
  readonly #insert;
  readonly #replace;
  readonly #countRead;
  readonly #clearDead;

  constructor(database: DatabaseSync) {
    this.#waiting = database.prepare("SELECT seq, payload FROM pending WHERE mapping = ? AND id = ?");
    this.#insert = database.prepare(
      `INSERT INTO pending (mapping, id, operation, target_key, payload, generation, bulk, first_read_at, ready_at)
       VALUES (?1, ?2, 0, ?2, ?3, ?4, ?5, ?6, ?6)`,
    );
    // Who waits for a profile, or for another try, is due; who is in somebody's hands stays there.
    this.#replace = database.prepare(
      `UPDATE pending SET payload = ?2, target_key = id, generation = ?3, bulk = min(bulk, ?4), revision = revision + 1,
         parked = 0, ready_at = iif(token IS NULL, min(ready_at, ?5), ready_at) WHERE seq = ?1`,
    );
    this.#countRead = database.prepare("UPDATE counters SET read = read + ? WHERE mapping = ?");
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ?");
  }

  /** @param now by the store's clock */
  take({ mapping, generation, notices, merge, bulk }: NoticeCommit, now: number): void {
    if (notices.length > 0) this.#countRead.run(notices.length, mapping);
    for (const { id, told } of notices) {
      const waiting = this.#waiting.get(mapping, id);
      const before = waiting?.["payload"];
      if (waiting === undefined) this.#insert.run(mapping, id, told, generation, bulk ? 1 : 0, now);
      else {
        const text = typeof before === "string" ? merge(before, told) : told;
        this.#replace.run(Number(waiting["seq"]), text, generation, bulk ? 1 : 0, now);
      }
      this.#clearDead.run(mapping, id);
    }
  }
}
