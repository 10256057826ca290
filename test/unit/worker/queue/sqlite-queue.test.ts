import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type {
  Incoming,
  LeasedRecord,
  Queue,
  Settlement,
  WrittenRecord,
} from "../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { checkpointAt, recordsPerPage, upsert } from "./pages.ts";

let directory: string;
let now: number;
let queues: Queue[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "queue-test-"));
  now = 1_800_000_000_000;
  queues = [];
});

afterEach(async () => {
  for (const queue of queues) await queue.close();
  rmSync(directory, { recursive: true, force: true });
});

async function open(): Promise<Queue> {
  const queue = await openSqliteQueue({ directory, now: () => now, logger: silentLogger }, AbortSignal.timeout(5000));
  queues.push(queue);
  return queue;
}

function commit(queue: Queue, records: readonly Incoming[], generation = 1) {
  return queue.commitPage({
    checkpoint: checkpointAt(0, { generation }),
    records,
    stage: "Round",
    replay: false,
    listed: false,
    release: { inferredLimit: 100 },
  });
}

const leaseMs = 60_000;
const known = (record: LeasedRecord): WrittenRecord => ({
  targetKey: record.content?.targetKey ?? record.id,
  certainty: "Known",
  hash: "h",
  version: record.version ?? 0n,
  generation: record.generation,
  left: false,
});

async function leaseOne(queue: Queue): Promise<LeasedRecord> {
  const [record] = await queue.lease("contact", 1, leaseMs);
  if (record === undefined) throw new Error("nothing is due");
  return record;
}

describe("the queue on SQLite", () => {
  it("gives records in the order in which they were first read, the newest version at the place of the first", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    now += 10;
    await commit(queue, [upsert("c", 1n), upsert("a", 2n)]);
    const records = await queue.lease("contact", 10, leaseMs);
    expect(records.map(({ id, version }) => `${id}${version}`)).toEqual(["a2", "b1", "c1"]);
  });

  it("keeps 64 bits of a row version", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 2n ** 62n + 1n)]);
    await commit(queue, [upsert("a", 2n ** 62n)]);
    expect((await leaseOne(queue)).version).toBe(2n ** 62n + 1n);
  });

  it("gives a leased record to nobody else until its lease is over", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    await leaseOne(queue);
    now += leaseMs - 1;
    expect(await queue.lease("contact", 1, leaseMs)).toEqual([]);
    now += 1;
    expect(await queue.lease("contact", 1, leaseMs)).toHaveLength(1);
  });

  it("goes on when the machine's clock is set back, and lets no lease end sooner, now or after a restart", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    const [a] = await queue.lease("contact", 1, leaseMs);
    if (a === undefined) throw new Error("nothing is due");
    await queue.begin(a, known(a), leaseMs);
    now -= 3_600_000;
    expect((await queue.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    await queue.close();
    now -= 3_600_000;
    const next = await open();
    expect((await next.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    now += leaseMs - 1;
    expect(await next.lease("contact", 9, leaseMs)).toEqual([]);
    now += 1;
    expect(await next.lease("contact", 9, leaseMs)).toHaveLength(2);
  });

  it("keeps a version that came while an older one was being written, and knows what was written", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    expect(await queue.begin(first, known(first), leaseMs)).toBe("Begun");
    await commit(queue, [upsert("a", 2n)]);
    await queue.settle(first, { kind: "Written", written: known(first), sent: true });
    const second = await leaseOne(queue);
    expect(second).toMatchObject({ version: 2n, written: { version: 1n, certainty: "Known" } });
  });

  it("sends nothing for a record that was changed between lease and begin, and gives it again at once", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    await commit(queue, [upsert("a", 2n)]);
    expect(await queue.begin(first, known(first), leaseMs)).toBe("Superseded");
    expect(await leaseOne(queue)).toMatchObject({ version: 2n });
  });

  it("after a restart, gives what was leased at once, but not what was begun", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    const [a] = await queue.lease("contact", 2, leaseMs);
    if (a === undefined) throw new Error("nothing is due");
    await queue.begin(a, { ...known(a), certainty: "Inserting" }, leaseMs);
    await queue.close();
    const next = await open();
    expect((await next.lease("contact", 9, leaseMs)).map(({ id }) => id)).toEqual(["b"]);
    now += leaseMs;
    expect((await next.lease("contact", 9, leaseMs)).find(({ id }) => id === "a")).toMatchObject({
      written: { certainty: "Inserting" },
    });
  });

  it("restores what was written before when a write was definitely not done", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    const first = await leaseOne(queue);
    await queue.begin(first, { ...known(first), certainty: "Inserting" }, leaseMs);
    await queue.settle(first, { kind: "Retry", before: undefined, afterMs: 1000, counts: true });
    expect(await queue.lease("contact", 1, leaseMs)).toEqual([]);
    now += 1000;
    const again = await leaseOne(queue);
    expect(again.written).toBeUndefined();
    expect(again.attempts).toBe(1);
  });

  it("lets inferred deletions go up to the limit, and withholds them all above it", async () => {
    const queue = await open();
    const ids = Array.from({ length: 5 }, (_, n) => `r${n}`);
    await commit(
      queue,
      ids.map((id) => upsert(id, 1n)),
    );
    for (const record of await queue.lease("contact", 9, leaseMs)) {
      await queue.settle(record, { kind: "Written", written: known(record), sent: true });
    }
    const left = ids.map((id) => ({ kind: "FilteredOut", id, version: 2n, remove: true }) as const);
    const page = { checkpoint: checkpointAt(1), records: left, stage: "Round", replay: false, listed: false } as const;
    expect(await queue.commitPage({ ...page, release: { inferredLimit: 4 } })).toEqual({ taken: 5, withheld: 5 });
    expect(await queue.lease("contact", 9, leaseMs)).toEqual([]);
    await queue.releaseWithheld("contact");
    expect(await queue.lease("contact", 9, leaseMs)).toHaveLength(5);
  });

  it("drops a mapping whole", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n), upsert("b", 1n)]);
    await queue.commitListing(checkpointAt(1), ["x", "y"]);
    await queue.dropMapping("contact");
    expect(await queue.checkpoints()).toEqual([]);
    expect((await queue.counts()).size).toBe(0);
  });

  it("counts exactly what its tables hold, whatever happens", async () => {
    const id = fc.integer({ min: 0, max: 7 }).map((n) => `r${n}`);
    const version = fc.bigInt({ min: 1n, max: 9n });
    const refusal = { reason: "R", message: "m" };
    const incoming: fc.Arbitrary<Incoming> = fc.oneof(
      fc.tuple(id, version).map(([key, v]) => upsert(key, v)),
      id.map((key) => ({ kind: "Delete", id: key }) as const),
      fc
        .tuple(id, version, fc.boolean())
        .map(([key, v, remove]) => ({ kind: "FilteredOut", id: key, version: v, remove }) as const),
      fc.tuple(id, version).map(([key, v]) => ({ kind: "Refused", id: key, version: v, refusal }) as const),
    );
    const end = fc.constantFrom<Settlement["kind"]>(
      "Written",
      "Removed",
      "Left",
      "RemoveLater",
      "Retry",
      "Unknown",
      "Dead",
    );
    const step = fc.oneof(
      fc.array(incoming, { maxLength: 6 }).map((records) => ({ records })),
      fc.array(end, { minLength: 1, maxLength: 4 }).map((ends) => ({ ends })),
      fc.constant({ sweep: true }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const queue = await open();
      let generation = 1;
      for (const what of steps) {
        now += leaseMs;
        if ("records" in what) await commit(queue, what.records, generation);
        else if ("sweep" in what) {
          generation += 1;
          await queue.beginGeneration(checkpointAt(0, { generation }));
          await queue.sweep("contact", generation, generation % 2 === 0, 3);
        } else {
          const records = await queue.lease("contact", what.ends.length, leaseMs);
          await Promise.all(records.map((record, n) => queue.settle(record, settlementOf(what.ends[n], record))));
        }
      }
      const counts = (await queue.counts()).get("contact");
      await queue.close();
      const database = new DatabaseSync(join(directory, "queue.db"));
      for (const table of ["pending", "dead", "written"] as const) {
        const rows = database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"];
        expect(counts?.[table] ?? 0, table).toBe(rows);
      }
      database.close();
      rmSync(directory, { recursive: true, force: true });
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

function settlementOf(kind: Settlement["kind"] | undefined, record: LeasedRecord): Settlement {
  const version = record.version ?? 1n;
  switch (kind) {
    case "Written":
      return { kind, written: known(record), sent: true };
    case "Removed":
      return { kind, sent: true };
    case "Left":
    case "RemoveLater":
      return { kind, version };
    case "Dead":
      return { kind, before: record.written, refusal: { reason: "R", message: "m" } };
    case "Unknown":
      return { kind };
    default:
      return { kind: "Retry", before: record.written, afterMs: 0, counts: true };
  }
}

describe("the store on disk", () => {
  const owner = {
    organizationId: "org-1",
    campaignUrl: "https://mc.adobe.io/contoso/campaign",
    workflow: { name: "contacts", namespace: "crm", uid: "1" },
  };

  it("goes on for the same workflow under a new uid, and for nobody else", async () => {
    const queue = await open();
    await queue.claim(owner);
    await queue.claim({ ...owner, workflow: { ...owner.workflow, uid: "2" } });
    const code = "StoreBelongsToAnother";
    await expect(queue.claim({ ...owner, organizationId: "org-2" })).rejects.toMatchObject({ code });
    await expect(queue.claim({ ...owner, campaignUrl: "https://other.example" })).rejects.toMatchObject({ code });
    const other = { ...owner, workflow: { ...owner.workflow, name: "leads" } };
    await expect(queue.claim(other)).rejects.toThrow(/workflow crm\/contacts, not crm\/leads/);
  });

  it("refuses a store of a newer version, and one that is something else", async () => {
    await (await open()).close();
    const path = join(directory, "queue.db");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99; UPDATE meta SET value = '99' WHERE key = 'oldest_reader'");
    database.close();
    await expect(open()).rejects.toMatchObject({ code: "StoreTooNew" });
    writeFileSync(path, "this is not a database, and long enough to be looked at as one".repeat(100));
    await expect(open()).rejects.toMatchObject({ code: "StoreUnreadable" });
  });

  it("uses a store of a newer version that says it can be used by older programs", async () => {
    await (await open()).close();
    const database = new DatabaseSync(join(directory, "queue.db"));
    database.exec("PRAGMA user_version = 98");
    database.close();
    expect(await (await open()).checkpoints()).toEqual([]);
  });

  it("holds nothing of a payload once it is written and the log truncated", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n, '{"email":"jane.doe@example.com"}')]);
    const record = await leaseOne(queue);
    await queue.settle(record, { kind: "Written", written: known(record), sent: true });
    await queue.close();
    for (const file of ["queue.db", "queue.db-wal"]) {
      const bytes = readIfThere(join(directory, file));
      expect(bytes.includes("jane.doe"), file).toBe(false);
    }
  });

  it("loses no committed page and tears none, however often its process is killed", async () => {
    let committed = -1;
    for (let kill = 0; kill < 6; kill++) {
      committed = await killWhileWriting(directory, committed + 1);
      const queue = await open();
      const [checkpoint] = await queue.checkpoints();
      const pages = Number(checkpoint?.snapshot?.nextLink?.replace("after-", ""));
      // The last one may be on disk and not yet have been told.
      expect([committed, committed + 1]).toContain(pages);
      expect((await queue.counts()).get("contact")?.pending).toBe((pages + 1) * recordsPerPage);
      committed = pages;
      await queue.close();
    }
  });

  it("lets a second process wait, and has it at once when the first was killed", async () => {
    const first = spawnWriter(directory, 0);
    await once(first.stdout, "data");
    await expect(
      openSqliteQueue({ directory, now: () => now, logger: silentLogger }, AbortSignal.timeout(800)),
    ).rejects.toThrow(/timeout/i);
    const waiting = open();
    first.kill("SIGKILL");
    await waiting;
  });
});

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function spawnWriter(store: string, from: number) {
  const args = [fileURLToPath(new URL("./crash-writer.ts", import.meta.url)), store, String(from)];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** @returns the last page that the process said was on disk */
async function killWhileWriting(store: string, from: number): Promise<number> {
  const writer = spawnWriter(store, from);
  let told = "";
  await new Promise<void>((resolve) => {
    writer.stdout.on("data", (chunk: Buffer) => {
      told += chunk.toString();
      if (told.split("\n").length > 15) resolve();
    });
  });
  writer.kill("SIGKILL");
  await once(writer, "close");
  const pages = told
    .split("\n")
    .slice(0, -1)
    .filter((line) => line !== "open");
  return Number(pages.at(-1) ?? from - 1);
}
