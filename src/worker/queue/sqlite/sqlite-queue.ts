import { createHmac } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Logger } from "../../../telemetry/log.ts";
import { storeFullMessage } from "../errors.ts";
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
import { Checkpoints } from "./checkpoints.ts";
import { Held } from "./held.ts";
import { Intake } from "./intake.ts";
import { Keys } from "./keys.ts";
import { LinkNews, unparking } from "./link-news.ts";
import { Links } from "./links.ts";
import { openDatabase, type StoreWait } from "./open.ts";
import { SqliteRecords } from "./records.ts";
import { StoreClock } from "./store-clock.ts";
import { Transactions } from "./transactions.ts";
import { Turns } from "./turns.ts";
import { Unseen } from "./unseen.ts";

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
  readonly #database: DatabaseSync;
  /** For what people see, and for its retention. */
  readonly #wall: () => number;
  readonly #clock: StoreClock;
  readonly #transactions: Transactions;
  readonly #checkpoints: Checkpoints;
  readonly #keys: Keys;
  readonly #linkNews: LinkNews;
  readonly #links: Links;
  readonly #intake: Intake;
  readonly #turns: Turns;
  readonly #unseen: Unseen;
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
    this.#links = new Links(database, this.#linkNews);
    this.#checkpoints = new Checkpoints(database, this.#links);
    this.#keys = new Keys(database);
    this.#held = new Held(database);
    this.#intake = new Intake(database, this.#checkpoints, this.#held, this.#keys, this.#links);
    this.#turns = new Turns(database, this.#keys, this.#links, (text) => this.fingerprint(text));
    this.#unseen = new Unseen(database, this.#keys, this.#links);
    this.records = new SqliteRecords(database, this.#transactions, this.#clock);
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
    return this.#transactions.run(() => this.#checkpoints.all());
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#transactions.run(() => this.#checkpoints.put(checkpoint));
  }

  async beginGeneration(checkpoint: Checkpoint): Promise<void> {
    const { mapping } = checkpoint;
    const end = this.#database.prepare(
      "SELECT max(seq) AS seq FROM (SELECT seq FROM pending WHERE mapping = ? AND seq > ? ORDER BY seq LIMIT ?)",
    );
    const toKeys = this.#database.prepare(
      `UPDATE pending SET operation = 0, target_key = NULL, payload = NULL, held = 0, inferred = 0, listed = 0,
         ${unparking}, revision = revision + 1 WHERE mapping = ? AND seq > ? AND seq <= ?`,
    );
    const absent = this.#database.prepare(
      "DELETE FROM absent WHERE mapping = ?1 AND id IN (SELECT id FROM absent WHERE mapping = ?1 LIMIT ?2)",
    );
    // In parts, so that no transaction is long, and before the checkpoint: a key is right in every generation, and what was
    // found to be absent is looked for again.
    while ((await this.#transactions.run(() => absent.run(mapping, rowsPerPart).changes)) !== 0);
    for (let from = 0; ; ) {
      const seq = await this.#transactions.run(() => {
        const last = end.get(mapping, from, rowsPerPart)?.["seq"];
        if (typeof last === "number") toKeys.run(mapping, from, last);
        else this.#checkpoints.put(checkpoint);
        return last;
      });
      if (typeof seq !== "number") return;
      from = seq;
    }
  }

  async dropMapping(mapping: string): Promise<void> {
    // In parts, so that no transaction is long. The checkpoint goes last, and says from the first that what is left of the
    // mapping is of no use: an interrupted drop is done again, also when the mapping is back by then.
    await this.#transactions.run(() =>
      this.#database.prepare("UPDATE checkpoint SET mapping_hash = '' WHERE mapping = ?").run(mapping),
    );
    const parts = [
      "DELETE FROM pending WHERE seq IN (SELECT seq FROM pending WHERE mapping = ?1 LIMIT ?2)",
      "DELETE FROM written WHERE mapping = ?1 AND id IN (SELECT id FROM written WHERE mapping = ?1 LIMIT ?2)",
      "DELETE FROM dead WHERE mapping = ?1 AND id IN (SELECT id FROM dead WHERE mapping = ?1 LIMIT ?2)",
      "DELETE FROM links WHERE mapping = ?1 AND id IN (SELECT id FROM links WHERE mapping = ?1 LIMIT ?2)",
      "DELETE FROM absent WHERE mapping = ?1 AND id IN (SELECT id FROM absent WHERE mapping = ?1 LIMIT ?2)",
    ].map((sql) => this.#database.prepare(sql));
    for (const part of parts) {
      while ((await this.#transactions.run(() => part.run(mapping, rowsPerPart).changes)) !== 0);
    }
    await this.forgetListing(mapping);
    await this.#transactions.run(() => {
      this.#database.prepare("DELETE FROM checkpoint WHERE mapping = ?").run(mapping);
      this.#database.prepare("DELETE FROM counters WHERE mapping = ?").run(mapping);
    });
  }

  async commitPage(page: PageCommit): Promise<PageResult> {
    const commit = () => this.#intake.commit(page, this.#clock.now(), this.#wall());
    const { taken, withheld } = await this.#transactions.run(commit);
    if (withheld !== undefined) return { taken, withheld };
    const kept = await this.#held.letGoInParts(page, page.release?.inferredLimit ?? 0, this.#transactions);
    if (page.stage === "Snapshot") await this.saveCheckpoint(page.checkpoint);
    return { taken, withheld: kept };
  }

  files(): Promise<readonly StoredFile[]> {
    return this.#transactions.run(() =>
      this.#database
        .prepare("SELECT name, progress FROM files ORDER BY name")
        .all()
        .map(({ name, progress }) => ({ name: String(name), progress: String(progress) })),
    );
  }

  commitFile({ name, progress }: StoredFile, pages: FilePages): Promise<void> {
    const put = this.#database.prepare("INSERT OR REPLACE INTO files (name, progress) VALUES (?, ?)");
    return this.#transactions.run(() => {
      for (const page of pages) this.#intake.commit(page, this.#clock.now(), this.#wall());
      put.run(name, progress);
    });
  }

  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void> {
    const put = this.#database.prepare("INSERT OR IGNORE INTO listed (mapping, fingerprint) VALUES (?, ?)");
    return this.#transactions.run(() => {
      this.#checkpoints.put(checkpoint);
      for (const key of targetKeys) put.run(checkpoint.mapping, this.fingerprint(key));
    });
  }

  async forgetListing(mapping: string): Promise<void> {
    const part = this.#database.prepare(
      `DELETE FROM listed WHERE mapping = ?1 AND fingerprint IN (SELECT fingerprint FROM listed WHERE mapping = ?1 LIMIT ?2)`,
    );
    while ((await this.#transactions.run(() => part.run(mapping, rowsPerPart).changes)) !== 0);
  }

  async countUnseen(mapping: string, generation: number): Promise<number> {
    let unseen = 0;
    for (let after: string | undefined = ""; after !== undefined; ) {
      const from: string = after;
      const part = await this.#transactions.run(() => this.#unseen.part(mapping, generation, from));
      unseen += part.unseen;
      after = part.next;
    }
    return unseen;
  }

  releaseWithheld(mapping: string): Promise<void> {
    return this.#held.releaseInferred(mapping, this.#transactions);
  }

  sweep(mapping: string, generation: number, remove: boolean, after = ""): Promise<string | undefined> {
    return this.#transactions.run(() => this.#unseen.sweep(mapping, generation, remove, after, this.#clock.now()));
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
