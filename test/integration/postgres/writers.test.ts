/** Many writers of one store under cut connections, restarts, and processes that stand still. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { StoreOutage } from "../../../src/worker/queue/errors.ts";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import type { LeasedRecord } from "../../../src/worker/queue/turn.ts";
import { checkpointAt, upsert } from "../../unit/worker/queue/pages.ts";
import { known, leaseOne } from "../../unit/worker/queue/queue-ground.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const records = 400;
const rounds = 3;
const leaseMs = 3000;
const patience = { timeout: 60_000, interval: 20 };

let server: PostgresServer;
await serverForFile((started) => {
  server = started;
});

function open(name: string): Promise<Queue> {
  const options = {
    url: async () => server.url(),
    secret: "the Secret",
    workflow: { namespace: "crm", name, uid: "1" },
    logger: silentLogger,
  };
  return openPostgresQueue(options, AbortSignal.timeout(30_000));
}

/** What Campaign would have: by record, the version; and who is writing it. */
class Target {
  readonly versions = new Map<string, bigint>();
  readonly #hands = new Map<string, number>();
  readonly faults: string[] = [];
  turns = 0;

  write({ id, version = 0n }: LeasedRecord, until: number): void {
    const now = performance.now();
    if ((this.#hands.get(id) ?? 0) > now) this.faults.push(`${id} is in two hands`);
    if ((this.versions.get(id) ?? 0n) > version) this.faults.push(`${id} goes back to ${version}`);
    this.#hands.set(id, until);
    this.turns += 1;
    this.versions.set(id, version);
  }

  letGo({ id }: LeasedRecord): void {
    this.#hands.delete(id);
  }
}

/** Takes turns until `stop`; a turn whose store fails is left as it is, as by a process that dies. */
async function work(queue: Queue, target: Target, chance: () => number, stop: AbortSignal): Promise<void> {
  // Nothing is due, or the store is away: it is asked again until there is something, or the end.
  const due = async (): Promise<readonly LeasedRecord[]> => {
    let leased: readonly LeasedRecord[] = [];
    await vi.waitUntil(async () => {
      leased = await queue.lease("contact", 16, leaseMs).catch(passing);
      return leased.length > 0 || stop.aborted;
    }, patience);
    return leased;
  };
  const turn = async (record: LeasedRecord) => {
    const written = { ...known(record), targetKey: `key-${record.id}` };
    const askedAt = performance.now();
    const leave = await queue.begin(record, { ...written, certainty: "Inserting" }, leaseMs);
    if (leave !== "Begun" || performance.now() - askedAt > leaseMs / 4) return;
    target.write(record, askedAt + leaseMs);
    await new Promise(setImmediate);
    const dice = chance();
    if (dice < 0.1) return queue.settle(record, { kind: "Unknown" });
    target.letGo(record); // Its call was answered, whatever becomes of the settlement.
    await queue.settle(record, { kind: "Written", written, sent: true });
  };
  while (!stop.aborted) await Promise.allSettled((await due()).map(turn));
}

function passing(error: unknown): readonly LeasedRecord[] {
  if (error instanceof StoreOutage) return [];
  throw error;
}

it.each([1, 2, 3])("nothing is lost, and no record is in two hands or goes back (seed %i)", async (seed) => {
  const chance = mulberry32(seed);
  const name = `seed-${seed}`;
  const queues = await Promise.all(Array.from({ length: 4 }, () => open(name)));
  const [reader = await open(name)] = queues;
  const counts = async () => (await reader.counts().catch(() => undefined))?.get("contact");
  const target = new Target();
  const stop = new AbortController();
  const workers = queues.map((queue) => work(queue, target, chance, stop.signal));
  const cut = (async () => {
    // Whenever so many turns more were taken, some connections are cut.
    for (let at = 0; !stop.signal.aborted; at = target.turns) {
      const next = at + 5 + Math.floor(20 * chance());
      await vi.waitUntil(() => target.turns >= next || stop.signal.aborted, patience);
      await server
        .admin(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name LIKE 'integration-workflow%' AND random() < 0.4`,
        )
        .catch(() => undefined);
    }
  })();
  try {
    for (let round = 1; round <= rounds; round++) {
      for (let page = 0; page < 4; page++) {
        const from = (page * records) / 4;
        const part = Array.from({ length: records / 4 }, (_, n) => upsert(`r${from + n}`, BigInt(round)));
        const commit = {
          checkpoint: checkpointAt(round * 10 + page),
          records: part,
          stage: "Snapshot",
          replay: false,
          listed: false,
        } as const;
        // As the reader does: until it is on disk.
        while (
          !(await reader.commitPage(commit).then(
            () => true,
            () => false,
          ))
        );
      }
      if (round === 2) {
        await server.halt("SIGQUIT");
        await server.resume();
      }
    }
    await expect.poll(async () => (await counts())?.pending, { timeout: 90_000, interval: 100 }).toBe(0);
  } finally {
    stop.abort();
    await Promise.all([...workers, cut]);
  }
  expect(target.faults).toEqual([]);
  expect(target.versions.size).toBe(records);
  expect([...target.versions.values()].every((version) => version === BigInt(rounds))).toBe(true);
  const [exact] = await server.admin(
    `SELECT (SELECT count(*) FROM "iw_crm_${name}".written)::int AS written,
       (SELECT count(*) FROM "iw_crm_${name}".pending)::int AS pending`,
  );
  // The last connection that was cut is noticed by the question after it.
  const figures = { ...exact, written: records, pending: 0 };
  await expect.poll(counts, { timeout: 10_000, interval: 100 }).toMatchObject(figures);
  for (const queue of queues) await queue.close();
});

it("a process that stands still keeps nobody out, and what it does when it wakes is refused", async () => {
  const queue = await open("paused");
  await queue.commitPage({
    checkpoint: checkpointAt(1),
    records: [upsert("a", 1n)],
    stage: "Round",
    replay: false,
    listed: false,
  });
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./lone-writer.ts", import.meta.url)), server.url(), "paused", String(leaseMs)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const say = () => once(child.stdout, "data").then(([chunk]) => String(chunk).trim());
  expect(await say()).toBe("Begun");
  child.kill("SIGSTOP");
  expect(await queue.lease("contact", 1, leaseMs)).toEqual([]);
  await expect
    .poll(
      () =>
        leaseOne(queue).then(
          ({ id }) => id,
          () => "",
        ),
      { timeout: 15_000 },
    )
    .toBe("a");
  child.kill("SIGCONT");
  child.stdin.write("settle\n");
  expect(await say()).toBe("settled");
  expect((await queue.counts()).get("contact")).toMatchObject({ pending: 1 });
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  await queue.close();
});

/** A small generator of numbers in [0, 1), by its seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
