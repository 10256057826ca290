import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import type {
  AskedRecord,
  RefusalCount,
  RefusalPlace,
  RefusalSelection,
  StoredPending,
  StoredRecord,
  StoredRecords,
  StoredRefusal,
} from "../stored-records.ts";
import type { Parent } from "../turn.ts";
import { heldUntil } from "./held.ts";
import { isRemoval } from "./intake.ts";
import { awaitedParents } from "./link-news.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Transactions } from "./transactions.ts";
import { writtenOf } from "./turns.ts";

type Row = Record<string, SQLOutputValue>;

const rowsPerTransaction = 2000;
const recordsPerKey = 10;

/** Answers what a person asks, so its statements are prepared when they are needed. */
export class SqliteRecords implements StoredRecords {
  readonly #database: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #clock: StoreClock;

  constructor(database: DatabaseSync, transactions: Transactions, clock: StoreClock) {
    this.#database = database;
    this.#transactions = transactions;
    this.#clock = clock;
  }

  look(mapping: string, { id, targetKey }: AskedRecord): Promise<readonly StoredRecord[]> {
    return this.#transactions.run(() => {
      // Rows that wait have no index by their key: an intake of millions would pay for a question that is rare.
      const byKey = this.#all(
        `SELECT id FROM pending WHERE mapping = ?1 AND target_key = ?2
         UNION SELECT id FROM written WHERE mapping = ?1 AND target_key = ?2
         UNION SELECT id FROM written WHERE mapping = ?1 AND id = ?2 AND target_key IS NULL LIMIT ?3`,
        [mapping, targetKey, recordsPerKey],
      ).map((row) => String(row["id"]));
      return [...new Set([id, ...byKey])].flatMap((found) => {
        const foundBy = [
          ...(found === id ? (["Id"] as const) : []),
          ...(byKey.includes(found) ? (["TargetKey"] as const) : []),
        ];
        return this.#record(mapping, found, foundBy) ?? [];
      });
    });
  }

  refusals(selection: RefusalSelection, limit: number, after?: RefusalPlace): Promise<readonly StoredRefusal[]> {
    const { conditions, values } = where(selection);
    if (after !== undefined) {
      conditions.push("(refused_at, mapping, id) < (?, ?, ?)");
      values.push(after.refusedAt, after.mapping, after.id);
    }
    const sql = `SELECT * FROM dead WHERE ${conditions.join(" AND ")} ORDER BY refused_at DESC, mapping DESC, id DESC LIMIT ?`;
    return this.#transactions.run(() =>
      this.#all(sql, [...values, limit]).map((row) => ({
        mapping: String(row["mapping"]),
        id: String(row["id"]),
        ...refusalOf(row),
      })),
    );
  }

  countRefusals(selection: RefusalSelection): Promise<readonly RefusalCount[]> {
    const { conditions, values } = where(selection);
    const sql = `SELECT mapping, reason, count(*) AS records FROM dead WHERE ${conditions.join(" AND ")}
      GROUP BY mapping, reason ORDER BY mapping, records DESC, reason`;
    return this.#transactions.run(() =>
      this.#all(sql, values).map(({ mapping, reason, records }) => ({
        mapping: String(mapping),
        reason: String(reason),
        records: Number(records),
      })),
    );
  }

  async redrive(selection: RefusalSelection, replay: boolean): Promise<number> {
    let records = 0;
    // In the order of the primary key: what is refused again meanwhile is not taken up a second time.
    let after: { mapping: string; id: string } | undefined = { mapping: "", id: "" };
    while (after !== undefined) {
      const from: { mapping: string; id: string } = after;
      const taken: readonly Row[] = await this.#transactions.run(() => this.#redrivePart(selection, replay, from));
      records += taken.length;
      const last = taken.at(-1);
      after =
        last === undefined || taken.length < rowsPerTransaction
          ? undefined
          : { mapping: String(last["mapping"]), id: String(last["id"]) };
    }
    return records;
  }

  #redrivePart(selection: RefusalSelection, replay: boolean, after: { mapping: string; id: string }): readonly Row[] {
    const { conditions, values } = where(selection);
    const taken = this.#all(
      `SELECT mapping, id FROM dead WHERE (mapping, id) > (?, ?) AND ${conditions.join(" AND ")}
       ORDER BY mapping, id LIMIT ?`,
      [after.mapping, after.id, ...values, rowsPerTransaction],
    );
    // Of one that waits, its turn decides; a turn under way that does not know of the replay is no longer the newest.
    const queue = this.#database.prepare(
      `INSERT INTO pending (mapping, id, operation, generation, replay, first_read_at, ready_at)
       SELECT mapping, ?2, 0, generation, ?3, ?4, ?4 FROM checkpoint WHERE mapping = ?1
       ON CONFLICT (mapping, id) DO UPDATE SET revision = revision + (replay < excluded.replay),
         replay = max(replay, excluded.replay)`,
    );
    const forget = this.#database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ?");
    const now = this.#clock.now();
    for (const { mapping = null, id = null } of taken) {
      queue.run(mapping, id, replay ? 1 : 0, now);
      forget.run(mapping, id);
    }
    return taken;
  }

  #record(mapping: string, id: string, foundBy: StoredRecord["foundBy"]): StoredRecord | undefined {
    const row = (sql: string) => this.#all(sql, [mapping, id])[0];
    const pending = row(`SELECT *, payload IS NOT NULL AS has_content, ${isRemoval} FROM pending
      WHERE mapping = ? AND id = ?`);
    const dead = row("SELECT * FROM dead WHERE mapping = ? AND id = ?");
    const written = row("SELECT * FROM written WHERE mapping = ? AND id = ?");
    if (pending === undefined && dead === undefined && written === undefined) return undefined;
    const writtenAt = written?.["written_at"];
    return {
      id,
      foundBy,
      ...(pending === undefined ? {} : { pending: this.#pendingOf(pending) }),
      ...(dead === undefined ? {} : { dead: refusalOf(dead) }),
      ...(written === undefined
        ? {}
        : {
            written: {
              ...writtenOf(id, written),
              ...(typeof writtenAt === "bigint" ? { writtenAt: Number(writtenAt) } : {}),
            },
          }),
    };
  }

  #pendingOf(row: Row): StoredPending {
    const now = this.#clock.now();
    const isParked = row["parked"] === 1n;
    const isLeased = row["token"] !== null && Number(row["ready_at"]) > now;
    const held = (["Round", "Snapshot"] as const).find((stage) => heldUntil[stage] === Number(row["held"]));
    return {
      operation: row["removal"] === 1n ? "Delete" : "Upsert",
      ...versionOf(row),
      hasContent: row["has_content"] === 1n,
      ...(held === undefined ? {} : { held }),
      ...(isParked ? { waitsFor: this.#parentsOf(row) } : {}),
      firstReadAt: Number(row["first_read_at"]),
      attempts: Number(row["attempts"]),
      turn: isLeased ? (row["begun"] === 1n ? "Begun" : "Leased") : "Queued",
      dueInMs: isParked ? 0 : Math.max(0, Number(row["ready_at"]) - now),
    };
  }

  #parentsOf({ mapping = null, id = null }: Row): readonly Parent[] {
    return this.#all(awaitedParents, [mapping, id]).map((parent) => ({
      mapping: String(parent["parent_mapping"]),
      id: String(parent["parent_id"]),
    }));
  }

  #all(sql: string, values: readonly SQLInputValue[]): readonly Row[] {
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true); // Row versions have 64 bits.
    return statement.all(...values);
  }
}

function where({ mapping, id, reason, exceptReason }: RefusalSelection) {
  const conditions: string[] = ["1"];
  const values: SQLInputValue[] = [];
  const add = (condition: string, value: string | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add("mapping = ?", mapping);
  add("id = ?", id);
  add("reason = ?", reason);
  add("reason <> ?", exceptReason);
  return { conditions, values };
}

function refusalOf(row: Row) {
  return {
    reason: String(row["reason"]),
    message: String(row["message"]),
    ...versionOf(row),
    refusedAt: Number(row["refused_at"]),
  };
}

function versionOf({ version }: Row): { version?: bigint } {
  return typeof version === "bigint" ? { version } : {};
}
