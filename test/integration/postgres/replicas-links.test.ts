/** Records that wait for others, dead letters and looks at records, with several workers of one workflow on one database. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { IngressMapping } from "../../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { DeadLettersAnswer, RecordsAnswer } from "../../../src/worker/records/answers.ts";
import { contactMapping, Ground, type WorkerProcess } from "../worker/harness.ts";
import { serverForFile } from "./for-file.ts";
import type { PostgresServer } from "./server.ts";

const contacts = 400;
const companies = 20;
/** Nobody makes the last one. */
const orphans = contacts / companies;

let server: PostgresServer;
let ground: Ground;
let control: SandboxControl;
let url: string;
const newDatabase = await serverForFile((started) => {
  server = started;
});
beforeEach(async () => {
  ground = await Ground.make({ contacts: 0 });
  ({ control } = ground.sandbox);
  url = server.url(await newDatabase());
  const fields = [
    { name: "crmId", type: "string" as const },
    { name: "label", type: "string" as const },
  ];
  const endpoints = ["profileAndServicesExt"] as const;
  const company = { name: "cusCompany", label: "Companies", schema: "cus:company", endpoints, keys: ["crmId"], fields };
  await control.addResource({ resource: { ...company, endpoints: [...endpoints] } });
  const employer = { name: "employer", type: "link", target: "cusCompany", mandatory: true, extended: true } as const;
  await control.setField({ resource: "profile", field: employer });
});
afterEach(() => ground?.end());

const company: IngressMapping = {
  table: "account",
  resource: "cusCompany",
  key: { column: "accountid", field: "crmId" },
  fields: [{ column: "name", field: "label", applyUpdates: true }],
  applyDeletes: true,
  picklistValues: "Label",
};
const link = { resource: "cusCompany", key: "crmId", mandatory: true };
const linked: IngressMapping = {
  ...contactMapping,
  fields: [...contactMapping.fields, { column: "parentcustomerid", field: "employer", applyUpdates: true, link }],
};

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 60_000, interval: 100 });
const start = (replicas: number) =>
  Array.from({ length: replicas }, () =>
    ground.start([linked, company], { callsPerSecond: 300, postgres: { url, replicas } }),
  );
const reads = (worker: WorkerProcess) => worker.logged("reading.taken").length > 0;

/** What of a status is everybody's. */
async function told(worker: WorkerProcess) {
  const { backlog, mappings, lastSyncTime } = await worker.status();
  const figures = mappings.map(({ name, backlog, parked = 0, read, written, deadLettered }) => {
    return { name, backlog, parked, read, written, deadLettered };
  });
  return { backlog, figures, lastSyncTime };
}

async function insertContacts(): Promise<void> {
  await control.insertRows({
    table: "contact",
    rows: Array.from({ length: contacts }, (_, n) => ({
      id: idOf(n),
      cells: { lastname: `Contact ${n}`, parentcustomerid: { table: "account", id: idOf(n % companies) } },
    })),
  });
}

const insertCompanies = (from: number, to: number) =>
  control.insertRows({
    table: "account",
    rows: Array.from({ length: to - from }, (_, n) => ({ id: idOf(from + n), cells: { name: `Company ${from + n}` } })),
  });

/** Contacts that are not linked to their company, of those whose company there is. */
async function wrong(): Promise<readonly number[]> {
  const found: number[] = [];
  for (let n = 0; n < contacts; n++) {
    if (n % companies === companies - 1) continue;
    const [record, ...others] = await control.findRecords({ resource: "profile", key: idOf(n) });
    if (record?.values["employer"] !== idOf(n % companies) || others.length > 0) found.push(n);
  }
  return found;
}

it.each([2, 4])(
  "of %i workers one is killed and one stands still: every contact is linked, once, and all tell the same",
  async (replicas) => {
    await insertContacts();
    await insertCompanies(0, companies / 2);
    const workers = start(replicas);
    await poll(() => control.countRecords({ resource: "profile" })).toBeGreaterThan(50);
    const readers = workers.filter(reads);
    const others = workers.filter((worker) => !readers.includes(worker));
    const [victim = workers[0]] = readers;
    await victim?.kill();
    const [frozen] = others.length > 1 ? others : [];
    frozen?.send("SIGSTOP");
    await insertCompanies(companies / 2, companies - 1);
    await poll(() => control.countRecords({ resource: "profile" })).toBe(contacts - orphans);
    frozen?.send("SIGCONT");
    const alive = workers.filter((worker) => worker !== victim);
    for (const worker of alive) await poll(async () => (await told(worker)).backlog).toBe(0);
    await poll(wrong).toEqual([]);
    const [first, ...rest] = await Promise.all(alive.map(told));
    expect(first?.figures).toMatchObject([{ deadLettered: orphans }, { deadLettered: 0, written: companies - 1 }]);
    for (const one of rest) expect(one).toEqual(first);
  },
);

it("what waits, what was refused and what was written is told by any of the workers, and any of them re-drives", async () => {
  await insertContacts();
  await insertCompanies(0, companies - 1);
  const workers = start(2);
  // What is refused needs no call, and is there before the others are written.
  for (const worker of workers) {
    await poll(() => told(worker)).toMatchObject({ backlog: 0, figures: [{ deadLettered: orphans }, {}] });
  }
  const orphan = idOf(companies - 1);
  const fate = async (worker: WorkerProcess, id: string) =>
    (JSON.parse((await worker.get(`/records/contact/${id}`)).body) as RecordsAnswer).records[0];
  for (const worker of workers) {
    expect(await fate(worker, orphan)).toMatchObject({ fate: "Refused", refused: { reason: "ParentMissing" } });
    expect(await fate(worker, idOf(0))).toMatchObject({ fate: "Written", written: { certainty: "Known" } });
    const letters = JSON.parse((await worker.get("/dead-letters")).body) as DeadLettersAnswer;
    expect(letters.counts).toMatchObject([{ mapping: "contact", reason: "ParentMissing", records: orphans }]);
    expect((await worker.get("/metrics")).body).toContain(
      `integration_workflow_worker_dead_letters{mapping="contact"} ${orphans}`,
    );
  }
  // The one that reads nothing is asked.
  const asked = workers.find((worker) => !reads(worker)) ?? workers[1];
  await control.setField({
    resource: "profile",
    field: { name: "employer", type: "link", target: "cusCompany", mandatory: false, extended: true },
  });
  await insertCompanies(companies - 1, companies);
  await poll(() => control.countRecords({ resource: "profile" })).toBe(contacts);
  await control.deleteRecords({ resource: "profile", keys: [idOf(5)] });
  await control.updateRows({ table: "contact", rows: [{ id: idOf(5), cells: { lastname: "Again" } }] });
  const refused = async () =>
    (await Promise.all(workers.map((worker) => fate(worker, idOf(5))))).map((one) => one?.fate);
  await poll(refused).toEqual(["Refused", "Refused"]);
  const answer = await fetch(`${await asked?.url()}/dead-letters/redrive`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason: "RemovedInCampaign" }),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ redriven: 1 });
  await poll(refused).toEqual(["Written", "Written"]);
});
