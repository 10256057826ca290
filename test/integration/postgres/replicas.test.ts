/** Several workers of one workflow, as processes, on one database. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, type WorkerProcess } from "../worker/harness.ts";
import { PostgresServer } from "./server.ts";

const contacts = 500;
const patience = { timeout: 60_000, interval: 50 };

let server: PostgresServer;
let ground: Ground;
let control: SandboxControl;
let url: string;
let databases = 0;
const missing = await PostgresServer.missing();
beforeAll(async () => {
  if (missing === undefined) server = await PostgresServer.start();
});
afterAll(() => server?.end());
beforeEach(({ skip }) => skip(missing !== undefined, missing));
beforeEach(async () => {
  ground = await Ground.make({ contacts });
  ({ control } = ground.sandbox);
  databases += 1;
  url = await server.database(`queue-${databases}`);
});
afterEach(() => ground?.end());

const start = (callsPerSecond = 1000) =>
  ground.start([contactMapping], { callsPerSecond, postgres: { url, replicas: 2 } });
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

async function expectOneOfEach(): Promise<void> {
  for await (const { id } of control.rows({ table: "contact" })) {
    expect(await control.findRecords({ resource: "profile", key: id }), id).toHaveLength(1);
  }
}

it("two workers share the writing, one reads, and every contact is there once, by one call", async () => {
  const workers = [start(200), start(200)] as const;
  await drained(workers[0]);
  await expect.poll(() => backlog(workers[1]), patience).toBe(0);
  expect(workers.filter(reads)).toHaveLength(1);
  for (const worker of workers) expect(worker.logged("record.settled").length).toBeGreaterThan(20);
  for await (const { key, entries } of control.allWrites({ resource: "profile" })) expect(entries, key).toHaveLength(1);
  for (const worker of workers) {
    expect(await worker.get("/readyz")).toMatchObject({ status: 200 });
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
