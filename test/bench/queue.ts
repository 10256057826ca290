import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { Incoming, LeasedRecord, Queue } from "../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../src/worker/queue/sqlite/sqlite-queue.ts";
import type { Measurement } from "./table.ts";

const pages = 20;
const recordsPerPage = 5000;
const recordsInParallel = 64;
const leaseMs = 120_000;

/** What the queue does alone, every commit on disk. */
export async function queueAlone(): Promise<readonly Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-queue-"));
  const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
  const records = pages * recordsPerPage;
  try {
    let startedAt = performance.now();
    for (let page = 0; page < pages; page++) await commitPage(queue, page);
    const commitSeconds = (performance.now() - startedAt) / 1000;
    startedAt = performance.now();
    await Promise.all(Array.from({ length: recordsInParallel }, () => drain(queue)));
    const drainSeconds = (performance.now() - startedAt) / 1000;
    return [
      { what: `queue: pages of ${recordsPerPage} committed`, records, seconds: commitSeconds },
      { what: `queue: leased, begun and settled, ${recordsInParallel} at once`, records, seconds: drainSeconds },
    ];
  } finally {
    await queue.close();
    rmSync(directory, { recursive: true });
  }
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
