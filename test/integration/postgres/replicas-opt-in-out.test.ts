/** Several workers of one workflow of type OptInOut, as processes, on one database. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { Ground, type WorkerProcess } from "../worker/harness.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const mappings = [
  { column: "donotbulkemail", field: "denyListEmail" },
  { column: "donotphone", field: "denyListPhone" },
];
const patience = { timeout: 90_000, interval: 100 };

let server: PostgresServer;
let ground: Ground;
let control: SandboxControl;
let url: string;
const contacts: string[] = [];
const newDatabase = await serverForFile((started) => {
  server = started;
});
beforeEach(async () => {
  ground = await Ground.make({ contacts: 120 });
  ({ control } = ground.sandbox);
  url = server.url(await newDatabase());
  contacts.length = 0;
  for await (const { id } of control.rows({ table: "contact" })) contacts.push(id);
  const cells = { donotbulkemail: false, donotphone: false };
  await control.changeMany({ table: "contact", count: 120, operation: "update", cells });
  const records = contacts.map((externalId) => ({ externalId, lastName: "x" }));
  await control.insertRecords({ resource: "profile", records });
});
afterEach(() => ground?.end());

const start = () =>
  ground.startOptInOut({ direction: "Bidirectional", source: "Poll", mappings }, { postgres: { url, replicas: 2 } });
const rested = (worker: WorkerProcess) =>
  expect
    .poll(async () => {
      const { backlog, mappings: told, notReady } = await worker.status();
      return [backlog, told[0]?.phase, notReady?.reason];
    }, patience)
    .toEqual([0, "Incremental", undefined]);
const inDynamics = async (id: string) =>
  (await control.row({ table: "contact", id }))?.cells["donotbulkemail"] === true;
const inCampaign = async (id: string) =>
  (await control.findRecords({ resource: "profile", key: id }))[0]?.values["denyListEmail"] === true;
const optOut = (id: string, system: "Dynamics" | "Campaign") =>
  system === "Dynamics"
    ? control.updateRows({ table: "contact", rows: [{ id, cells: { donotbulkemail: true } }] })
    : control.updateRecord({ resource: "profile", key: id, values: { denyListEmail: true } });

it("loses no opt-out while workers are killed and paused, decides each contact by one of them, and audits before it writes", async () => {
  const workers = [start(), start()];
  for (const worker of workers) await rested(worker);
  for (const [n, id] of contacts.entries()) {
    await optOut(id, n % 2 === 0 ? "Dynamics" : "Campaign");
    if (n === 30) await workers[0]?.kill();
    if (n === 50) workers[0] = start();
    if (n === 70) workers[1]?.send("SIGSTOP");
    if (n === 110) workers[1]?.send("SIGCONT");
  }
  // A reader that stands still is waited for, and what changed is read then.
  for (const id of contacts) {
    await expect.poll(async () => [await inDynamics(id), await inCampaign(id)], patience).toEqual([true, true]);
  }
  for (const worker of workers) await rested(worker);

  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ record: string }>(
    "SELECT record FROM iw_crm_contacts.opt_out_audit ORDER BY seq",
  );
  await client.end();
  const audit = rows.map(({ record }) => JSON.parse(record) as Record<string, unknown>);
  for (const id of contacts) {
    const decided = audit.filter(({ contact, written }) => contact === id && typeof written === "string");
    expect(decided.length, id).toBeGreaterThan(0);
  }
  for (const worker of workers) {
    expect(worker.logged("contact.failed")).toEqual([]);
    expect(await worker.stop()).toBe(0);
  }
});
