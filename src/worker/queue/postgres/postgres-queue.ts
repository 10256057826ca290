import { createHmac, randomInt } from "node:crypto";
import type { Checkpoint } from "../checkpoint.ts";
import type { MappingCounts, Outage, Queue, Reading, StoreOwner } from "../interface.ts";
import { mismatchOf } from "../owner.ts";
import type { FilePages, PageCommit, PageResult, StoredFile } from "../page.ts";
import type { LeasedRecord, Leave, ParentQuestion, ParentStanding, Settlement, WrittenRecord } from "../turn.ts";
import type { Database, DatabaseOptions } from "./connection.ts";
import { PostgresContacts } from "./contacts.ts";
import { Mappings } from "./mappings.ts";
import { openDatabase, schemaName } from "./open.ts";
import { Paces } from "./pace.ts";
import { Readings } from "./readings.ts";
import { PostgresRecords } from "./records.ts";
import { escaped, unescaped } from "./texts.ts";
import { type LeasedRow, leasedOf, Turns, ticketOf, writtenRow } from "./turns.ts";

export interface PostgresQueueOptions extends Omit<DatabaseOptions, "schema"> {
  readonly workflow: StoreOwner["workflow"];
  /** How long a process that reads a mapping and says nothing is waited for; absent: as documented. */
  readonly readingLeaseMs?: number | undefined;
  /** Told why, each time that the opening has to wait. */
  readonly waits?: (outage: Outage) => void;
}

const rowsPerPart = 2000;

/**
 * Opens a workflow's queue in a PostgreSQL database, beside other processes of the same workflow; waits while the database
 * does not answer.
 * @throws StoreError; the signal's reason when it aborts
 */
export async function openPostgresQueue(options: PostgresQueueOptions, signal: AbortSignal): Promise<Queue> {
  const { workflow, readingLeaseMs, waits = () => {}, ...database } = options;
  const schema = schemaName(workflow);
  const opened = await openDatabase({ ...database, schema }, signal, ({ code: reason, message }) =>
    waits({ reason, message }),
  );
  return new PostgresQueue(opened.database, opened.fingerprintKey, new Readings(opened.database, readingLeaseMs));
}

/** The same as SqliteQueue, for several processes at once. Leases are by the database's clock. */
class PostgresQueue implements Queue {
  readonly isShared = true;
  readonly records: PostgresRecords;
  readonly contacts: PostgresContacts;
  readonly #database: Database;
  readonly #fingerprintKey: Buffer;
  readonly #turns: Turns;
  readonly #readings: Readings;
  readonly #mappings: Mappings;
  /** What is in this process's hands. */
  readonly #leased = new Map<number, LeasedRecord>();
  readonly #paces = new Paces();
  #closed = false;

  constructor(database: Database, fingerprintKey: Buffer, readings: Readings) {
    this.#database = database;
    this.#fingerprintKey = fingerprintKey;
    this.#turns = new Turns(database);
    this.#readings = readings;
    this.#mappings = new Mappings(database, this.#readings, (text) => this.fingerprint(text));
    this.records = new PostgresRecords(database);
    this.contacts = new PostgresContacts(database, {
      mappings: this.#mappings,
      turn: (work) => this.#turn(work),
      ended: ({ ticket }) => this.#leased.delete(ticket.seq),
    });
  }

  async claim(owner: StoreOwner): Promise<void> {
    const mismatch = await this.#database.transaction(async (client) => {
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
    return this.#readings.take(mapping);
  }

  checkpoints(): Promise<readonly Checkpoint[]> {
    return this.#mappings.all();
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#mappings.save(checkpoint);
  }

  beginGeneration(checkpoint: Checkpoint): Promise<void> {
    return this.#mappings.beginGeneration(checkpoint);
  }

  dropMapping(mapping: string): Promise<void> {
    return this.#mappings.drop(mapping);
  }

  commitPage(page: PageCommit): Promise<PageResult> {
    return this.#mappings.commitPage(page);
  }

  files(): Promise<readonly StoredFile[]> {
    return this.#mappings.files();
  }

  commitFile(file: StoredFile, pages: FilePages): Promise<void> {
    return this.#mappings.commitFile(file, pages);
  }

  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void> {
    return this.#mappings.commitListing(checkpoint, targetKeys);
  }

  forgetListing(mapping: string): Promise<void> {
    return this.#mappings.forgetListing(mapping);
  }

  countUnseen(mapping: string, generation: number): Promise<number> {
    return this.#mappings.countUnseen(mapping, generation);
  }

  releaseWithheld(mapping: string): Promise<void> {
    return this.#mappings.releaseWithheld(mapping);
  }

  sweep(mapping: string, generation: number, remove: boolean, after = ""): Promise<string | undefined> {
    return this.#mappings.sweep(mapping, generation, remove, after);
  }

  async lease(mapping: string, limit: number, leaseMs: number): Promise<readonly LeasedRecord[]> {
    const token = randomInt(2 ** 47);
    const generation = this.#mappings.generationOf(mapping);
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
    const rows = await this.#database.query<Record<string, string | null>>("SELECT * FROM counters");
    const counts = new Map(rows.map((row) => [String(row["mapping"]), countsOf(row)]));
    const paces = this.#paces.of(counts, performance.now());
    return new Map(
      [...counts].map(([mapping, counted]) => {
        const pace = paces.get(mapping);
        return [mapping, pace === undefined ? counted : { ...counted, pace }];
      }),
    );
  }

  async forgetRefusals(olderThanMs: number): Promise<number> {
    let records = 0;
    for (let forgotten = rowsPerPart; forgotten === rowsPerPart; records += forgotten) {
      forgotten = await this.#database.transaction(async (client) => {
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
    return this.#database.outage;
  }

  abandon(): void {
    this.#database.abandon();
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
    return this.#turns.run(work);
  }
}

function countsOf(row: Readonly<Record<string, string | null>>): MappingCounts {
  return {
    pending: Number(row["pending"]),
    parked: Number(row["parked"]),
    held: Number(row["held"]),
    dead: Number(row["dead"]),
    written: Number(row["written"]),
    totalRead: Number(row["read"]),
    totalWritten: Number(row["sent"]),
    ...(row["last_written_at"] == null ? {} : { lastWrittenAt: Number(row["last_written_at"]) }),
  };
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
