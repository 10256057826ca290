/** Queues in a directory of their own, on a clock that the test sets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { Incoming, LeasedRecord, Queue, WrittenRecord } from "../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { checkpointAt } from "./pages.ts";

export const leaseMs = 60_000;

export class QueueGround {
  readonly directory = mkdtempSync(join(tmpdir(), "queue-test-"));
  now = 1_800_000_000_000;
  readonly #queues: Queue[] = [];

  async open(signal = AbortSignal.timeout(5000)): Promise<Queue> {
    const queue = await openSqliteQueue(
      { directory: this.directory, now: () => this.now, logger: silentLogger },
      signal,
    );
    this.#queues.push(queue);
    return queue;
  }

  async end(): Promise<void> {
    for (const queue of this.#queues) await queue.close();
    rmSync(this.directory, { recursive: true, force: true });
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
