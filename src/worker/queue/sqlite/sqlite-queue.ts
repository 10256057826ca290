import { createHmac } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Logger } from "../../../telemetry/log.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { storeFullMessage } from "../errors.ts";
import type { MappingCounts, Outage, Queue, Reading, StoreOwner } from "../interface.ts";
import { mismatchOf } from "../owner.ts";
import type { FilePages, PageCommit, PageResult, StoredFile } from "../page.ts";
import type { LeasedRecord, Leave, ParentQuestion, ParentStanding, Settlement, WrittenRecord } from "../turn.ts";
import { SqliteContacts } from "./contacts.ts";
import { Held } from "./held.ts";
import { Keys } from "./keys.ts";
import { LinkNews } from "./link-news.ts";
import { Links } from "./links.ts";
import { Mappings } from "./mappings.ts";
import { openDatabase, type StoreWait } from "./open.ts";
import { SqliteRecords } from "./records.ts";
import { StoreClock } from "./store-clock.ts";
import { Transactions } from "./transactions.ts";
import { Turns } from "./turns.ts";

export interface SqliteQueueOptions {
  readonly directory: string;
  /** Milliseconds since 1970: the store's clock. */
  readonly now: () => number;
  readonly logger: Logger;
  /** Told why, each time that the opening has to wait. */
  readonly waits?: (why: StoreWait) => void;
}

const truncateLogEveryMs = 10_000;
/** Longer than whoever found no room waits before the next try, so that it does not seem to be over in between. */
const fullForMs = 40_000;
const rowsPerPart = 2000;
const emptied = "give it a new volume (stop it, delete its volume claim, start it)";

/**
 * Opens the queue in a directory, and waits while another process has it.
 * @throws StoreError; the signal's reason when it aborts
 */
export async function openSqliteQueue(options: SqliteQueueOptions, signal: AbortSignal): Promise<Queue> {
  const { directory, logger, now, waits = () => {} } = options;
  return new SqliteQueue(await openDatabase(directory, logger, signal, waits), now, logger);
}

class SqliteQueue implements Queue {
  readonly isShared = false;
  readonly records: SqliteRecords;
  readonly contacts: SqliteContacts;
  readonly #database: DatabaseSync;
  /** For what people see, and for its retention. */
  readonly #wall: () => number;
  readonly #clock: StoreClock;
  readonly #transactions: Transactions;
  readonly #mappings: Mappings;
  readonly #linkNews: LinkNews;
  readonly #turns: Turns;
  readonly #fingerprintKey: Buffer;
  readonly #truncation: NodeJS.Timeout;
  readonly #logger: Logger;
  #fullAt = Number.NEGATIVE_INFINITY;
  readonly #held: Held;
  readonly #counts;

  constructor(database: DatabaseSync, wall: () => number, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
    this.#wall = wall;
    this.#clock = new StoreClock(wall, database);
    this.#fingerprintKey = Buffer.from(this.#meta("fingerprint_key") ?? "", "base64");
    this.#transactions = new Transactions(database, () => this.#noRoom());
    this.#linkNews = new LinkNews(database);
    const links = new Links(database, this.#linkNews);
    const keys = new Keys(database);
    this.#held = new Held(database);
    const fingerprint = (text: string) => this.fingerprint(text);
    this.#turns = new Turns(database, keys, links, fingerprint);
    const now = () => this.#clock.now();
    const parts = { held: this.#held, keys, links, fingerprint, now, wall };
    this.#mappings = new Mappings(database, this.#transactions, parts);
    this.records = new SqliteRecords(database, this.#transactions, this.#clock);
    const { turns, mappings } = { turns: this.#turns, mappings: this.#mappings };
    this.contacts = new SqliteContacts(database, this.#transactions, { turns, mappings, now, wall });
    this.#counts = database.prepare("SELECT * FROM counters");
    this.#truncation = setInterval(() => this.#truncateLog(), truncateLogEveryMs);
    this.#truncation.unref();
  }

  claim(owner: StoreOwner): Promise<void> {
    return this.#transactions
      .run(() => {
        const found = this.#meta("owner");
        const mismatch =
          found === undefined ? undefined : mismatchOf(ownerOf(found), owner, "the queue's volume", emptied);
        if (mismatch === undefined) this.#putMeta("owner", JSON.stringify(owner));
        return mismatch;
      })
      .then((mismatch) => {
        if (mismatch !== undefined) throw mismatch;
      });
  }

  /** The store is this process's alone. */
  async read(): Promise<Reading> {
    return { lost: new AbortController().signal, end: async () => {} };
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

  lease(mapping: string, limit: number, leaseMs: number): Promise<readonly LeasedRecord[]> {
    return this.#transactions.run(() => {
      const now = this.#clock.now();
      this.#linkNews.proceed(now);
      return this.#turns.lease(mapping, limit, leaseMs, now);
    });
  }

  askParents(record: LeasedRecord, questions: readonly ParentQuestion[]): Promise<readonly ParentStanding[]> {
    return this.#transactions.run(() => this.#turns.askParents(record, questions, this.#clock.now()));
  }

  begin(record: LeasedRecord, written: WrittenRecord, leaseMs: number): Promise<Leave> {
    return this.#transactions.run(() => this.#turns.begin(record, written, leaseMs, this.#clock.now()));
  }

  settle(record: LeasedRecord, settlement: Settlement): Promise<void> {
    return this.#transactions.run(() => this.#turns.settle(record, settlement, this.#clock.now(), this.#wall()));
  }

  giveBack(records: readonly LeasedRecord[]): Promise<void> {
    return this.#transactions.run(() => {
      for (const record of records) this.#turns.giveBack(record);
    });
  }

  counts(): Promise<ReadonlyMap<string, MappingCounts>> {
    return this.#transactions.run(() => {
      const held = this.#held.counts();
      return new Map(
        this.#counts.all().map((row) => [
          String(row["mapping"]),
          {
            pending: Number(row["pending"]),
            parked: Number(row["parked"]),
            held: held.get(row["mapping"]) ?? 0,
            dead: Number(row["dead"]),
            written: Number(row["written"]),
            totalRead: Number(row["read"]),
            totalWritten: Number(row["sent"]),
            ...(row["last_written_at"] === null ? {} : { lastWrittenAt: Number(row["last_written_at"]) }),
          },
        ]),
      );
    });
  }

  async forgetRefusals(olderThanMs: number): Promise<number> {
    const part = this.#database.prepare(
      "DELETE FROM dead WHERE (mapping, id) IN (SELECT mapping, id FROM dead WHERE refused_at < ? LIMIT ?)",
    );
    const before = this.#wall() - olderThanMs;
    let records = 0;
    for (let forgotten = rowsPerPart; forgotten === rowsPerPart; records += forgotten) {
      forgotten = await this.#transactions.run(() => Number(part.run(before, rowsPerPart).changes));
    }
    return records;
  }

  fingerprint(text: string): string {
    return createHmac("sha256", this.#fingerprintKey).update(text).digest("base64url").slice(0, 22);
  }

  get outage(): Outage | undefined {
    return this.#isFull ? { reason: "StoreFull", message: storeFullMessage } : undefined;
  }

  /** Nothing here waits for anybody. */
  abandon(): void {}

  async close(): Promise<void> {
    clearInterval(this.#truncation);
    if (!this.#database.isOpen) return;
    this.#transactions.close();
    this.#truncateLog();
    this.#database.close();
  }

  get #isFull(): boolean {
    return this.#clock.now() - this.#fullAt < fullForMs;
  }

  #noRoom(): void {
    if (!this.#isFull) this.#logger.warn("queue.full", { why: storeFullMessage });
    this.#fullAt = this.#clock.now();
  }

  /** Nothing depends on it but how long deleted values stay in the log: it is done again later. */
  #truncateLog(): void {
    try {
      this.#transactions.truncateLog();
    } catch (error) {
      this.#logger.error("queue.log-not-truncated", { error });
    }
  }

  #meta(key: string): string | undefined {
    const value = this.#database.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.["value"];
    return typeof value === "string" ? value : undefined;
  }

  #putMeta(key: string, value: string): void {
    this.#database
      .prepare("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
      .run(key, value);
  }
}

function ownerOf(text: string): StoreOwner {
  return JSON.parse(text) as StoreOwner; // Written by claim() alone.
}
