/** Queues on a store of their own, on a clock that the test sets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { Incoming } from "../../../../src/worker/queue/page.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import type { LeasedRecord, WrittenRecord } from "../../../../src/worker/queue/turn.ts";
import { checkpointAt } from "./pages.ts";

export const leaseMs = 60_000;

/** Of one test: what its queues store, over all their lives. */
export interface TestStore {
  open(now: () => number, signal: AbortSignal): Promise<Queue>;
  /** How many rows a table has. */
  count(table: "pending" | "dead" | "written", mapping: string, which?: "parked"): Promise<number>;
  /** Forgets everything. */
  empty(): Promise<void>;
}

export class SqliteStore implements TestStore {
  readonly directory = mkdtempSync(join(tmpdir(), "queue-test-"));

  open(now: () => number, signal: AbortSignal): Promise<Queue> {
    return openSqliteQueue({ directory: this.directory, now, logger: silentLogger }, signal);
  }

  async count(table: string, mapping: string, which = "1"): Promise<number> {
    const database = new DatabaseSync(join(this.directory, "queue.db"));
    const row = database.prepare(`SELECT count(*) AS n FROM ${table} WHERE mapping = ? AND ${which}`).get(mapping);
    database.close();
    return Number(row?.["n"]);
  }

  async empty(): Promise<void> {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What tests of every store run on. A file that imports them for another store says so first. */
const stores: { make: () => TestStore } = { make: () => new SqliteStore() };

export function testOn(make: () => TestStore): void {
  stores.make = make;
}

export class QueueGround {
  readonly store: TestStore;
  now = 1_800_000_000_000;
  readonly #queues: Queue[] = [];

  constructor(store = stores.make()) {
    this.store = store;
  }

  async open(signal = AbortSignal.timeout(30_000)): Promise<Queue> {
    const queue = await this.store.open(() => this.now, signal);
    this.#queues.push(queue);
    return queue;
  }

  /** Of the embedded store. */
  get directory(): string {
    if (!(this.store instanceof SqliteStore)) throw new Error("this store has no directory");
    return this.store.directory;
  }

  async end(): Promise<void> {
    for (const queue of this.#queues) await queue.close();
    await this.store.empty();
  }
}

export function commit(queue: Queue, records: readonly Incoming[], generation = 1) {
  return queue.commitPage({
    checkpoint: checkpointAt(0, { generation }),
    records,
    stage: "Round",
    replay: false,
    listed: false,
    release: { inferredLimit: 100 },
  });
}

export const known = (record: LeasedRecord): WrittenRecord => ({
  targetKey: record.content?.targetKey ?? record.id,
  certainty: "Known",
  hash: "h",
  version: record.version ?? 0n,
  generation: record.generation,
  left: false,
});

export async function leaseOne(queue: Queue): Promise<LeasedRecord> {
  const [record] = await queue.lease("contact", 1, leaseMs);
  if (record === undefined) throw new Error("nothing is due");
  return record;
}
