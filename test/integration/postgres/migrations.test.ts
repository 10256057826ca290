/** Stores of earlier versions, and several processes that find one at the same time. */
import { expect, it } from "vitest";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import { migrations, schemaVersion } from "../../../src/worker/queue/postgres/schema.ts";
import { leaseMs } from "../../unit/worker/queue/queue-ground.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const replicas = 4;
const key = Buffer.alloc(32, 7).toString("base64");
const checkpoint = {
  mapping: "contact",
  mappingHash: "h.h",
  generation: 3,
  delta: { link: "https://example.com/delta", issuedAt: 1 },
};

let server: PostgresServer;
let stores = 0;
await serverForFile((started) => {
  server = started;
});

function open(name: string): Promise<Queue> {
  const workflow = { namespace: "crm", name, uid: "1" };
  const options = { url: async () => server.url(), secret: "the Secret", workflow, logger: silentLogger };
  return openPostgresQueue(options, AbortSignal.timeout(30_000));
}

/** As a worker of an earlier version left it: one record waits, one deletion is held, one is refused, one is written. */
async function storeOf(version: number): Promise<string> {
  stores += 1;
  const name = `old-${stores}`;
  await server.admin(`
    CREATE SCHEMA "iw_crm_${name}";
    SET search_path = "iw_crm_${name}";
    CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);
    INSERT INTO meta VALUES ('version', '${version}'), ('oldest_reader', '1'), ('functions', 'another'),
      ('fingerprint_key', '${key}');
    ${migrations.slice(0, version).join("\n")}
    -- As an earlier version may have had it.
    CREATE FUNCTION take_turns(works jsonb) RETURNS text LANGUAGE sql AS 'SELECT 1::text';
    INSERT INTO counters (mapping, read) VALUES ('contact', 4);
    INSERT INTO checkpoint VALUES ('contact', 3, false, NULL, '${JSON.stringify(checkpoint)}');
    INSERT INTO reader (mapping, number, until) VALUES ('contact', 5, 0);
    INSERT INTO pending (mapping, id, operation, version, target_key, payload, generation, held, inferred, first_read_at, ready_at)
      VALUES ('contact', 'waits', 0, 7, 'key', '{}', 3, 0, false, 1, 1), ('contact', 'held', 1, 8, NULL, NULL, 3, 1, true, 1, 1);
    INSERT INTO dead VALUES ('contact', 'refused', 9, 3, 'KeyMissing', 'no key', 1);
    INSERT INTO written (mapping, id, certainty, hash, version, generation, seen) VALUES ('contact', 'held', 0, 'h', 6, 3, 3);`);
  return name;
}

it.each(Array.from({ length: schemaVersion }, (_, version) => version + 1))(
  "a store of version %i is used by all that find it at the same time, and nothing in it is lost",
  async (version) => {
    const name = await storeOf(version);
    const queues = await Promise.all(Array.from({ length: replicas }, () => open(name)));
    expect(new Set(queues.map((queue) => queue.fingerprint("x"))).size).toBe(1);
    for (const queue of queues) {
      expect(await queue.checkpoints()).toEqual([checkpoint]);
      const counts = { pending: 2, held: 1, parked: 0, dead: 1, written: 1, totalRead: 4 };
      expect((await queue.counts()).get("contact")).toMatchObject(counts);
    }
    const leased = await Promise.all(queues.map((queue) => queue.lease("contact", 9, leaseMs)));
    expect(leased.flat().map(({ id }) => id)).toEqual(["waits"]);
    const [queue, another] = queues;
    const reading = await queue?.read("contact");
    expect(reading).toBeDefined();
    expect(await another?.read("contact")).toBeUndefined();
    await queue?.releaseWithheld("contact");
    expect((await queue?.counts())?.get("contact")).toMatchObject({ pending: 2, held: 0 });
    expect(await another?.lease("contact", 9, leaseMs)).toMatchObject([
      { id: "held", operation: "Delete", version: 8n },
    ]);
    const [meta] = await server.admin(`SELECT value FROM "iw_crm_${name}".meta WHERE key = 'version'`);
    expect(meta).toEqual({ value: String(schemaVersion) });
    for (const one of queues) await one.close();
  },
);

it("a migration that is cut off half-way has not begun, and is done by the next", async () => {
  const name = await storeOf(1);
  // What it does last waits for this lock.
  const holder = server.admin(`
    BEGIN; LOCK TABLE "iw_crm_${name}".reader; SELECT pg_sleep(60)`);
  const held = holder.catch(() => undefined);
  const locks = () =>
    server.admin(`SELECT pid FROM pg_locks
      WHERE relation = '"iw_crm_${name}".reader'::regclass AND mode = 'AccessExclusiveLock' AND granted`);
  await expect.poll(async () => (await locks()).length).toBe(1);
  const waiting = () =>
    server.admin(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'
      AND application_name = 'integration-workflow iw_crm_${name}'`);
  const opening = open(name);
  await expect.poll(async () => (await waiting()).length).toBe(1);
  await server.halt("SIGQUIT");
  await server.resume();
  await held;
  const queue = await opening;
  expect((await queue.counts()).get("contact")).toMatchObject({ pending: 2, held: 1, dead: 1, written: 1 });
  await queue.close();
});

it("a newer version's store is refused by every replica, by name and version, and is left as it is", async () => {
  const name = await storeOf(schemaVersion);
  const newer = `value = '${schemaVersion + 2}' WHERE key IN ('version', 'oldest_reader')`;
  await server.admin(`UPDATE "iw_crm_${name}".meta SET ${newer}`);
  const openings = await Promise.allSettled(Array.from({ length: replicas }, () => open(name)));
  for (const opening of openings) {
    expect(opening).toMatchObject({
      status: "rejected",
      reason: {
        code: "StoreTooNew",
        message:
          `the queue's schema iw_crm_${name} has version ${schemaVersion + 2}, and this worker knows versions up to ` +
          `${schemaVersion}: run the newer worker image again, or drop the schema (everything is then read and compared anew)`,
      },
    });
  }
  const functions = `SELECT value FROM "iw_crm_${name}".meta WHERE key = 'functions'`;
  expect(await server.admin(functions)).toEqual([{ value: "another" }]);
});
