/** A database that fails in ways that pass, and in ways that only a person can mend. */
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import { checkpointAt, upsert } from "../../unit/worker/queue/pages.ts";
import { commit, leaseMs, leaseOne } from "../../unit/worker/queue/queue-ground.ts";
import { noVolumes, SmallVolume } from "../../unit/worker/queue/small-volume.ts";
import { serverForFile } from "./for-file.ts";
import { ServerRelay } from "./relay.ts";
import { type PostgresServer, serverUser } from "./server.ts";

const schema = '"iw_crm_contacts"';
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

async function open(url: () => string = () => server.url(database)): Promise<Queue> {
  const workflow = { namespace: "crm", name: "contacts", uid: "1" };
  const options = { url: async () => url(), secret: "the Secret", workflow, refusedForMs: 0, logger: silentLogger };
  const queue = await openPostgresQueue(options, AbortSignal.timeout(20_000));
  queues.push(queue);
  return queue;
}

const sql = (text: string, where = database) => server.admin(text, where);

/** As when their server dies: the next question opens others. */
const cut = (where = database) =>
  server.admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${where}' AND usename <> ''`);

/** The end of the same thing when it is tried until it is no longer an outage. */
const passes = <T>(work: () => Promise<T>) =>
  expect
    .poll(
      () =>
        work().then(
          () => "done",
          ({ code }: { code?: string }) => code,
        ),
      { timeout: 10_000 },
    )
    .toBe("done");

describe("stays up, and says why, while the database", () => {
  it("is read-only: what can be read is told, and the outage lasts until something is stored", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    await server.admin(`ALTER DATABASE "${database}" SET default_transaction_read_only = on`);
    await cut();
    const stored = () => commit(queue, [upsert("b", 1n)]);
    await expect.poll(() => stored().catch((error: Error) => error.message)).toMatch(/takes no changes .*primary/);
    expect((await queue.counts()).get("contact")?.pending).toBe(1);
    expect(queue.outage).toMatchObject({ reason: "StoreUnreachable" });
    await server.admin(`ALTER DATABASE "${database}" RESET default_transaction_read_only`);
    await cut();
    await passes(stored);
    expect(queue.outage).toBeUndefined();
    expect((await queue.counts()).get("contact")?.pending).toBe(2);
  });

  it("has no room, and goes on when there is some", async ({ skip }) => {
    skip(noVolumes !== undefined, noVolumes);
    const directory = mkdtempSync(join(tmpdir(), "small-"));
    const volume = new SmallVolume(directory, "60m");
    try {
      if (serverUser !== undefined) chownSync(directory, serverUser.uid, serverUser.gid);
      await server.admin(`CREATE TABLESPACE small LOCATION '${directory}'`);
      await server.admin("CREATE DATABASE small TABLESPACE small");
      const queue = await open(() => server.url("small"));
      await commit(queue, [upsert("a", 1n)]);
      volume.fill();
      const content = { targetKey: "k", payload: Buffer.alloc(3_000_000, crypto.randomUUID()).toString("base64") };
      const large = Array.from({ length: 5 }, (_, n) => ({ ...upsert(`b${n}`, 1n), content }));
      await expect(commit(queue, large)).rejects.toThrow(
        /has no room \(.*\): give its server more.*nothing that was queued is lost/,
      );
      expect((await queue.counts()).get("contact")?.pending).toBe(1);
      expect(queue.outage).toMatchObject({ reason: "StoreUnreachable" });
      volume.makeRoom();
      await passes(() => commit(queue, large));
      expect((await queue.counts()).get("contact")?.pending).toBe(6);
      await queue.close();
      await server.admin("DROP DATABASE small");
      await server.admin("DROP TABLESPACE small");
    } finally {
      volume.unmount();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("does not do in time what it was asked", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    const other = new Client({ connectionString: server.url(database) });
    await other.connect();
    await other.query("SELECT pg_advisory_lock(hashtextextended('integration-workflow iw_crm_contacts', 0))");
    const leased = queue.lease("contact", 1, leaseMs).catch((error: Error) => error);
    const stop = () => sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    await expect.poll(async () => (await stop()).length).toBe(1);
    expect(await leased).toMatchObject({
      code: "StoreUnreachable",
      message: expect.stringMatching(/did not do in time/),
    });
    await other.end();
    expect((await leaseOne(queue)).id).toBe("a");
  });
});

describe("needs a person, and says what to mend, when", () => {
  it("the server is too old", async () => {
    const number = String((await sql("SHOW server_version_num"))[0]?.["server_version_num"]);
    const relay = await ServerRelay.start(server.port, (said) => said.replaceAll(number, "140012"));
    const old = server.url(database).replace(`:${server.port}`, `:${relay.port}`);
    await expect(open(() => old)).rejects.toMatchObject({
      code: "StoreRefused",
      message: expect.stringMatching(/the worker needs 15 or newer: upgrade it, or give the worker another database/),
    });
    await relay.close();
  });

  it("what answers is a pooler that takes no settings", async () => {
    const said = "SFATAL\0C08P01\0Munsupported startup parameter in options: search_path\0\0";
    const length = Buffer.alloc(4);
    length.writeInt32BE(said.length + 4);
    const relay = await ServerRelay.start(server.port, () => `E${length.toString("latin1")}${said}`);
    const pooler = server.url(database).replace(`:${server.port}`, `:${relay.port}`);
    await expect(open(() => pooler)).rejects.toMatchObject({
      code: "StoreRefused",
      message: expect.stringMatching(/lead to the server itself, or to a pooler in session mode/),
    });
    await relay.close();
  });

  it("its user no longer has the rights to what it made", async () => {
    await sql("CREATE ROLE clerk LOGIN PASSWORD 'clerk'");
    await sql(`GRANT CREATE ON DATABASE "${database}" TO clerk`);
    const queue = await open(() => server.url(database, "clerk", "clerk"));
    await commit(queue, [upsert("a", 1n)]);
    await queue.giveBack([await leaseOne(queue)]);
    await sql(`ALTER TABLE ${schema}.pending OWNER TO admin`);
    await expect(leaseOne(queue)).rejects.toMatchObject({
      code: "StoreRefused",
      message: expect.stringMatching(
        /permission denied for table pending\): its user has to be allowed to make a schema in it, and to own/,
      ),
    });
  });

  it("somebody dropped the schema", async () => {
    const queue = await open();
    await commit(queue, [upsert("a", 1n)]);
    await sql(`DROP SCHEMA ${schema} CASCADE`);
    await expect(leaseOne(queue)).rejects.toMatchObject({
      code: "StoreUnreadable",
      message: expect.stringMatching(
        /iw_crm_contacts in .* is not whole any more .* restore it from a backup, or drop the schema/,
      ),
    });
  });
});

describe("when the address leads elsewhere", () => {
  const copy = () => `${database}-copy`;
  const makeCopy = async () => {
    await cut();
    await server.admin(`CREATE DATABASE "${copy()}" TEMPLATE "${database}"`);
  };

  it("the store is found there, without a restart", async () => {
    let url = server.url(database);
    const queue = await open(() => url);
    await commit(queue, [upsert("a", 1n)]);
    await makeCopy();
    url = server.url(copy());
    await cut();
    await passes(() => commit(queue, [upsert("b", 1n)]));
    expect(await sql(`SELECT count(*)::int AS n FROM ${schema}.pending`, copy())).toEqual([{ n: 2 }]);
    expect(await sql(`SELECT count(*)::int AS n FROM ${schema}.pending`)).toEqual([{ n: 1 }]);
  });

  it("another store is left alone", async () => {
    let url = server.url(database);
    const queue = await open(() => url);
    await server.database(copy());
    await (await open(() => server.url(copy()))).claim({
      organizationId: "another",
      campaignUrl: "https://another.example",
      workflow: { namespace: "crm", name: "contacts", uid: "1" },
    });
    url = server.url(copy());
    await cut();
    await expect
      .poll(() => commit(queue, [upsert("a", 1n)]).catch(({ code }: { code: string }) => code))
      .toBe("StoreBelongsToAnother");
    expect(await sql(`SELECT count(*)::int AS n FROM ${schema}.pending`, copy())).toEqual([{ n: 0 }]);
  });

  it("to a copy without the newest commits, it is read on from there, and nothing in between is missing", async () => {
    let url = server.url(database);
    const queue = await open(() => url);
    const page = (n: number) => ({
      checkpoint: checkpointAt(n),
      records: [upsert(`r${n}`, 1n)],
      stage: "Snapshot" as const,
      replay: false,
      listed: false,
    });
    const reading = await queue.read("contact");
    await queue.commitPage(page(1));
    await makeCopy();
    await passes(() => queue.commitPage(page(2)));
    url = server.url(copy());
    await cut();
    await expect.poll(() => queue.commitPage(page(3)).catch(({ code }: { code: string }) => code)).toBe("ReadingTaken");
    expect(reading?.lost.aborted).toBe(true);
    await sql(`UPDATE ${schema}.reader SET until = 0`, copy());
    await queue.read("contact");
    expect(await queue.checkpoints()).toMatchObject([{ snapshot: { nextLink: "after-1" } }]);
    await queue.commitPage(page(2));
    await queue.commitPage(page(3));
    expect(await sql(`SELECT count(*)::int AS n FROM ${schema}.pending`, copy())).toEqual([{ n: 3 }]);
  });
});
