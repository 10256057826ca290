import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { Incoming, LeasedRecord, Queue } from "../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../src/worker/queue/postgres/postgres-queue.ts";
import { openSqliteQueue } from "../../src/worker/queue/sqlite/sqlite-queue.ts";
import { PostgresServer } from "../integration/postgres/server.ts";
import type { Measurement } from "./table.ts";

const pages = 20;
const recordsPerPage = 5000;
const recordsInParallel = 64;
const leaseMs = 120_000;

/** What the queue does alone, every commit on disk. */
export async function queueAlone(): Promise<readonly Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-queue-"));
  const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
  try {
    return await measure([queue], "queue");
  } finally {
    await queue.close();
    rmSync(directory, { recursive: true });
  }
}

/** The same in PostgreSQL on this machine, by one, two and four workers. */
export async function queueInPostgres(): Promise<readonly Measurement[]> {
  const server = await PostgresServer.start();
  const measurements: Measurement[] = [];
  try {
    for (const workers of [1, 2, 4]) {
      const open = () =>
        openPostgresQueue(
          {
            url: async () => server.url(),
            secret: "no Secret",
            workflow: { namespace: "bench", name: `of-${workers}`, uid: "" },
            logger: silentLogger,
          },
          new AbortController().signal,
        );
      const queues = await Promise.all(Array.from({ length: workers }, open));
      measurements.push(...(await measure(queues, `queue in PostgreSQL, workers: ${workers}`)));
      await Promise.all(queues.map((queue) => queue.close()));
    }
    return measurements;
  } finally {
    await server.end();
  }
}

/** @param queues of one store, each with its own records in hand */
async function measure(queues: readonly Queue[], what: string): Promise<readonly Measurement[]> {
  const [reader] = queues;
  if (reader === undefined) return [];
  const records = pages * recordsPerPage;
  let startedAt = performance.now();
  for (let page = 0; page < pages; page++) await commitPage(reader, page);
  const commitSeconds = (performance.now() - startedAt) / 1000;
  startedAt = performance.now();
  await Promise.all(queues.flatMap((queue) => Array.from({ length: recordsInParallel }, () => drain(queue))));
  const drainSeconds = (performance.now() - startedAt) / 1000;
  return [
    { what: `${what}: pages of ${recordsPerPage} committed`, records, seconds: commitSeconds },
    { what: `${what}: leased, begun and settled, ${recordsInParallel} at once`, records, seconds: drainSeconds },
  ];
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

async function drain(queue: Queue): Promise<void> {
  for (;;) {
    const records = await queue.lease("contact", 8, leaseMs);
    if (records.length === 0) return;
    for (const record of records) await takeTurn(queue, record);
  }
}

async function takeTurn(queue: Queue, record: LeasedRecord): Promise<void> {
  const { id, version = 0n, generation } = record;
  const written = { targetKey: id, version, generation, left: false } as const;
  await queue.begin(record, { ...written, certainty: "Inserting" }, leaseMs);
  const settled = { ...written, certainty: "Known", hash: queue.fingerprint(id) } as const;
  await queue.settle(record, { kind: "Written", written: settled, sent: true });
}
