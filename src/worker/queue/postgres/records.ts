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
import type { Database } from "./connection.ts";
import { heldUntil } from "./held.ts";
import { escaped, unescaped } from "./texts.ts";
import { type WrittenRow, writtenOf } from "./turns.ts";

const rowsPerTransaction = 2000;
const recordsPerKey = 10;

interface DeadRow {
  readonly mapping: string;
  readonly id: string;
  readonly reason: string;
  readonly message: string;
  readonly version: string | null;
  readonly refused_at: string;
}

interface PendingRow {
  readonly removal: boolean;
  readonly version: string | null;
  readonly has_content: boolean;
  readonly held: number;
  readonly parked: boolean;
  readonly first_read_at: string;
  readonly attempts: number;
  readonly leased: boolean;
  readonly begun: boolean;
  readonly due_in: string;
  readonly parents: readonly { readonly mapping: string; readonly id: string }[] | null;
}

/** Answers what a person asks. */
export class PostgresRecords implements StoredRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async look(mapping: string, { id, targetKey }: AskedRecord): Promise<readonly StoredRecord[]> {
    // Rows that wait have no index by their key: an intake of millions would pay for a question that is rare.
    const found = await this.#database.query<{ id: string }>(
      `SELECT id FROM (SELECT id FROM pending WHERE mapping = $1 AND target_key = $2 UNION SELECT id FROM sharing($1, $2)) every
       ORDER BY id LIMIT $3`,
      [mapping, escaped(targetKey), recordsPerKey],
    );
    const byKey = found.map((row) => unescaped(row.id));
    const records = await Promise.all(
      [...new Set([id, ...byKey])].map((one) =>
        this.#record(mapping, one, [
          ...(one === id ? (["Id"] as const) : []),
          ...(byKey.includes(one) ? (["TargetKey"] as const) : []),
        ]),
      ),
    );
    return records.flatMap((record) => record ?? []);
  }

  async refusals(selection: RefusalSelection, limit: number, after?: RefusalPlace): Promise<readonly StoredRefusal[]> {
    const rows = await this.#database.query<DeadRow>(
      `SELECT * FROM dead WHERE ${selected} AND ($5::bigint IS NULL OR (refused_at, mapping, id) < ($5, $6, $7))
       ORDER BY refused_at DESC, mapping DESC, id DESC LIMIT $8`,
      [
        ...valuesOf(selection),
        after?.refusedAt ?? null,
        after?.mapping ?? null,
        after === undefined ? null : escaped(after.id),
        limit,
      ],
    );
    return rows.map((row) => ({ mapping: row.mapping, id: unescaped(row.id), ...refusalOf(row) }));
  }

  countRefusals(selection: RefusalSelection): Promise<readonly RefusalCount[]> {
    return this.#database.query<{ mapping: string; reason: string; records: number }>(
      `SELECT mapping, reason, count(*)::int AS records FROM dead WHERE ${selected}
       GROUP BY mapping, reason ORDER BY mapping, records DESC, reason`,
      valuesOf(selection),
    );
  }

  async redrive(selection: RefusalSelection, replay: boolean): Promise<number> {
    let records = 0;
    // In the order of the primary key: what is refused again meanwhile is not taken up a second time.
    for (let after = { mapping: "", id: "" }; ; ) {
      const taken = await this.#redrivePart(selection, replay, after);
      records += taken.length;
      const last = taken.at(-1);
      if (last === undefined || taken.length < rowsPerTransaction) return records;
      after = last;
    }
  }

  #redrivePart(selection: RefusalSelection, replay: boolean, after: { mapping: string; id: string }) {
    return this.#database.transaction(async (client) => {
      const entered = await client.query<{ now: string }>("SELECT enter() AS now");
      const { rows } = await client.query<{ mapping: string; id: string }>(
        `SELECT mapping, id FROM dead WHERE ${selected} AND (mapping, id) > ($5, $6) ORDER BY mapping, id LIMIT $7`,
        [...valuesOf(selection), after.mapping, after.id, rowsPerTransaction],
      );
      const taken = [rows.map(({ mapping }) => mapping), rows.map(({ id }) => id)];
      // Of one that waits, its turn decides; a turn under way that does not know of the replay is no longer the newest.
      await client.query(
        `INSERT INTO pending (mapping, id, operation, generation, replay, first_read_at, ready_at)
         SELECT c.mapping, d.id, 0, c.generation, $3, $4, $4 FROM unnest($1::text[], $2::text[])
           WITH ORDINALITY AS d (mapping, id, n) JOIN checkpoint c ON c.mapping = d.mapping ORDER BY d.n
         ON CONFLICT (mapping, id) DO UPDATE SET
           revision = pending.revision + (NOT pending.replay AND excluded.replay)::int,
           replay = pending.replay OR excluded.replay`,
        [...taken, replay, entered.rows[0]?.now],
      );
      await client.query(
        `DELETE FROM dead WHERE (mapping, id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
        taken,
      );
      return rows;
    });
  }

  async #record(mapping: string, id: string, foundBy: StoredRecord["foundBy"]): Promise<StoredRecord | undefined> {
    const [row] = await this.#database.query<{
      pending: PendingRow | null;
      dead: DeadRow | null;
      written: WrittenRow | null;
    }>(
      `SELECT
         (SELECT jsonb_build_object('removal', operation = 1 AND version IS NOT NULL, 'version', version::text,
            'has_content', payload IS NOT NULL, 'held', held, 'parked', parked, 'first_read_at', first_read_at,
            'attempts', attempts, 'leased', token IS NOT NULL AND ready_at > n.now, 'begun', begun,
            'due_in', greatest(0, ready_at - n.now), 'parents',
            (SELECT jsonb_agg(jsonb_build_object('mapping', l.parent_mapping, 'id', l.parent_id)) FROM links l
              WHERE l.mapping = p.mapping AND l.id = p.id AND l.state = 2))
          FROM pending p WHERE mapping = $1 AND id = $2) AS pending,
         (SELECT jsonb_build_object('reason', reason, 'message', message, 'version', version::text,
            'refused_at', refused_at) FROM dead WHERE mapping = $1 AND id = $2) AS dead,
         (SELECT row_of(w) FROM written w WHERE mapping = $1 AND id = $2) AS written
       FROM (SELECT wall_ms() + ahead AS now FROM clock) n`,
      [mapping, escaped(id)],
    );
    if (row === undefined) return undefined;
    const { pending, dead, written } = row;
    if (pending === null && dead === null && written === null) return undefined;
    return {
      id,
      foundBy,
      ...(pending === null ? {} : { pending: pendingOf(pending) }),
      ...(dead === null ? {} : { dead: refusalOf(dead) }),
      ...(written === null
        ? {}
        : {
            written: {
              ...writtenOf(written),
              ...(written.writtenAt === null ? {} : { writtenAt: written.writtenAt }),
            },
          }),
    };
  }
}

const selected =
  "($1::text IS NULL OR mapping = $1) AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR reason <> $4)";

function valuesOf({ mapping, id, reason, exceptReason }: RefusalSelection): readonly unknown[] {
  return [mapping ?? null, id === undefined ? null : escaped(id), reason ?? null, exceptReason ?? null];
}

function pendingOf(row: PendingRow): StoredPending {
  const held = (["Round", "Snapshot"] as const).find((stage) => heldUntil[stage] === row.held);
  const parents = row.parents?.map(({ mapping, id }) => ({ mapping, id: unescaped(id) })) ?? [];
  return {
    operation: row.removal ? "Delete" : "Upsert",
    ...versionOf(row),
    hasContent: row.has_content,
    ...(held === undefined ? {} : { held }),
    ...(row.parked ? { waitsFor: parents } : {}),
    firstReadAt: Number(row.first_read_at),
    attempts: row.attempts,
    turn: row.leased && !row.parked ? (row.begun ? "Begun" : "Leased") : "Queued",
    dueInMs: row.parked ? 0 : Number(row.due_in),
  };
}

function refusalOf(row: Omit<DeadRow, "mapping" | "id">) {
  return {
    reason: unescaped(row.reason),
    message: unescaped(row.message),
    ...versionOf(row),
    refusedAt: Number(row.refused_at),
  };
}

function versionOf({ version }: { readonly version: string | null }): { version?: bigint } {
  return version === null ? {} : { version: BigInt(version) };
}
