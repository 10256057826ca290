/** What the queue does alone, every commit on disk: by processes that write as the engine does, each on a queue of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { Queue } from "../../src/worker/queue/interface.ts";
import type { Incoming } from "../../src/worker/queue/page.ts";
import { openSqliteQueue } from "../../src/worker/queue/sqlite/sqlite-queue.ts";
import type { LeasedRecord } from "../../src/worker/queue/turn.ts";
import type { Measurement } from "./table.ts";

const recordsPerPage = 5000;
/** As many as one worker has in work at most. */
const recordsInParallel = 64;
const leaseMs = 120_000;

/** Records a second. */
export interface QueueSpeed {
  readonly pages: number;
  readonly turns: number;
}

export async function queueAlone(): Promise<readonly Measurement[]> {
  const records = 100_000;
  const { pages, turns } = await embeddedSpeed(records);
  return [
    { what: `queue: pages of ${recordsPerPage} committed`, records, seconds: records / pages },
    { what: `queue: leased, begun and settled, ${recordsInParallel} at once`, records, seconds: records / turns },
  ];
}

export async function embeddedSpeed(records: number): Promise<QueueSpeed> {
  const directory = mkdtempSync(join(tmpdir(), "bench-queue-"));
  const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
  try {
    return await speedOf([queue], records);
  } finally {
    await queue.close();
    rmSync(directory, { recursive: true });
  }
}

/** @param queues of one store */
export async function speedOf(queues: readonly Queue[], records: number): Promise<QueueSpeed> {
  const [reader] = queues;
  if (reader === undefined) throw new Error("there is no queue");
  let startedAt = performance.now();
  for (let page = 0; page * recordsPerPage < records; page++) await commitPage(reader, page);
  const pages = (records * 1000) / (performance.now() - startedAt);
  for (const queue of queues) await queue.checkpoints(); // None is leased to who does not know the newest generation.
  startedAt = performance.now();
  await Promise.all(queues.map(drain));
  return { pages, turns: (records * 1000) / (performance.now() - startedAt) };
}

async function commitPage(queue: Queue, page: number): Promise<void> {
  const records = Array.from({ length: recordsPerPage }, (_, n): Incoming => {
    const id = `${String(page).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const payload = JSON.stringify({ firstName: "Firstname", lastName: `Lastname ${n}`, email: `${n}@example.com` });
    return { kind: "Upsert", id, version: BigInt(page), content: { targetKey: id, payload } };
  });
  const snapshot = { purpose: "FirstLoad", sweeping: false, nextLink: String(page) } as const;
  const checkpoint = { mapping: "contact", mappingHash: "h.h", generation: 1, snapshot };
  await queue.commitPage({ checkpoint, records, stage: "Snapshot", replay: false, listed: false });
}

/** As the engine's writer: so many turns at once, and the next records leased ahead. */
async function drain(queue: Queue): Promise<void> {
  let leased: LeasedRecord[] = [];
  let ahead: Promise<readonly LeasedRecord[]> | undefined;
  const lease = () => queue.lease("contact", recordsInParallel, leaseMs);
  const next = async (): Promise<LeasedRecord | undefined> => {
    while (leased.length === 0) {
      ahead ??= lease();
      const waitedFor = ahead;
      const found = await waitedFor;
      if (found.length === 0) return undefined;
      if (ahead !== waitedFor) continue; // Another turn took them.
      leased = [...found];
      ahead = lease();
    }
    return leased.shift();
  };
  const turns = async () => {
    for (let record = await next(); record !== undefined; record = await next()) await takeTurn(queue, record);
  };
  await Promise.all(Array.from({ length: recordsInParallel }, turns));
}

async function takeTurn(queue: Queue, record: LeasedRecord): Promise<void> {
  const { id, version = 0n, generation } = record;
  const written = { targetKey: id, version, generation, left: false } as const;
  await queue.begin(record, { ...written, certainty: "Inserting" }, leaseMs);
  const settled = { ...written, certainty: "Known", hash: queue.fingerprint(id) } as const;
  await queue.settle(record, { kind: "Written", written: settled, sent: true });
}
