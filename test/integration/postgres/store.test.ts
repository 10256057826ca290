/** What the queue in PostgreSQL promises beside what every store does. */
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import type { LeasedRecord } from "../../../src/worker/queue/turn.ts";
import { checkpointAt, upsert } from "../../unit/worker/queue/pages.ts";
import { commit, known, leaseMs, leaseOne } from "../../unit/worker/queue/queue-ground.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

let server: PostgresServer;
let database: string;
const queues: Queue[] = [];
const newDatabase = await serverForFile((started) => {
  server = started;
});
beforeEach(async () => {
  database = await newDatabase();
});
afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
});

const workflow = { namespace: "crm", name: "contacts", uid: "1" };
const patience = { timeout: 20_000, interval: 50 };

async function open(name = workflow.name, url = async () => server.url(database)): Promise<Queue> {
  const options = {
    url,
    secret: "the Secret",
    workflow: { ...workflow, name },
    refusedForMs: 3000,
    logger: silentLogger,
  };
  const queue = await openPostgresQueue(options, AbortSignal.timeout(20_000));
  queues.push(queue);
  return queue;
}
/** An outage's end is waited for. */
const passes = (work: () => Promise<void>) =>
  expect
    .poll(
      () =>
        work().then(
          () => "done",
          ({ code }: { code: string }) => code,
        ),
      patience,
    )
    .toBe("done");
const sql = (text: string) => server.admin(text, database);

describe("a reading", () => {
  it("is one process's at a time, and another's when it ends", async () => {
    const [a, b] = [await open(), await open()];
    const reading = await a.read("contact");
    expect(reading).toBeDefined();
    expect(await b.read("contact")).toBeUndefined();
    expect(await b.read("account")).toBeDefined();
    await reading?.end();
    expect(await b.read("contact")).toBeDefined();
  });

  it("that was taken over while its process stood still stores nothing any more, and says so", async () => {
    const [a, b] = [await open(), await open()];
    const reading = await a.read("contact");
    await commit(a, [upsert("a", 1n)]);
    await sql(`UPDATE "iw_crm_contacts".reader SET until = 0`);
    await b.read("contact");
    await b.saveCheckpoint(checkpointAt(7));
    const code = "ReadingTaken";
    await expect(commit(a, [upsert("a", 2n)])).rejects.toMatchObject({ code });
    await expect(a.saveCheckpoint(checkpointAt(1))).rejects.toMatchObject({ code });
    await expect(a.beginGeneration(checkpointAt(1, { generation: 2 }))).rejects.toMatchObject({ code });
    await expect(a.commitListing(checkpointAt(1), ["k"])).rejects.toMatchObject({ code });
    await expect(a.dropMapping("contact")).rejects.toMatchObject({ code });
    await expect(a.sweep("contact", 1, true)).rejects.toMatchObject({ code });
    expect(reading?.lost.aborted).toBe(true);
    expect(await a.checkpoints()).toMatchObject([{ snapshot: { nextLink: "after-7" } }]);
    expect((await leaseOne(a)).version).toBe(1n);
  });

  it("does not end while nobody else took it, however long the database was away", async () => {
    const a = await open();
    await a.read("contact");
    await sql(`UPDATE "iw_crm_contacts".reader SET until = 0`);
    await commit(a, [upsert("a", 1n)]);
    expect(await a.counts()).toHaveProperty("size", 1);
  });
});

describe("what another process has begun", () => {
  it("of a new generation is to be seen before anything is leased", async () => {
    const [a, b] = [await open(), await open()];
    await commit(a, [upsert("a", 1n)]);
    await b.checkpoints();
    await a.beginGeneration(checkpointAt(0, { generation: 2 }));
    expect(await b.lease("contact", 9, leaseMs)).toEqual([]);
    await b.checkpoints();
    expect(await b.lease("contact", 9, leaseMs)).toHaveLength(1);
  });

  it("of a new generation leaves no hash by a turn from before", async () => {
    const [a, b] = [await open(), await open()];
    await commit(a, [upsert("a", 1n)]);
    const record = await leaseOne(b);
    await b.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
    await a.beginGeneration(checkpointAt(0, { generation: 2 }));
    await b.settle(record, { kind: "Written", written: known(record), sent: true });
    const again = await leaseOne(a);
    expect(again.written).toMatchObject({ certainty: "Known" });
    expect(again.written).not.toHaveProperty("hash");
  });

  it("of checks stamps what is written, also by a process that does not know of it", async () => {
    const [a, b] = [await open(), await open()];
    await commit(a, [upsert("a", 1n)]);
    const record = await leaseOne(b);
    await a.saveCheckpoint(checkpointAt(0, { checks: { epoch: 9, good: 8, doubted: [] } }));
    await b.settle(record, { kind: "Written", written: { ...known(record), checked: 8 }, sent: true });
    await commit(a, [upsert("a", 2n)]);
    expect((await leaseOne(a)).written).toMatchObject({ hash: "h", checked: 9 });
  });
});

describe("the store", () => {
  const owner = { organizationId: "org-1", campaignUrl: "https://mc.adobe.io/contoso/campaign", workflow };

  it("goes on for the same workflow under a new uid, and for nobody else", async () => {
    const queue = await open();
    await queue.claim(owner);
    await queue.claim({ ...owner, workflow: { ...workflow, uid: "2" } });
    const code = "StoreBelongsToAnother";
    await expect(queue.claim({ ...owner, organizationId: "org-2" })).rejects.toMatchObject({ code });
    await expect(queue.claim({ ...owner, campaignUrl: "https://other.example" })).rejects.toThrow(/drop the schema/);
  });

  it("is each workflow's own", async () => {
    const [a, b] = [await open("contacts"), await open("leads")];
    await commit(a, [upsert("a", 1n)]);
    expect((await b.counts()).size).toBe(0);
    expect(a.fingerprint("x")).not.toBe(b.fingerprint("x"));
    expect(a.fingerprint("x")).toBe((await open("contacts")).fingerprint("x"));
  });

  it("is made once by many that begin at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => open()));
    expect(new Set(all.map((queue) => queue.fingerprint("x"))).size).toBe(1);
  });

  it("of a newer version is refused, unless it says that older programs can use it; so is another program's", async () => {
    await (await open()).close();
    await sql(`UPDATE "iw_crm_contacts".meta SET value = '99' WHERE key IN ('version', 'oldest_reader')`);
    await expect(open()).rejects.toMatchObject({ code: "StoreTooNew", message: expect.stringContaining("version 99") });
    await sql(`UPDATE "iw_crm_contacts".meta SET value = '1' WHERE key = 'oldest_reader'`);
    expect(await (await open()).checkpoints()).toEqual([]);
    await sql(`CREATE SCHEMA "iw_crm_leads"; CREATE TABLE "iw_crm_leads".theirs (n int)`);
    await expect(open("leads")).rejects.toMatchObject({ code: "StoreUnreadable" });
  });

  it("takes any time to the next try, and of a lease", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    const [record] = await queue.lease("contact", 1, 60_000.5);
    if (record === undefined) throw new Error("nothing is due");
    await queue.begin(record, { ...known(record), certainty: "Inserting" }, 60_000.5);
    await queue.settle(record, { kind: "Retry", before: undefined, afterMs: 0.4, counts: true });
    expect((await leaseOne(queue)).attempts).toBe(1);
  });

  it("has no payload once it is written, and keeps keys of any text", async () => {
    const queue = await open();
    const keys = ["nul \0", "half \ud800", "\\0000", "x".repeat(5000)];
    const records = keys.map((targetKey, n) => ({
      ...upsert(`r${n}`, 1n),
      content: { targetKey, payload: '"\\u0000"' },
    }));
    await commit(queue, records);
    const leased = await queue.lease("contact", 9, leaseMs);
    expect(leased.map(({ content }) => content?.targetKey)).toEqual(keys);
    for (const record of leased) {
      await queue.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
      await queue.settle(record, { kind: "Written", written: known(record), sent: true });
    }
    for (const targetKey of keys) {
      const [found] = await queue.records.look("contact", { id: "none", targetKey });
      expect(found?.written).toMatchObject({ targetKey, certainty: "Known" });
    }
    expect(await sql(`SELECT count(*)::int AS n FROM "iw_crm_contacts".pending`)).toEqual([{ n: 0 }]);
  });
});

describe("the database", () => {
  it("that goes and comes back is waited for, and everything is there", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    await server.halt("SIGQUIT");
    await expect(commit(queue, [upsert("b", 1n)])).rejects.toMatchObject({ code: "StoreUnreachable" });
    expect(queue.outage).toMatchObject({ reason: "StoreUnreachable" });
    expect(queue.outage?.message).not.toContain("in-the-secret");
    const opening = open();
    await server.resume();
    await commit(await opening, [upsert("b", 1n)]);
    expect((await queue.counts()).get("contact")?.pending).toBe(2);
    expect(queue.outage).toBeUndefined();
  });

  it("that crashes has everything that was answered before, however shortly", async () => {
    const queue = await open();
    const ids = Array.from({ length: 30 }, (_, n) => `r${n}`);
    await commit(
      queue,
      ids.map((id) => upsert(id, 1n)),
    );
    for (let left = ids.length - 10; left >= 0; left -= 10) {
      const settle = async (record: LeasedRecord) => {
        await queue.begin(record, { ...known(record), certainty: "Inserting" }, leaseMs);
        await queue.settle(record, { kind: "Written", written: known(record), sent: true });
      };
      await passes(async () => {
        for (const record of await queue.lease("contact", 10, leaseMs)) await settle(record);
      });
      await server.halt("SIGQUIT");
      await server.resume();
      const found = await sql('SELECT count(*)::int AS n FROM "iw_crm_contacts".pending');
      expect(found).toEqual([{ n: left }]);
    }
  });

  it("that fails while the worker is stopped before it began is no failure of the worker", async () => {
    const stop = new AbortController();
    const url = async () => {
      stop.abort("stopped as asked");
      return "postgres://nobody@127.0.0.1:1/none";
    };
    const opening = openPostgresQueue({ url, secret: "the Secret", workflow, logger: silentLogger }, stop.signal);
    await expect(opening).rejects.toBe("stopped as asked");
  });

  it("that makes the worker wait behind somebody's lock does not keep it from being stopped", async () => {
    await open();
    const other = new Client({ connectionString: server.url(database) });
    await other.connect();
    await other.query("SELECT pg_advisory_lock(hashtextextended('integration-workflow iw_crm_contacts', 0))");
    const stop = new AbortController();
    const options = { url: async () => server.url(database), secret: "the Secret", workflow, logger: silentLogger };
    const ended = openPostgresQueue(options, stop.signal).catch((error: unknown) => error);
    const waiting = () => sql("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    await expect.poll(async () => (await waiting()).length, patience).toBe(1);
    stop.abort("stopped as asked");
    expect(await ended).toBe("stopped as asked"); // The lock is still held.
    await other.end();
  });

  it("whose credentials are rotated is signed in to with the new ones", async () => {
    await sql("CREATE ROLE worker LOGIN PASSWORD 'old'");
    await sql(`GRANT CREATE ON DATABASE "${database}" TO worker`);
    let secret = "old";
    const queue = await open("contacts", async () => server.url(database, "worker", secret));
    const answer = async () =>
      queue.counts().then(
        () => "counted",
        ({ code }: { code: string }) => code,
      );
    const cut = () => sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'");
    await sql("ALTER ROLE worker PASSWORD 'new'");
    await cut();
    // Who asks before the cut is noticed is told of that.
    await expect
      .poll(async () => `${await answer()}: ${queue.outage?.message}`, patience)
      .toMatch(/^StoreUnreachable: .* no longer lets the worker in/);
    secret = "new";
    await expect.poll(answer, patience).toBe("counted");
    secret = "wrong";
    await sql("ALTER ROLE worker PASSWORD 'newer'");
    await cut();
    await expect.poll(answer, patience).toBe("StoreRefused");
  });

  it("that is not there, or not to be written, needs a person", async () => {
    await expect(open("contacts", async () => server.url("none"))).rejects.toThrow(/"none" does not exist/);
    await sql("CREATE ROLE guest LOGIN PASSWORD 'guest'");
    const guest = open("contacts", async () => server.url(database, "guest", "guest"));
    await expect(guest).rejects.toMatchObject({ code: "StoreRefused" });
    await expect(open("contacts", async () => "mysql://x")).rejects.toThrow(/is no address of a PostgreSQL database/);
    const wrongMode = server.url(database).replace("disable", "maybe");
    await expect(open("contacts", async () => wrongMode)).rejects.toThrow(/sslmode=maybe/);
  });
});
