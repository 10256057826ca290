/** Several workers of type Egress on one database: every event of the exported files becomes one activity. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../src/api/schema/egress.ts";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";
import { Ground, type WorkerProcess } from "../worker/harness.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const since = "2026-07-01T00:00:00Z";
// A schema's defaults are what its type says.
const { activities: names } = withDefaults(schema as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
const header =
  "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl\n";
const eventsPerFile = 1500;

let database: PostgresServer;
let server: SftpServer;
let ground: Ground;
let url: string;
const contacts: string[] = [];
const newDatabase = await serverForFile(
  (started) => {
    database = started;
  },
  await whyNoSftpServer(),
);
beforeEach(async () => {
  server = await startSftpServer();
  mkdirSync(join(server.home, "exports"));
  ground = await Ground.make({ contacts: 50 });
  contacts.length = 0;
  for await (const { id } of ground.sandbox.control.rows({ table: "contact" })) contacts.push(id);
  url = database.url(await newDatabase());
});
afterEach(async () => {
  await ground?.end();
  await server?.stop();
});

const start = (replicas: number) =>
  Array.from({ length: replicas }, () =>
    ground.startEgress(
      {
        host: "127.0.0.1",
        port: server.port,
        username: server.username,
        path: "exports",
        hostKey: server.hostKey,
        credentialsSecretRef: { name: "campaign-sftp" },
        format: { timeZone: "Europe/Paris", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
      },
      server.privateKey,
      { since },
      { flags: ["--still-seconds", "0.5"], postgres: { url, replicas } },
    ),
  );

function putFile(day: number): void {
  const lines = Array.from({ length: eventsPerFile }, (_, n) => {
    const contact = contacts[n % contacts.length];
    return `${day * eventsPerFile + n},${contact},2026-07-${day} 10:00:00,Sent,,CMP12,Loyalty,DM190,Spring,https://t.example/m\n`;
  });
  writeFileSync(join(server.home, "exports", `delivery_logs_202607${day}_120000.txt`), header + lines.join(""));
}

const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 60_000, interval: 100 });
const reads = (worker: WorkerProcess) => worker.logged("exports.reading").length > 0;
const done = (worker: WorkerProcess) => worker.logged("export.read").filter(({ ending }) => ending === "Done");
const writes = (worker: WorkerProcess) => worker.logged("events.settled").length;

async function activities(): Promise<number> {
  let rows = 0;
  for await (const _ of ground.sandbox.control.rows({ table: names.send.table })) rows += 1;
  return rows;
}

/** What of a status is everybody's. */
async function told(worker: WorkerProcess) {
  const { backlog, mappings } = await worker.status();
  const send = mappings.find(({ name }) => name === "send");
  return { backlog, read: send?.read, written: send?.written, deadLettered: send?.deadLettered };
}

it("one reads the files, all write, and every file is read once", async () => {
  const workers = start(2);
  await poll(() => workers.filter(reads).length).toBe(1);
  for (const worker of workers) await poll(async () => (await worker.get("/readyz")).status).toBe(200);
  putFile(15);
  putFile(16);
  await poll(activities).toBe(2 * eventsPerFile);
  const all = { backlog: 0, read: 2 * eventsPerFile, written: 2 * eventsPerFile, deadLettered: 0 };
  for (const worker of workers) await poll(() => told(worker)).toEqual(all);
  await poll(() => workers.flatMap(done)).toHaveLength(2);
  expect(workers.filter(reads)).toHaveLength(1);
  for (const worker of workers) {
    expect(writes(worker)).toBeGreaterThan(0);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect(await worker.stop()).toBe(0);
  }
});

it.each([2, 4])(
  "of %i workers the reading one is killed, one stands still, the database is restarted: one activity an event",
  async (replicas) => {
    putFile(15);
    const workers = start(replicas);
    await poll(activities).toBeGreaterThan(200);
    const reader = workers.find(reads);
    await reader?.kill();
    putFile(16);
    const [frozen, ...others] = workers.filter((worker) => worker !== reader);
    if (others.length > 0) frozen?.send("SIGSTOP");
    await database.halt("SIGQUIT");
    await database.resume();
    await poll(activities).toBeGreaterThan(eventsPerFile + 200);
    frozen?.send("SIGCONT");
    await poll(activities).toBe(2 * eventsPerFile);
    putFile(17);
    const alive = workers.filter((worker) => worker !== reader);
    const events = 3 * eventsPerFile;
    for (const worker of alive)
      await poll(() => told(worker)).toMatchObject({ backlog: 0, read: events, deadLettered: 0 });
    expect(await activities()).toBe(events);
  },
);

it("refused events come back whichever worker is asked, and all tell of the folder alike", async () => {
  const stranger = "99999999-9999-4999-8999-999999999999";
  const line = (id: number, contact = stranger) =>
    `${id},${contact},2026-07-15 10:00:00,Sent,,C,N,D,S,https://t.example/m\n`;
  const text = `${header}${line(1)}${line(2)}${line(3, contacts[0])}half a line\n`;
  writeFileSync(join(server.home, "exports", "delivery_logs_20260715.txt"), text);
  const workers = start(2);
  for (const worker of workers)
    await poll(() => told(worker)).toMatchObject({ deadLettered: 2, written: 1, backlog: 0 });
  const files = async (worker: WorkerProcess) =>
    (await worker.status()).mappings.find(({ name }) => name === "exports")?.files;
  for (const worker of workers) await poll(() => files(worker)).toMatchObject({ read: 1, waiting: 0 });
  const ask = (worker: WorkerProcess, question: object) =>
    worker.url().then((address) =>
      fetch(`${address}/dead-letters/redrive`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(question),
      }).then((answer) => answer.json()),
    );
  await ground.sandbox.control.insertRows({ table: "contact", rows: [{ id: stranger, cells: { lastname: "Late" } }] });
  for (const [n, worker] of workers.entries()) {
    expect(await ask(worker, { key: String(n + 1) })).toMatchObject({ redriven: 1 });
    await poll(activities).toBe(n + 2);
  }
  for (const worker of workers) {
    expect(await ask(worker, { mapping: "exports" })).toMatchObject({ redriven: 1 });
    await poll(() => workers.flatMap((one) => one.logged("lines.redriven")).length).toBe(workers.indexOf(worker) + 1);
  }
  for (const worker of workers)
    await poll(() => told(worker)).toMatchObject({ deadLettered: 0, written: 3, backlog: 0 });
});
