/** Several workers of one workflow, as processes, on one database. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, patient, type WorkerProcess } from "../worker/harness.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const contacts = 500;
const patience = { timeout: 60_000, interval: 50 };

let server: PostgresServer;
let ground: Ground;
let control: SandboxControl;
let url: string;
const newDatabase = await serverForFile((started) => {
  server = started;
});
beforeEach(async () => {
  ground = await Ground.make({ contacts });
  ({ control } = ground.sandbox);
  url = server.url(await newDatabase());
});
afterEach(() => ground?.end());

const start = (callsPerSecond = 1000, flags: readonly string[] = []) =>
  ground.start([contactMapping], { callsPerSecond, flags, postgres: { url, replicas: 2 } });
const profiles = () => control.countRecords({ resource: "profile" });
const backlog = async (worker: WorkerProcess) => (await worker.status()).backlog;
const reads = (worker: WorkerProcess) => worker.logged("page.read").length > 0;

async function drained(worker: WorkerProcess, records = contacts): Promise<void> {
  await expect.poll(profiles, patience).toBe(records);
  await expect.poll(() => backlog(worker), patience).toBe(0);
}

async function lastName(id: string): Promise<unknown> {
  return (await control.findRecords({ resource: "profile", key: id }))[0]?.values["lastName"];
}

async function identityQuestions(): Promise<number> {
  const { byEndpoint } = (await control.counters()).dataverse;
  const asked = Object.entries(byEndpoint).filter(([endpoint]) => endpoint.includes("WhoAmI"));
  return asked.flatMap(([, statuses]) => Object.values(statuses)).reduce((sum, count) => sum + count, 0);
}

async function expectOneOfEach(): Promise<void> {
  for await (const { id } of control.rows({ table: "contact" })) {
    expect(await control.findRecords({ resource: "profile", key: id }), id).toHaveLength(1);
  }
}

it("two workers share the writing, one reads, and every contact is there once, by one call", async () => {
  // So slowly that there is work left for the one that starts last.
  const workers = [start(100, patient), start(100, patient)] as const;
  await drained(workers[0]);
  await expect.poll(() => backlog(workers[1]), patience).toBe(0);
  expect(workers.filter(reads)).toHaveLength(1);
  for (const worker of workers) expect(worker.logged("record.settled").length).toBeGreaterThan(20);
  for await (const { key, entries } of control.allWrites({ resource: "profile" })) expect(entries, key).toHaveLength(1);
  // Who follows asks nothing else of Dataverse for a minute, and is ready nevertheless.
  const asked = await identityQuestions();
  await expect.poll(identityQuestions, patience).toBeGreaterThan(asked + 2);
  for (const worker of workers) {
    await expect.poll(async () => (await worker.get("/readyz")).body, patience).toBe("ok\n");
    expect(await worker.stop()).toBe(0);
  }
});

it("a worker is killed and the other goes on, reading too; the database is restarted; nothing is lost", async () => {
  const workers = [start(100), start(100)] as const;
  await expect.poll(() => workers.some(reads), patience).toBe(true);
  await expect.poll(profiles, patience).toBeGreaterThan(50);
  const [reader, other] = reads(workers[0]) ? workers : [workers[1], workers[0]];
  await reader.kill();
  await server.halt("SIGQUIT");
  await expect.poll(async () => (await other.get("/readyz")).body, patience).toContain("StoreUnreachable");
  expect(await other.get("/status")).toMatchObject({ status: 503, body: expect.stringContaining("StoreUnreachable") });
  expect((await other.get("/livez")).status).toBe(200);
  await server.resume();
  await drained(other);
  await expectOneOfEach();
  const [added = ""] = await control.insertRows({ table: "contact", rows: [{ cells: { lastname: "Added" } }] });
  await expect.poll(() => lastName(added), patience).toBe("Added");
});

it("a worker that is stopped while another holds up the database ends by itself, within its grace period", async () => {
  const worker = ground.start([contactMapping], {
    callsPerSecond: 100,
    postgres: { url, replicas: 2 },
    graceSeconds: 6,
  });
  await expect.poll(profiles, patience).toBeGreaterThan(50);
  const other = new Client({ connectionString: url });
  await other.connect();
  other.on("error", () => {}); // The server ends with the test.
  await other.query("SELECT pg_advisory_lock(hashtextextended('integration-workflow iw_crm_contacts', 0))");
  // Without a word of the database's, for as long as a statement may take: a minute.
  expect(await worker.stop()).toBe(0);
  await other.end();
  await drained(start(1000));
  await expectOneOfEach();
});

it("a reader that was paused and wakes stores no old page over a newer place, and nothing goes back", async () => {
  const workers = [start(100), start(100)] as const;
  await expect.poll(() => workers.some(reads), patience).toBe(true);
  const [reader, other] = reads(workers[0]) ? workers : [workers[1], workers[0]];
  await expect.poll(profiles, patience).toBeGreaterThan(50);
  reader.send("SIGSTOP");
  const ids: string[] = [];
  for await (const { id } of control.rows({ table: "contact" })) ids.push(id);
  const change = (lastname: string) =>
    control.updateRows({ table: "contact", rows: ids.slice(0, 100).map((id) => ({ id, cells: { lastname } })) });
  await change("While it stood still");
  await expect.poll(() => other.logged("reading.taken").length, patience).toBe(1);
  await drained(other);
  await change("Newest");
  await expect.poll(() => lastName(ids[0] ?? ""), patience).toBe("Newest");
  reader.send("SIGCONT");
  await expect.poll(() => backlog(other), patience).toBe(0);
  await expect.poll(() => backlog(reader), patience).toBe(0);
  for (const id of ids.slice(0, 100)) expect(await lastName(id), id).toBe("Newest");
  await expectOneOfEach();
});

it("ends for good, and says what to mend, when the database refuses it; no password is told", async () => {
  const worker = ground.start([contactMapping], {
    postgres: { url: server.url("postgres", "admin", "wrong-secret"), replicas: 1 },
  });
  expect(await worker.exit()).toBe(78);
  expect(worker.lastWords()).toMatchObject({ reason: "StoreRefused" });
  expect(worker.lastWords().message).toMatch(
    /the key "url" of the Secret "queue" \(queue\.postgres\.credentialsSecretRef\)/,
  );
  expect(worker.log + JSON.stringify(worker.lastWords())).not.toContain("wrong-secret");
});
