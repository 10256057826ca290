/** A worker of type OptInOut as a process, between the sandbox's Dataverse and Campaign. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";
import { Ground, type WorkerProcess } from "./harness.ts";

const mappings = [
  { column: "donotbulkemail", field: "denyListEmail" },
  { column: "donotphone", field: "denyListPhone" },
];
const poll = <T>(look: () => Promise<T> | T, timeout = 30_000) => expect.poll(look, { timeout, interval: 100 });
/** What both systems tell of a change has whole seconds. */
const nextSecond = async () => {
  const second = () => Math.floor(Date.now() / 1000);
  await expect.poll(second, { timeout: 5000, interval: 20 }).toBeGreaterThan(second());
};

let ground: Ground;
const contacts: string[] = [];
beforeEach(async () => {
  ground = await Ground.make({ contacts: 30 });
  contacts.length = 0;
  for await (const { id } of ground.sandbox.control.rows({ table: "contact" })) contacts.push(id);
  await ground.sandbox.control.changeMany({
    table: "contact",
    count: 30,
    operation: "update",
    cells: { donotbulkemail: false, donotphone: false },
  });
});
afterEach(() => ground.end());

const start = (direction: string, source = "Poll", more: object = {}) =>
  ground.startOptInOut({ direction, source, mappings, ...more });
const makeProfiles = (ids: readonly string[], values: object = {}) =>
  ground.sandbox.control.insertRecords({
    resource: "profile",
    records: ids.map((externalId) => ({ externalId, lastName: "x", ...values })),
  });
const inCampaign = async (id: string | undefined, field = "denyListEmail") =>
  (await ground.sandbox.control.findRecords({ resource: "profile", key: id ?? "" }))[0]?.values[field] === true;
const inDynamics = async (id: string | undefined, column = "donotbulkemail") =>
  (await ground.sandbox.control.row({ table: "contact", id: id ?? "" }))?.cells[column];
const setInDynamics = (id: string | undefined, donotbulkemail: boolean) =>
  ground.sandbox.control.updateRows({ table: "contact", rows: [{ id: id ?? "", cells: { donotbulkemail } }] });
const setInCampaign = (id: string | undefined, denyListEmail: boolean) =>
  ground.sandbox.control.updateRecord({ resource: "profile", key: id ?? "", values: { denyListEmail } });
const rested = (worker: WorkerProcess, backlog = 0) =>
  poll(async () => {
    const status = await worker.status();
    return [status.backlog, status.mappings[0]?.phase, status.notReady?.reason];
  }).toEqual([backlog, "Incremental", undefined]);
const audit = () => {
  const folder = join(ground.state, "opt-out-audit");
  return readdirSync(folder)
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

describe("a worker of type OptInOut", () => {
  it("carries opt-outs both ways, opts nobody in by Poll, and tells why in the audit", async () => {
    const [a, b, c] = contacts;
    await makeProfiles(contacts.slice(0, 29));
    await setInDynamics(a, true);
    await setInCampaign(b, true);
    const worker = start("Bidirectional");
    await rested(worker);
    expect(await inCampaign(a)).toBe(true);
    expect(await inDynamics(b)).toBe(true);
    expect(await inCampaign(c)).toBe(false);

    await setInDynamics(c, true);
    await poll(() => inCampaign(c)).toBe(true);
    const d = contacts[3];
    await setInCampaign(d, true);
    await poll(() => inDynamics(d)).toBe(true);
    await setInCampaign(d, false);
    await poll(() => inCampaign(d)).toBe(true);
    await rested(worker);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect((await worker.get("/metrics")).body).toContain("integration_workflow_worker_written_records_total");
    expect(await worker.stop()).toBe(0);
    const of = (id: string | undefined) =>
      audit().flatMap((line) =>
        line["contact"] === id && line["field"] !== "denyListPhone" ? [line["rule"] ?? line["outcome"]] : [],
      );
    expect(of(d)).toEqual(["Same", "OptedOutInCampaign", "Done", "NoAttributeTime", "Done"]);
    expect(worker.log).not.toContain('denyListEmail":true');
  });

  it("parks an opt-out whose contact has no profile, makes none, and writes it when there is one", async () => {
    const [a, b] = contacts;
    await makeProfiles(contacts.slice(1));
    await setInDynamics(a, true);
    const worker = start("Bidirectional");
    await poll(async () => (await worker.status()).mappings[0]).toMatchObject({ backlog: 1, parked: 1 });
    expect(await ground.sandbox.control.findRecords({ resource: "profile", key: a ?? "" })).toEqual([]);
    const fate = async (id: string | undefined) => JSON.parse((await worker.get(`/records?key=${id}`)).body).records[0];
    expect(await fate(a)).toMatchObject({ fate: "Parked", dataverse: { state: "Found" } });
    expect((await fate(a)).summary).toContain("denyListEmail");
    expect(await fate(b)).toMatchObject({ fate: "Written" });
    expect(await fate("99999999-9999-4999-8999-999999999999")).toMatchObject({ fate: "NotSeen" });
    await makeProfiles([a ?? ""]);
    await poll(() => inCampaign(a)).toBe(true);
    await rested(worker);
    expect(await inCampaign(b)).toBe(false);
  });

  it("carries what Dynamics says to Campaign, and nothing back", async () => {
    const [a, b] = contacts;
    await makeProfiles(contacts);
    await setInDynamics(a, true);
    await setInCampaign(b, true);
    const worker = start("DynamicsToCampaign");
    await rested(worker);
    expect(await inCampaign(a)).toBe(true);
    expect(await inCampaign(b)).toBe(true);
    expect(await inDynamics(b)).toBe(false);
    await setInDynamics(a, false);
    await poll(() => inCampaign(a)).toBe(false);
  });

  it("carries what Campaign says to Dynamics, and nothing back", async () => {
    const [a, b] = contacts;
    await makeProfiles(contacts);
    await setInDynamics(a, true);
    await setInCampaign(b, true);
    const worker = start("CampaignToDynamics");
    await poll(() => inDynamics(b)).toBe(true);
    await rested(worker);
    expect(await inDynamics(a)).toBe(true);
    expect(await inCampaign(a)).toBe(false);
    await setInCampaign(b, false);
    await poll(() => inDynamics(b)).toBe(false);
  });

  it("starts, moves nothing and says so when it is disabled", async () => {
    await makeProfiles(contacts);
    await setInDynamics(contacts[0], true);
    const worker = start("Disabled");
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect((await worker.status()).mappings[0]).toMatchObject({ name: "contact", phase: "Disabled" });
    expect(await inCampaign(contacts[0])).toBe(false);
    expect(await worker.stop()).toBe(0);
    expect(worker.lastWords()).toMatchObject({ reason: "Stopped", backlog: 0 });
  });

  it("loses no opt-out when it is killed at any moment, on either side", async () => {
    await makeProfiles(contacts);
    let n = 0;
    for (const lifeMs of [300, 700, 1000, 1400, 2000]) {
      const worker = start("Bidirectional");
      await worker.url();
      const over = Date.now() + lifeMs;
      while (Date.now() < over) {
        const id = contacts[n++ % contacts.length];
        if (n % 2 === 0) await setInDynamics(id, true);
        else await setInCampaign(id, true);
      }
      await worker.kill();
    }
    const worker = start("Bidirectional");
    for (const id of contacts)
      await poll(async () => [await inDynamics(id), await inCampaign(id)]).toEqual([true, true]);
    await rested(worker);
  });

  it("drops what was agreed when the pairs are edited, and reads everything again", async () => {
    await makeProfiles(contacts);
    const worker = start("Bidirectional");
    await rested(worker);
    expect(await worker.stop()).toBe(0);
    await ground.sandbox.control.updateRows({
      table: "contact",
      rows: [{ id: contacts[4] ?? "", cells: { donotfax: true } }],
    });
    const again = start("Bidirectional", "Poll", {
      mappings: [...mappings, { column: "donotfax", field: "denyListFax" }],
    });
    await poll(() => inCampaign(contacts[4], "denyListFax")).toBe(true);
    await rested(again);
    expect(again.logged("mapping.replaced")).toHaveLength(1);
  });

  it("ends with 78 and says what does not fit; later, it stands still and goes on by itself", async () => {
    await makeProfiles(contacts);
    const wrong = start("Bidirectional", "Poll", { mappings: [{ column: "gendercode", field: "denyListEmail" }] });
    expect(await wrong.exit()).toBe(78);
    expect(wrong.lastWords()).toMatchObject({ reason: "ColumnNotYesNo" });
    const { control } = ground.sandbox;
    const worker = ground.startOptInOut(
      { direction: "DynamicsToCampaign", source: "Poll", mappings },
      { flags: ["--check-seconds", "0.5"] },
    );
    await setInDynamics(contacts[0], true);
    await poll(() => inCampaign(contacts[0])).toBe(true);
    await rested(worker);
    // The column is dropped and made again: everybody seems to have opted in, and nobody has.
    const column = (await control.tables())
      .find(({ name }) => name === "contact")
      ?.columns.find(({ name }) => name === "donotbulkemail");
    await control.dropColumn({ table: "contact", column: "donotbulkemail" });
    await poll(async () => (await worker.status()).schemaDrift).toMatchObject([{ mapping: "contact" }]);
    await poll(async () => (await worker.get("/readyz")).body).toContain("ColumnMissing");
    if (column !== undefined) await control.setColumn({ table: "contact", column });
    await setInDynamics(contacts[0], false);
    await setInDynamics(contacts[1], true);
    await poll(() => inCampaign(contacts[1])).toBe(true);
    await rested(worker);
    expect(await inCampaign(contacts[0])).toBe(true);
  });
});

const whyNot = await whyNoSftpServer();
describe.skipIf(whyNot !== undefined)("a worker of type OptInOut that reads Campaign's exports", () => {
  let server: SftpServer;
  let exports = 0;
  beforeEach(async () => {
    server = await startSftpServer();
    mkdirSync(join(server.home, "exports"));
  });
  afterEach(() => server.stop());

  const startWithExports = (direction = "Bidirectional") =>
    ground.startOptInOut(
      { direction, source: "Export", mappings },
      { flags: ["--still-seconds", "0.5"] },
      {
        sftp: {
          host: "127.0.0.1",
          port: server.port,
          username: server.username,
          path: "exports",
          hostKey: server.hostKey,
          credentialsSecretRef: { name: "campaign-sftp" },
          format: { timeZone: "UTC", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
        },
        privateKey: server.privateKey,
      },
    );
  /** What Campaign's workflow puts there of these profiles. */
  const exportOf = async (ids: readonly (string | undefined)[], more = "") => {
    const fields = mappings.map(({ field }) => field);
    const lines = await Promise.all(
      ids.map(async (id) => {
        const [profile] = await ground.sandbox.control.findRecords({ resource: "profile", key: id ?? "" });
        const time = (at = 0) => new Date(at).toISOString().slice(0, 19).replace("T", " ");
        const cells = fields.flatMap((name) => [profile?.values[name] === true, time(profile?.changedAt?.[name])]);
        return [id, ...cells].join(",");
      }),
    );
    const header = ["contactId", ...fields.flatMap((name) => [name, `${name}Time`])].join(",");
    const name = `opt_outs_20260715_${String(120_000 + ++exports)}.txt`;
    writeFileSync(join(server.home, "exports", name), `${[header, ...lines].join("\n")}\n${more}`);
  };

  it("decides two changes of one attribute by their times: Campaign's later opt-in goes over, an earlier one does not", async () => {
    const [a, b, c] = contacts;
    await makeProfiles(contacts);
    for (const id of [a, b]) await setInDynamics(id, true);
    const worker = startWithExports();
    await rested(worker);
    expect(await inCampaign(a)).toBe(true);

    // Both in other seconds than what was before; the contact b is edited after its opt-in.
    await nextSecond();
    await setInCampaign(a, false);
    await setInCampaign(b, false);
    await nextSecond();
    await ground.sandbox.control.updateRows({
      table: "contact",
      rows: [{ id: b ?? "", cells: { lastname: "Other" } }],
    });
    await setInCampaign(c, true);
    await exportOf([a, b, c], "not-a-line\n");
    await poll(() => inDynamics(a)).toBe(false);
    await poll(() => inCampaign(b)).toBe(true);
    await poll(() => inDynamics(c)).toBe(true);
    await rested(worker);
    expect(await inDynamics(b)).toBe(true);
    const exported = async () => (await worker.status()).mappings.find(({ name }) => name === "exports");
    await poll(exported).toMatchObject({ deadLettered: 1, files: { read: 1 } });
    // What it writes into the audit until then is whole.
    expect(await worker.stop()).toBe(0);
    const rules = audit().flatMap(({ contact, written, rule }) => (contact === a && written !== null ? [rule] : []));
    expect(rules.filter((rule) => rule !== undefined)).toEqual(["NoAgreedValue", "CampaignLater"]);
  });

  it("is not ready while the server does not answer, and carries Dynamics' opt-outs all the same", async () => {
    await makeProfiles(contacts);
    await server.stop();
    const worker = startWithExports();
    await poll(async () => (await worker.get("/readyz")).body).toContain("SftpUnreachable");
    await setInDynamics(contacts[0], true);
    await poll(() => inCampaign(contacts[0])).toBe(true);
    expect(await worker.stop()).toBe(0);
    server = await startSftpServer();
  });
});
