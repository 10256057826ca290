import type { DatabaseSync } from "node:sqlite";
import type { Checkpoint } from "../checkpoint.ts";
import type { NoticeCommit } from "../contacts.ts";
import type { FilePages, PageCommit, PageResult, StoredFile } from "../page.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { Held } from "./held.ts";
import { Intake } from "./intake.ts";
import type { Keys } from "./keys.ts";
import { unparking } from "./link-news.ts";
import type { Links } from "./links.ts";
import { Notices } from "./notices.ts";
import type { Transactions } from "./transactions.ts";
import { Unseen } from "./unseen.ts";

const rowsPerPart = 2000;

interface Parts {
  readonly held: Held;
  readonly keys: Keys;
  readonly links: Links;
  readonly fingerprint: (text: string) => string;
  /** By the store's clock. */
  readonly now: () => number;
  readonly wall: () => number;
}

/** Where the reading of each mapping stands, and what goes with it in one transaction. */
export class Mappings {
  readonly #database: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #checkpoints: Checkpoints;
  readonly #held: Held;
  readonly #intake: Intake;
  readonly #notices: Notices;
  readonly #unseen: Unseen;
  readonly #fingerprint: (text: string) => string;
  readonly #now: () => number;
  readonly #wall: () => number;

  constructor(database: DatabaseSync, transactions: Transactions, { held, keys, links, ...parts }: Parts) {
    this.#database = database;
    this.#transactions = transactions;
    this.#checkpoints = new Checkpoints(database, links);
    this.#held = held;
    this.#intake = new Intake(database, this.#checkpoints, held, keys, links);
    this.#notices = new Notices(database);
    this.#unseen = new Unseen(database, keys, links);
    this.#fingerprint = parts.fingerprint;
    this.#now = parts.now;
    this.#wall = parts.wall;
  }

  all(): Promise<readonly Checkpoint[]> {
    return this.#transactions.run(() => this.#checkpoints.all());
  }

  save(checkpoint: Checkpoint): Promise<void> {
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

  async drop(mapping: string): Promise<void> {
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
      "DELETE FROM agreements WHERE mapping = ?1 AND id IN (SELECT id FROM agreements WHERE mapping = ?1 LIMIT ?2)",
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
    const commit = () => this.#intake.commit(page, this.#now(), this.#wall());
    const { taken, withheld } = await this.#transactions.run(commit);
    if (withheld !== undefined) return { taken, withheld };
    const kept = await this.#held.letGoInParts(page, page.release?.inferredLimit ?? 0, this.#transactions);
    if (page.stage === "Snapshot") await this.save(page.checkpoint);
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

  commitFile(file: StoredFile, pages: FilePages): Promise<void> {
    return this.#transactions.run(() => {
      for (const page of pages) this.#intake.commit(page, this.#now(), this.#wall());
      this.#putFile(file);
    });
  }

  /** See StoredContacts. */
  tell(commit: NoticeCommit): Promise<void> {
    const { checkpoint, file } = commit;
    return this.#transactions.run(() => {
      this.#notices.take(commit, this.#now());
      if (checkpoint !== undefined) this.#checkpoints.put(checkpoint);
      if (file === undefined) return;
      this.#intake.commit(file.refused, this.#now(), this.#wall());
      this.#putFile(file.progress);
    });
  }

  #putFile({ name, progress }: StoredFile): void {
    this.#database.prepare("INSERT OR REPLACE INTO files (name, progress) VALUES (?, ?)").run(name, progress);
  }

  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void> {
    const put = this.#database.prepare("INSERT OR IGNORE INTO listed (mapping, fingerprint) VALUES (?, ?)");
    return this.#transactions.run(() => {
      this.#checkpoints.put(checkpoint);
      for (const key of targetKeys) put.run(checkpoint.mapping, this.#fingerprint(key));
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

  sweep(mapping: string, generation: number, remove: boolean, after: string): Promise<string | undefined> {
    return this.#transactions.run(() => this.#unseen.sweep(mapping, generation, remove, after, this.#now()));
  }
}
