import { StoreOutage } from "../errors.ts";
import type { LeasedRecord, WrittenRecord } from "../turn.ts";
import type { Database } from "./connection.ts";
import { escaped, unescaped } from "./texts.ts";

/** By their values in the tables. */
const certainties = ["Known", "Unknown", "Inserting", "Removing"] as const satisfies WrittenRecord["certainty"][];
const lefts = [false, "Filter", "Key"] as const satisfies WrittenRecord["left"][];

/** What take_turns is to do. */
export type Work = Readonly<Record<string, unknown>> & {
  readonly do: "lease" | "begin" | "settle" | "ask" | "giveBack" | "beginContact" | "endContact" | "audit";
};

interface Waiting {
  readonly work: Work;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** So that a batch is no long transaction. */
const worksAtOnce = 500;

/**
 * Group commit: what is asked for while a batch is on its way makes up the next one, which is one statement and one
 * transaction. Who asks waits for the answer before asking for what depends on it, so a batch's works have no order. If one
 * fails, none of its batch happened, and all of them are told.
 *
 * A batch is not on disk when it is over, so that nobody waits for the disk with the store's lock in hand; it is answered
 * when it is. What others saw of it meanwhile is no harm: what they store is on disk only after it is, too.
 */
export class Turns {
  readonly #database: Pick<Database, "change">;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  readonly #unanswered = new Set<Promise<void>>();
  #flush: Promise<void> = Promise.resolve();
  #nextFlush: Promise<void> | undefined;
  #closed = false;

  constructor(database: Pick<Database, "change">) {
    this.#database = database;
  }

  /** @returns the work's answer, once it is on disk */
  run(work: Work): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error("the queue is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ work, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Does what waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await Promise.all(this.#unanswered);
  }

  async #run(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#batch(this.#waiting.splice(0, worksAtOnce));
    this.#running = undefined;
  }

  async #batch(batch: readonly Waiting[]): Promise<void> {
    try {
      const works = JSON.stringify(batch.map(({ work }) => work));
      const [row] = await this.#database.change<{ answers: unknown[] }>("SELECT take_turns($1) AS answers", [works]);
      const answered = this.#answer(batch, row?.answers ?? []).finally(() => this.#unanswered.delete(answered));
      this.#unanswered.add(answered);
    } catch (error) {
      // One that cannot be stored is not to keep the others out.
      if (batch.length > 1 && !(error instanceof StoreOutage)) {
        for (const one of batch) await this.#batch([one]);
        return;
      }
      for (const { reject } of batch) reject(error);
    }
  }

  async #answer(batch: readonly Waiting[], answers: readonly unknown[]): Promise<void> {
    try {
      await this.#onDisk();
      batch.forEach(({ resolve }, index) => {
        resolve(answers[index]);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  /**
   * All that is committed now. One flush is for all that waited for it to begin; they are told as well when the one before it
   * fails: what they committed may have gone with the server, and the next flush would be another server's.
   */
  #onDisk(): Promise<void> {
    if (this.#nextFlush !== undefined) return this.#nextFlush;
    const flush = this.#flush.then(async () => {
      this.#nextFlush = undefined;
      // Something is to be committed, for that waits for the disk and for what stands by for it. Nobody reads it.
      await this.#database.change("SELECT pg_logical_emit_message(true, 'integration-workflow', '')");
    });
    this.#nextFlush = flush;
    this.#flush = flush;
    flush.catch(() => {
      if (this.#flush !== flush) return; // Who waits behind it is told first.
      this.#flush = Promise.resolve();
      this.#nextFlush = undefined;
    });
    return flush;
  }
}

/** A record as take_turns gives it. */
export interface LeasedRow {
  readonly seq: number;
  readonly id: string;
  readonly revision: number;
  readonly token: number;
  readonly removal: boolean;
  readonly version: string | null;
  readonly targetKey: string | null;
  readonly payload: string | null;
  readonly generation: number;
  readonly replay: boolean;
  readonly attempts: number;
  readonly listedThere: boolean | null;
  readonly written: WrittenRow | null;
}

export interface WrittenRow {
  readonly targetKey: string;
  readonly certainty: number;
  readonly hash: string | null;
  readonly checked: number | null;
  readonly version: string;
  readonly generation: number;
  readonly left: number;
  readonly writtenAt: number | null;
}

export function leasedOf(mapping: string, row: LeasedRow): LeasedRecord {
  const { id, seq, revision, token, version, targetKey, payload, generation, replay, attempts } = row;
  return {
    mapping,
    id: unescaped(id),
    ticket: { seq, revision, token },
    operation: row.removal ? "Delete" : "Upsert",
    ...(targetKey === null || payload === null ? {} : { content: { targetKey: unescaped(targetKey), payload } }),
    ...(version === null ? {} : { version: BigInt(version) }),
    generation,
    replay,
    attempts,
    ...(row.written === null ? {} : { written: writtenOf(row.written) }),
    ...(row.listedThere === null ? {} : { listedThere: row.listedThere }),
  };
}

export function writtenOf(row: WrittenRow): WrittenRecord {
  return {
    targetKey: unescaped(row.targetKey),
    certainty: certainties[row.certainty] ?? "Unknown",
    ...(row.hash === null ? {} : { hash: row.hash }),
    ...(row.checked === null ? {} : { checked: row.checked }),
    version: BigInt(row.version),
    generation: row.generation,
    left: lefts[row.left] ?? false,
  };
}

/** As put_written takes it. */
export function writtenRow({ targetKey, certainty, hash, checked, version, generation, left }: WrittenRecord): object {
  return {
    targetKey: escaped(targetKey),
    certainty: certainties.indexOf(certainty),
    hash,
    checked,
    version: String(version),
    generation,
    left: lefts.indexOf(left),
  };
}

/** What the functions know a leased record by. */
export function ticketOf({ mapping, id, ticket, generation, version }: LeasedRecord): object {
  return {
    mapping,
    id: escaped(id),
    ...ticket,
    generation,
    ...(version === undefined ? {} : { version: String(version) }),
  };
}
