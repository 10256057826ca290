import type { ContactEnd, NoticeCommit, StoredAudit, StoredContacts } from "../contacts.ts";
import type { LeasedRecord } from "../turn.ts";
import type { Database } from "./connection.ts";
import type { Mappings } from "./mappings.ts";
import { ticketOf, type Work } from "./turns.ts";

interface Parts {
  readonly mappings: Mappings;
  readonly turn: (work: Work) => Promise<unknown>;
  /** It is no longer in this process's hands. */
  readonly ended: (record: LeasedRecord) => void;
}

const rowsPerPart = 2000;

/** See StoredContacts: contacts wait in table `pending`, what is agreed is in `agreements`. */
export class PostgresContacts implements StoredContacts {
  readonly audit: StoredAudit;
  readonly #database: Database;
  readonly #parts: Parts;

  constructor(database: Database, parts: Parts) {
    this.#database = database;
    this.#parts = parts;
    this.audit = {
      append: async (records) => {
        await parts.turn({ do: "audit", records });
      },
      forget: (olderThanMs) => this.#forgetAudit(olderThanMs),
    };
  }

  tell(commit: NoticeCommit): Promise<void> {
    return this.#parts.mappings.tell(commit);
  }

  async agreements(mapping: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#database.query<{ id: string; agreement: string }>(
      "SELECT id, agreement FROM agreements WHERE mapping = $1 AND id = ANY ($2)",
      [mapping, ids],
    );
    return new Map(rows.map(({ id, agreement }) => [id, agreement]));
  }

  async begin(record: LeasedRecord, agreement: string, leaseMs: number): Promise<boolean> {
    return (await this.#parts.turn({ do: "beginContact", ...ticketOf(record), agreement, leaseMs })) === true;
  }

  async end(record: LeasedRecord, agreement: string | undefined, end: ContactEnd): Promise<boolean> {
    const isMine = await this.#parts.turn({ do: "endContact", ...ticketOf(record), agreement, end });
    if (end.kind !== "Unanswered") this.#parts.ended(record);
    return isMine === true;
  }

  async lookAgain(mapping: string): Promise<void> {
    const due = "ready_at = least(ready_at, entered.now_ms) FROM (SELECT enter() AS now_ms) AS entered";
    await this.#database.change(`UPDATE pending SET ${due} WHERE mapping = $1 AND parked AND token IS NULL`, [mapping]);
  }

  forgetFiles(mapping: string): Promise<void> {
    return this.#parts.mappings.forgetFiles(mapping);
  }

  async #forgetAudit(olderThanMs: number): Promise<number> {
    let records = 0;
    for (let forgotten = rowsPerPart; forgotten === rowsPerPart; records += forgotten) {
      const part = "SELECT seq FROM opt_out_audit WHERE at < wall_ms() - $1::bigint ORDER BY at LIMIT $2";
      const gone = await this.#database.change(
        `DELETE FROM opt_out_audit WHERE seq = ANY (ARRAY (${part})) RETURNING seq`,
        [olderThanMs, rowsPerPart],
      );
      forgotten = gone.length;
    }
    return records;
  }
}
