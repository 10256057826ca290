import { createHmac, randomInt } from "node:crypto";
import type { PoolClient } from "pg";
import type { Logger } from "../../../telemetry/log.ts";
import { StoreOutage } from "../errors.ts";
import type {
  Checkpoint,
  FilePages,
  LeasedRecord,
  Leave,
  MappingCounts,
  Outage,
  PageCommit,
  PageResult,
  ParentQuestion,
  ParentStanding,
  Queue,
  Reading,
  Settlement,
  StoredFile,
  StoreOwner,
  WrittenRecord,
} from "../interface.ts";
import { mismatchOf } from "../owner.ts";
import type { Database, DatabaseOptions } from "./connection.ts";
import { heldUntil, Intake } from "./intake.ts";
import { openDatabase, schemaName } from "./open.ts";
import { Readings } from "./readings.ts";
import { PostgresRecords } from "./records.ts";
import { escaped, unescaped } from "./texts.ts";
import { type LeasedRow, leasedOf, Turns, ticketOf, writtenRow } from "./turns.ts";

export interface PostgresQueueOptions extends Omit<DatabaseOptions, "schema"> {
  readonly workflow: StoreOwner["workflow"];
  readonly logger: Logger;
  /** Told why, each time that the opening has to wait. */
  readonly waits?: (outage: Outage) => void;
}

const rowsPerPart = 2000;
/** An outage is over with the first answer, or seems to be after this time. */
const outageForMs = 40_000;

/**
 * Opens a workflow's queue in a PostgreSQL database, beside other processes of the same workflow; waits while the database
 * does not answer.
 * @throws StoreError; the signal's reason when it aborts
 */
export async function openPostgresQueue(options: PostgresQueueOptions, signal: AbortSignal): Promise<Queue> {
  const { workflow, logger, waits = () => {}, ...database } = options;
  const schema = schemaName(workflow);
  const opened = await openDatabase({ ...database, schema }, logger, signal, ({ code: reason, message }) =>
    waits({ reason, message }),
  );
  return new PostgresQueue(opened.database, opened.fingerprintKey, logger);
}

/** The same as SqliteQueue, for several processes at once. Leases are by the database's clock. */
class PostgresQueue implements Queue {
  readonly isShared = true;
  readonly records: PostgresRecords;
  readonly #database: Database;
  readonly #fingerprintKey: Buffer;
  readonly #logger: Logger;
  readonly #turns: Turns;
  readonly #readings: Readings;
  /** The newest of each mapping that this process knows. */
  readonly #generations = new Map<string, number>();
  /** What is in this process's hands. */
  readonly #leased = new Map<number, LeasedRecord>();
  #outage: (Outage & { readonly at: number }) | undefined;
  #closed = false;

  constructor(database: Database, fingerprintKey: Buffer, logger: Logger) {
    this.#database = database;
    this.#fingerprintKey = fingerprintKey;
    this.#logger = logger;
    this.#turns = new Turns(database);
    this.#readings = new Readings(database);
    this.records = new PostgresRecords(database);
  }

  async claim(owner: StoreOwner): Promise<void> {
    const mismatch = await this.#transaction(async (client) => {
      await client.query("SELECT enter()");
      const { rows } = await client.query<{ value: string }>("SELECT value FROM meta WHERE key = 'owner'");
      const found = rows[0] === undefined ? undefined : (JSON.parse(rows[0].value) as StoreOwner); // Written here alone.
      const different =
        found && mismatchOf(found, owner, `the queue's schema ${this.#database.schema}`, "drop the schema");
      if (different === undefined) {
        await client.query(
          "INSERT INTO meta VALUES ('owner', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
          [JSON.stringify(owner)],
        );
      }
      return different;
    });
    if (mismatch !== undefined) throw mismatch;
  }

  read(mapping: string): Promise<Reading | undefined> {
    return this.#watched(this.#readings.take(mapping));
  }

  async checkpoints(): Promise<readonly Checkpoint[]> {
    const rows = await this.#query<{ state: string }>("SELECT state FROM checkpoint ORDER BY mapping");
    const checkpoints = rows.map(({ state }) => JSON.parse(state) as Checkpoint); // Written by #put alone.
    for (const { mapping, generation } of checkpoints) this.#generations.set(mapping, generation);
    return checkpoints;
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#reading(checkpoint.mapping, (client) => this.#put(client, checkpoint));
  }

  async beginGeneration(checkpoint: Checkpoint): Promise<void> {
    const { mapping } = checkpoint;
    // In parts, so that no transaction is long, and before the checkpoint: a key is right in every generation, and what was
    // found to be absent is looked for again.
    await this.#removeAll("absent", mapping);
    for (let after = "0"; ; ) {
      const last = await this.#reading(mapping, async (client) => {
        const { rows } = await client.query<{ last: string | null }>("SELECT to_keys($1, $2, $3, $4) AS last", [
          mapping,
          this.#readings.numberOf(mapping),
          after,
          rowsPerPart,
        ]);
        const found = rows[0]?.last ?? undefined;
        if (found === undefined) await this.#put(client, checkpoint);
        return found;
      });
      if (last === undefined) return;
      after = last;
    }
  }

  async dropMapping(mapping: string): Promise<void> {
    // In parts, so that no transaction is long. The checkpoint goes last, and says from the first that what is left of the
    // mapping is of no use: an interrupted drop is done again, also when the mapping is back by then.
    await this.#reading(mapping, async (client) => {
      const { rows } = await client.query<{ state: string }>("SELECT state FROM checkpoint WHERE mapping = $1", [
        mapping,
      ]);
      const [row] = rows;
      if (row !== undefined) await this.#put(client, { ...JSON.parse(row.state), mappingHash: "" });
    });
    for (const table of ["pending", "written", "dead", "links", "absent", "listed"] as const) {
      await this.#removeAll(table, mapping);
    }
    await this.#reading(mapping, async (client) => {
      await client.query("DELETE FROM checkpoint WHERE mapping = $1", [mapping]);
      await client.query("DELETE FROM counters WHERE mapping = $1", [mapping]);
    });
    this.#generations.delete(mapping);
  }

  commitPage(page: PageCommit): Promise<PageResult> {
    return this.#reading(page.checkpoint.mapping, async (client, now) => {
      await this.#put(client, page.checkpoint);
      return new Intake(client, page, now, (text) => this.fingerprint(text)).commit();
    });
  }

  async files(): Promise<readonly StoredFile[]> {
    const rows = await this.#query<{ name: string; progress: string }>("SELECT * FROM files ORDER BY name");
    return rows.map(({ name, progress }) => ({ name: unescaped(name), progress: unescaped(progress) }));
  }

  commitFile({ name, progress }: StoredFile, pages: FilePages): Promise<void> {
    return this.#reading(pages[0].checkpoint.mapping, async (client, now) => {
      for (const page of pages) {
        await this.#put(client, page.checkpoint);
        await new Intake(client, page, now, (text) => this.fingerprint(text)).commit();
      }
      await client.query(
        "INSERT INTO files VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET progress = excluded.progress",
        [escaped(name), escaped(progress)],
      );
    });
  }

  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void> {
    const fingerprints = targetKeys.map((key) => this.fingerprint(key));
    return this.#reading(checkpoint.mapping, async (client) => {
      await this.#put(client, checkpoint);
      await client.query("INSERT INTO listed SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", [
        checkpoint.mapping,
        fingerprints,
      ]);
    });
  }

  forgetListing(mapping: string): Promise<void> {
    return this.#removeAll("listed", mapping);
  }

  async countUnseen(mapping: string, generation: number): Promise<number> {
    let unseen = 0;
    for (let after: string | null = ""; after !== null; ) {
      const [part]: { next: string | null; unseen: string }[] = await this.#query(
        "SELECT * FROM unseen_part($1, $2, $3)",
        [mapping, generation, after],
      );
      unseen += Number(part?.unseen ?? 0);
      after = part?.next ?? null;
    }
    return unseen;
  }

  releaseWithheld(mapping: string): Promise<void> {
    return this.#reading(mapping, async (client) => {
      await client.query(
        "UPDATE pending SET held = 0 WHERE mapping = $1 AND held <> 0 AND held = ANY ($2) AND inferred",
        [mapping, [heldUntil.Round, heldUntil.Snapshot]],
      );
    });
  }

  async sweep(mapping: string, generation: number, remove: boolean, after = ""): Promise<string | undefined> {
    const number = this.#readings.numberOf(mapping);
    const rows = await this.#query<{ next: string | null }>("SELECT sweep_part($1, $2, $3, $4, $5) AS next", [
      mapping,
      number,
      generation,
      remove,
      after,
    ]).catch((error: unknown) => this.#taken(mapping, error));
    return rows[0]?.next ?? undefined;
  }

  async lease(mapping: string, limit: number, leaseMs: number): Promise<readonly LeasedRecord[]> {
    const token = randomInt(2 ** 47);
    const generation = this.#generations.get(mapping);
    const rows = await this.#turn({ do: "lease", mapping, limit, leaseMs, token, generation });
    const records = (rows as LeasedRow[]).map((row) => leasedOf(mapping, row)); // As turn_lease gives them.
    for (const record of records) this.#leased.set(record.ticket.seq, record);
    return records;
  }

  async begin(record: LeasedRecord, written: WrittenRecord, leaseMs: number): Promise<Leave> {
    const leave = await this.#turn({ do: "begin", ...ticketOf(record), written: writtenRow(written), leaseMs });
    return leave as Leave; // As turn_begin gives it.
  }

  async settle(record: LeasedRecord, settlement: Settlement): Promise<void> {
    await this.#turn({ do: "settle", ...ticketOf(record), settlement: settlementRow(settlement) });
    if (settlement.kind !== "Unknown") this.#leased.delete(record.ticket.seq);
  }

  async askParents(record: LeasedRecord, questions: readonly ParentQuestion[]): Promise<readonly ParentStanding[]> {
    const asked = questions.map((question) => ({ ...question, id: escaped(question.id) }));
    const answer = await this.#turn({ do: "ask", ...ticketOf(record), questions: asked });
    const standings = answer as ParentStanding[] | null; // As ask_parents gives them.
    return (
      standings?.map((standing) =>
        standing.kind === "There" ? { ...standing, targetKey: unescaped(standing.targetKey) } : standing,
      ) ?? questions.map(() => ({ kind: "Awaited" }))
    );
  }

  giveBack(records: readonly LeasedRecord[]): Promise<void> {
    return this.#giveBack(records, false);
  }

  async counts(): Promise<ReadonlyMap<string, MappingCounts>> {
    const rows = await this.#query<Record<string, string | null>>("SELECT * FROM counters");
    return new Map(
      rows.map((row) => [
        String(row["mapping"]),
        {
          pending: Number(row["pending"]),
          parked: Number(row["parked"]),
          dead: Number(row["dead"]),
          written: Number(row["written"]),
          totalRead: Number(row["read"]),
          totalWritten: Number(row["sent"]),
          ...(row["last_written_at"] == null ? {} : { lastWrittenAt: Number(row["last_written_at"]) }),
        },
      ]),
    );
  }

  async forgetRefusals(olderThanMs: number): Promise<number> {
    let records = 0;
    for (let forgotten = rowsPerPart; forgotten === rowsPerPart; records += forgotten) {
      forgotten = await this.#transaction(async (client) => {
        await client.query("SELECT enter()");
        const part = "SELECT ctid FROM dead WHERE refused_at < wall_ms() - $1::bigint LIMIT $2";
        const { rowCount } = await client.query(`DELETE FROM dead WHERE ctid = ANY (ARRAY (${part}))`, [
          olderThanMs,
          rowsPerPart,
        ]);
        return rowCount ?? 0;
      });
    }
    return records;
  }

  fingerprint(text: string): string {
    return createHmac("sha256", this.#fingerprintKey).update(text).digest("base64url").slice(0, 22);
  }

  get outage(): Outage | undefined {
    return this.#outage !== undefined && performance.now() - this.#outage.at < outageForMs ? this.#outage : undefined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const left = this.#giveBack([...this.#leased.values()], true).catch(() => undefined); // Their leases end by themselves.
    this.#closed = true;
    await left;
    await this.#turns.close();
    await this.#readings.close();
    await this.#database.close();
  }

  async #giveBack(records: readonly LeasedRecord[], unlessBegun: boolean): Promise<void> {
    await Promise.all(records.map((record) => this.#turn({ do: "giveBack", ...ticketOf(record), unlessBegun })));
    for (const { ticket } of records) this.#leased.delete(ticket.seq);
  }

  #turn(work: Parameters<Turns["run"]>[0]): Promise<unknown> {
    return this.#watched(this.#turns.run(work));
  }

  #query<Row extends Record<string, unknown>>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (this.#closed) return Promise.reject(new Error("the queue is closed"));
    return this.#watched(this.#database.query<Row>(sql, values));
  }

  #transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("the queue is closed"));
    return this.#watched(this.#database.transaction(work));
  }

  /** A transaction of who reads the mapping, and refused to all others. */
  async #reading<T>(mapping: string, work: (client: PoolClient, now: string) => Promise<T>): Promise<T> {
    const number = this.#readings.numberOf(mapping);
    return this.#transaction(async (client) => {
      const { rows } = await client.query<{ now: string }>("SELECT enter_as_reader($1, $2) AS now", [mapping, number]);
      return work(client, String(rows[0]?.now));
    }).catch((error: unknown) => this.#taken(mapping, error));
  }

  #taken(mapping: string, error: unknown): never {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "IW001") throw error;
    this.#readings.lost(mapping);
    throw new StoreOutage("ReadingTaken", `another process of the workflow reads ${mapping} now`, error);
  }

  async #put(client: PoolClient, checkpoint: Checkpoint): Promise<void> {
    const { mapping, generation, delta, snapshot, checks } = checkpoint;
    const isLoading = delta === undefined || (snapshot?.purpose ?? "Replay") !== "Replay";
    await client.query("SELECT put_checkpoint($1, $2, $3, $4, $5)", [
      mapping,
      generation,
      isLoading,
      checks?.epoch ?? null,
      JSON.stringify(checkpoint),
    ]);
    this.#generations.set(mapping, generation);
  }

  /** In parts, so that no transaction is long. */
  async #removeAll(
    table: "pending" | "written" | "dead" | "links" | "absent" | "listed",
    mapping: string,
  ): Promise<void> {
    const part = `SELECT ctid FROM ${table} WHERE mapping = $1 LIMIT $2`;
    const remove = () =>
      this.#reading(
        mapping,
        async (client) =>
          (await client.query(`DELETE FROM ${table} WHERE ctid = ANY (ARRAY (${part}))`, [mapping, rowsPerPart]))
            .rowCount,
      );
    while ((await remove()) !== 0);
  }

  async #watched<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.#outage = undefined;
      return result;
    } catch (error) {
      if (error instanceof StoreOutage && error.code !== "ReadingTaken") {
        if (this.outage === undefined) this.#logger.warn("queue.unreachable", { why: error.message });
        this.#outage = { reason: error.code, message: error.message, at: performance.now() };
      }
      throw error;
    }
  }
}

/** As turn_settle takes it. */
function settlementRow(settlement: Settlement): object {
  const { version, ...rest } = { version: undefined, ...settlement };
  return {
    ...rest,
    ...(version === undefined ? {} : { version: String(version) }),
    ...("written" in settlement ? { written: writtenRow(settlement.written) } : {}),
    ...("before" in settlement && settlement.before !== undefined ? { before: writtenRow(settlement.before) } : {}),
    ...("linked" in settlement && settlement.linked !== undefined
      ? { linked: settlement.linked.map(({ mapping, id }) => ({ mapping, id: escaped(id) })) }
      : {}),
    ...("refusal" in settlement
      ? { refusal: { reason: escaped(settlement.refusal.reason), message: escaped(settlement.refusal.message) } }
      : {}),
  };
}
