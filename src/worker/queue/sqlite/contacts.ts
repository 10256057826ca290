import type { DatabaseSync } from "node:sqlite";
import type { ContactEnd, NoticeCommit, StoredContacts } from "../contacts.ts";
import type { LeasedRecord } from "../turn.ts";
import type { Mappings } from "./mappings.ts";
import type { Transactions } from "./transactions.ts";
import type { Turns } from "./turns.ts";

interface Parts {
  readonly mappings: Mappings;
  readonly turns: Turns;
  /** By the store's clock. */
  readonly now: () => number;
  readonly wall: () => number;
}

/** See StoredContacts: contacts wait in table `pending`, and what is agreed is in table `agreements`. */
export class SqliteContacts implements StoredContacts {
  readonly #database: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #parts: Parts;
  readonly #agreement;
  readonly #put;
  readonly #forget;
  readonly #mine;
  readonly #begin;
  readonly #later;
  readonly #due;

  constructor(database: DatabaseSync, transactions: Transactions, parts: Parts) {
    this.#database = database;
    this.#transactions = transactions;
    this.#parts = parts;
    this.#agreement = database.prepare("SELECT agreement FROM agreements WHERE mapping = ? AND id = ?");
    this.#put = database.prepare("INSERT OR REPLACE INTO agreements (mapping, id, agreement) VALUES (?, ?, ?)");
    this.#forget = database.prepare("DELETE FROM agreements WHERE mapping = ? AND id = ?");
    this.#mine = database.prepare("SELECT revision FROM pending WHERE seq = ? AND token = ?");
    this.#begin = database.prepare("UPDATE pending SET begun = 1, ready_at = ? WHERE seq = ?");
    this.#later = database.prepare(
      "UPDATE pending SET parked = ?, token = NULL, begun = 0, ready_at = ?, attempts = attempts + 1 WHERE seq = ?",
    );
    this.#due = database.prepare(
      "UPDATE pending SET ready_at = min(ready_at, ?) WHERE mapping = ? AND parked = 1 AND token IS NULL",
    );
  }

  tell(commit: NoticeCommit): Promise<void> {
    return this.#parts.mappings.tell(commit);
  }

  agreements(mapping: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#transactions.run(
      () =>
        new Map(
          ids.flatMap((id) => {
            const row = this.#agreement.get(mapping, id);
            return row === undefined ? [] : [[id, String(row["agreement"])] as const];
          }),
        ),
    );
  }

  begin({ mapping, id, ticket }: LeasedRecord, agreement: string, leaseMs: number): Promise<boolean> {
    return this.#transactions.run(() => {
      if (this.#mine.get(ticket.seq, ticket.token) === undefined) return false;
      this.#put.run(mapping, id, agreement);
      this.#begin.run(this.#parts.now() + leaseMs, ticket.seq);
      return true;
    });
  }

  end(record: LeasedRecord, agreement: string | undefined, end: ContactEnd): Promise<boolean> {
    const { mapping, id, ticket } = record;
    const { turns, now, wall } = this.#parts;
    return this.#transactions.run(() => {
      const mine = this.#mine.get(ticket.seq, ticket.token);
      if (mine === undefined) return false;
      if (agreement === undefined) this.#forget.run(mapping, id);
      else this.#put.run(mapping, id, agreement);
      switch (end.kind) {
        case "Decided":
          turns.settle(record, { kind: "Removed", sent: end.sent }, now(), wall());
          break;
        case "Unanswered":
          turns.settle(record, { kind: "Unknown" }, now(), wall());
          break;
        case "Later":
          if (end.sent) turns.sent(mapping, wall());
          // More was told meanwhile: it is due.
          if (mine["revision"] !== ticket.revision) turns.giveBack(record);
          else this.#later.run(end.parked ? 1 : 0, now() + end.afterMs, ticket.seq);
      }
      return true;
    });
  }

  lookAgain(mapping: string): Promise<void> {
    return this.#transactions.run(() => void this.#due.run(this.#parts.now(), mapping));
  }

  forgetFiles(): Promise<void> {
    return this.#transactions.run(() => this.#database.exec("DELETE FROM files"));
  }
}
