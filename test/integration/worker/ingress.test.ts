/** The worker role as a process against the sandbox: what a person sees of it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, patient, type WorkerProcess } from "./harness.ts";

const seconds = 1000;
const lookEveryMs = 50;

describe("the worker, against 2,000 contacts", () => {
  let ground: Ground;
  let control: SandboxControl;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 2000 });
    control = ground.sandbox.control;
  });
  afterEach(() => ground.end());

  const profiles = () => control.countRecords({ resource: "profile" });
  const profile = async (id: string) => (await control.findRecords({ resource: "profile", key: id }))[0]?.values;
  const poll = <T>(look: () => Promise<T> | T, timeout = 30 * seconds) =>
    expect.poll(look, { timeout, interval: lookEveryMs });
  const drained = async (worker: WorkerProcess) => {
    await poll(profiles).toBe(2000);
    await poll(async () => (await worker.status()).backlog).toBe(0);
  };
  /** Since the mapping is there: by this process and those before it. */
  const written = async (worker: WorkerProcess) => (await worker.status()).mappings[0]?.written ?? 0;

  it("writes every contact once, field by field, by one call each", async () => {
    const worker = ground.start([contactMapping], { flags: patient });
    await drained(worker);
    // While all is compared, the worker goes on to ask whether Campaign answers.
    const { engineCalls } = (await control.counters()).campaign;
    let compared = 0;
    for await (const row of control.rows({ table: "contact" })) {
      const { firstname, lastname, emailaddress1, gendercode } = row.cells;
      expect(await profile(row.id), row.id).toMatchObject({
        externalId: row.id,
        ...(firstname === undefined ? {} : { firstName: firstname }),
        ...(lastname === undefined ? {} : { lastName: lastname }),
        ...(emailaddress1 === undefined ? {} : { email: emailaddress1 }),
        ...(gendercode === undefined ? {} : { gender: gendercode === 1 ? "male" : "female" }),
      });
      expect(await control.writes({ resource: "profile", key: row.id })).toHaveLength(1);
      compared += 1;
    }
    expect(compared).toBe(2000);
    expect(engineCalls).toBeLessThan(2020);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect((await worker.get("/metrics")).body).toContain(
      'integration_workflow_worker_backlog_records{mapping="contact"} 0',
    );
  });

  it("carries a change, an addition and a deletion within seconds, and nothing when nothing of it is mapped", async () => {
    const worker = ground.start([contactMapping], { flags: patient });
    await drained(worker);
    const [first, second, third] = await firstIds(control, 3);
    await control.updateRows({ table: "contact", rows: [{ id: first, cells: { lastname: "Changed" } }] });
    await control.updateRows({ table: "contact", rows: [{ id: third, cells: { telephone1: "555" } }] });
    const [added = ""] = await control.insertRows({ table: "contact", rows: [{ cells: { lastname: "Added" } }] });
    await control.deleteRows({ table: "contact", ids: [second] });
    await poll(async () => (await profile(first))?.["lastName"]).toBe("Changed");
    await poll(async () => (await profile(added))?.["lastName"]).toBe("Added");
    await poll(() => profile(second)).toBeUndefined();
    await poll(async () => (await worker.status()).backlog).toBe(0);
    expect(await control.writes({ resource: "profile", key: third })).toHaveLength(1);
  });

  it("ends at SIGTERM with exit code 0 and its exact backlog, and the next one writes the rest", async () => {
    const slow = ground.start([contactMapping], { callsPerSecond: 100, flags: patient });
    await poll(async () => (await slow.status()).mappings[0]?.read).toBe(2000);
    await poll(profiles).toBeGreaterThan(50);
    expect(await slow.stop()).toBe(0);
    const written = await profiles();
    expect(slow.lastWords()).toMatchObject({ reason: "Stopped", backlog: 2000 - written });
    const next = ground.start([contactMapping], { flags: patient });
    await drained(next);
    await expectEachWrittenOnce(control);
  });

  it("has every contact there once after ten kills during the load", async () => {
    await control.setCampaignBehaviour({ duplicateKey: "accept" });
    for (let kill = 0; kill < 10; kill++) {
      const before = await profiles();
      const worker = ground.start([contactMapping], { callsPerSecond: 300 });
      await poll(profiles).toBeGreaterThan(Math.min(before + 60, 1999));
      await worker.kill();
    }
    const last = ground.start();
    await drained(last);
    const keys = new Set<unknown>();
    for await (const { values } of control.records({ resource: "profile" })) keys.add(values["externalId"]);
    expect(keys.size).toBe(2000);
    expect(await profiles()).toBe(2000);
  }, 120_000);

  it("does not lose or double a record whose answer was lost", async () => {
    await control.setCampaignBehaviour({ duplicateKey: "accept" });
    for (const method of ["POST", "PATCH"]) {
      const action = { kind: "loseAnswerAfterWrite" } as const;
      await control.addFault({
        side: "campaign",
        method,
        pathPattern: "/profile",
        probability: 0.05,
        seed: 7,
        times: 40,
        action,
      });
    }
    const worker = ground.start();
    await poll(async () => (await worker.status()).mappings[0]?.phase).toBe("Incremental");
    await poll(async () => (await worker.status()).backlog).toBe(0);
    expect(await profiles()).toBe(2000);
    const keys = new Set<unknown>();
    for await (const { values } of control.records({ resource: "profile" })) keys.add(values["externalId"]);
    expect(keys.size).toBe(2000);
    expect((await worker.status()).mappings[0]?.deadLettered).toBe(0);
  });

  it("stays up and not ready while Dataverse is away, and goes on by itself", async () => {
    const worker = ground.start();
    await drained(worker);
    await control.setGate({ side: "dataverse", state: "unavailable" });
    await poll(() => worker.get("/readyz")).toEqual({
      status: 503,
      body: expect.stringContaining("Dataverse did not answer"),
    });
    expect((await worker.get("/livez")).status).toBe(200);
    const [first] = await firstIds(control, 1);
    await control.updateRows({ table: "contact", rows: [{ id: first, cells: { lastname: "Later" } }] });
    await control.setGate({ side: "dataverse", state: "open" });
    await poll(async () => (await worker.get("/readyz")).status, 40 * seconds).toBe(200);
    await poll(async () => (await profile(first))?.["lastName"]).toBe("Later");
  });

  it("stays up and not ready while Campaign is away from the start, and writes when it is back", async () => {
    await control.setGate({ side: "campaign", state: "unreachable" });
    const worker = ground.start();
    await poll(async () => (await worker.get("/readyz")).body).toContain("Campaign did not answer");
    await control.setGate({ side: "campaign", state: "open" });
    await drained(worker);
  });

  it("reads everything again when the delta link has expired, and finds what was deleted meanwhile", async () => {
    const worker = ground.start([contactMapping], { flags: patient });
    await drained(worker);
    const before = await written(worker);
    await worker.stop();
    const [changed, ...gone] = await firstIds(control, 4);
    await control.deleteRows({ table: "contact", ids: gone });
    await control.updateRows({ table: "contact", rows: [{ id: changed, cells: { lastname: "Meanwhile" } }] });
    await control.expireDeltaTokens({});
    const next = ground.start([contactMapping], { flags: patient });
    await poll(profiles).toBe(1997);
    await poll(async () => (await profile(changed))?.["lastName"]).toBe("Meanwhile");
    await poll(async () => (await next.status()).mappings[0]?.phase).toBe("Incremental");
    // Campaign has deleted the last one before the worker hears of it.
    await poll(async () => (await next.status()).backlog).toBe(0);
    expect(next.logged("delta.expired")).toHaveLength(1);
    // What did not change was read, compared and not sent.
    expect((await written(next)) - before).toBe(4);
    for await (const { key, entries } of control.allWrites({ resource: "profile" }))
      expect(entries, key).toHaveLength(key === changed || gone.includes(key) ? 2 : 1);
  });

  it("asks before it deletes many records that nobody said were deleted", async () => {
    const worker = ground.start();
    await drained(worker);
    await worker.stop();
    const gone = await firstIds(control, 200);
    await control.deleteRows({ table: "contact", ids: gone });
    await control.expireDeltaTokens({});
    const paused = ground.start();
    await poll(async () => (await paused.status()).mappings[0]?.phase).toBe("Paused");
    await poll(async () => (await paused.get("/readyz")).body).toContain("MassDeletion");
    expect(await paused.stop()).toBe(0);
    expect(await profiles()).toBe(2000);
    const agreed = ground.start([{ ...contactMapping, replay: "yes" }]);
    await poll(profiles).toBe(1800);
    await poll(async () => (await agreed.status()).mappings[0]?.phase).toBe("Incremental");
  });

  it("reads everything again when the mapping was edited, and writes what is different", async () => {
    const worker = ground.start();
    await drained(worker);
    const before = await written(worker);
    await worker.stop();
    const fields = [...contactMapping.fields, { column: "telephone1", field: "mobilePhone", applyUpdates: true }];
    const next = ground.start([{ ...contactMapping, fields }]);
    await poll(async () => (await written(next)) - before).toBe(2000);
    const [first] = await firstIds(control, 1);
    const row = await control.row({ table: "contact", id: first });
    expect((await profile(first))?.["mobilePhone"]).toBe(row?.cells["telephone1"]);
  });

  it("does not make again what was removed in Campaign, unless it is replayed", async () => {
    const worker = ground.start();
    await drained(worker);
    const [removed] = await firstIds(control, 1);
    await control.deleteRecords({ resource: "profile", keys: [removed] });
    await control.updateRows({ table: "contact", rows: [{ id: removed, cells: { lastname: "Again" } }] });
    await poll(async () => (await worker.status()).mappings[0]?.deadLettered).toBe(1);
    await poll(() => worker.logged("record.refused")[0]).toMatchObject({ reason: "RemovedInCampaign", id: removed });
    expect(await profile(removed)).toBeUndefined();
    await worker.stop();
    const replayed = ground.start([{ ...contactMapping, replay: "1" }]);
    await poll(async () => (await profile(removed))?.["lastName"]).toBe("Again");
    await poll(async () => (await replayed.status()).mappings[0]?.deadLettered).toBe(0);
  });
});

describe("a worker that only a person can help", () => {
  let ground: Ground;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 20 });
  });
  afterEach(() => ground.end());

  const expectEnd = async (worker: WorkerProcess, reason: string, message: RegExp) => {
    expect(await worker.exit(), worker.log).toBe(78);
    expect(worker.lastWords()).toMatchObject({ reason, message: expect.stringMatching(message) });
  };

  it("says which credentials are missing", async () => {
    ground.removeCredentials();
    await expectEnd(ground.start(), "CredentialsMissing", /"dynamics".*tenantId/);
  });

  it("says which credentials are refused, and not what they are", async () => {
    ground.writeCredentials({ clientSecret: "wr0ng-s3cret" });
    const worker = ground.start();
    await expectEnd(worker, "CredentialsRejected", /Dataverse/);
    expect(worker.log + JSON.stringify(worker.lastWords())).not.toContain("wr0ng-s3cret");
  });

  it("ends when a table is not there and nothing else can run", async () => {
    await expectEnd(ground.start([{ ...contactMapping, table: "new_missing" }]), "TableMissing", /new_missing/);
  });

  it("runs what can run when another mapping cannot", async () => {
    const worker = ground.start([contactMapping, { ...contactMapping, table: "new_missing", resource: "service" }]);
    const { control } = ground.sandbox;
    await expect.poll(() => control.countRecords({ resource: "profile" }), { timeout: 20_000 }).toBe(20);
    // Each mapping goes its own way: what one has written tells nothing of the other, nor of its own reading.
    await expect
      .poll(() => worker.status())
      .toMatchObject({
        schemaDrift: [{ mapping: "new_missing" }],
        mappings: [{ phase: "Incremental" }, { phase: "Paused" }],
      });
    await expect.poll(async () => (await worker.get("/readyz")).status).toBe(200);
  });

  it("refuses a store that belongs to another workflow, with the way out", async () => {
    const worker = ground.start();
    await expect.poll(() => ground.sandbox.control.countRecords({ resource: "profile" }), { timeout: 20_000 }).toBe(20);
    await worker.stop();
    await expectEnd(
      ground.start([contactMapping], { workflow: "leads" }),
      "StoreBelongsToAnother",
      /crm\/contacts.*delete/s,
    );
  });

  it("names a link that could never be made, and how to mend it", async () => {
    const linked = {
      column: "parentcustomerid",
      field: "company",
      applyUpdates: true,
      link: { resource: "cusCompany", key: "crmId", mandatory: false },
    };
    const worker = ground.start([{ ...contactMapping, fields: [...contactMapping.fields, linked] }]);
    await expectEnd(worker, "LinkInvalid", /company.*no link but of type string/);
  });

  it("tells of a link that could never be made while another mapping runs", async () => {
    const link = { resource: "service", key: "name", mandatory: false };
    const fields = [{ column: "parentaccountid", field: "label", applyUpdates: true, link }];
    const key = { column: "accountid", field: "name" };
    const worker = ground.start([
      contactMapping,
      { ...contactMapping, table: "account", resource: "service", key, fields },
    ]);
    await expect.poll(async () => (await worker.status()).mappings[0]?.written, { timeout: 20_000 }).toBe(20);
    await expect
      .poll(async () => (await worker.status()).schemaDrift)
      .toMatchObject([{ mapping: "account", message: expect.stringMatching(/label.*no link but of type string/) }]);
  });

  it("names the field of a configuration that cannot be understood", async () => {
    const worker = ground.start([{ ...contactMapping, picklistValues: "Both" as "Label" }]);
    await expectEnd(worker, "ConfigurationInvalid", /picklistValues/);
  });
});

describe("two workers on one store", () => {
  it("the second waits, not ready, may be stopped, and takes over when the first was killed", async () => {
    const ground = await Ground.make({ contacts: 500 });
    try {
      const first = ground.start([contactMapping], { callsPerSecond: 50 });
      const { control } = ground.sandbox;
      await expect.poll(() => control.countRecords({ resource: "profile" }), { timeout: 20_000 }).toBeGreaterThan(20);
      const second = ground.start([contactMapping]);
      await expect.poll(() => second.logged("queue.locked"), { timeout: 20_000 }).toHaveLength(1);
      expect(await second.get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("StoreLocked") });
      expect((await second.get("/status")).status).toBe(503);
      const third = ground.start([contactMapping]);
      await expect.poll(() => third.logged("queue.locked"), { timeout: 20_000 }).toHaveLength(1);
      expect(await third.stop()).toBe(0);
      expect(third.lastWords()).not.toHaveProperty("backlog");
      await first.kill();
      await expect.poll(() => control.countRecords({ resource: "profile" }), { timeout: 30_000 }).toBe(500);
    } finally {
      await ground.end();
    }
  });
});

async function firstIds(control: SandboxControl, count: number): Promise<[string, string, string, ...string[]]> {
  const ids: string[] = [];
  for await (const { id } of control.rows({ table: "contact" })) {
    ids.push(id);
    if (ids.length === count) break;
  }
  return ids as [string, string, string, ...string[]]; // As many as were asked for.
}

async function expectEachWrittenOnce(control: SandboxControl): Promise<void> {
  for await (const { key, entries } of control.allWrites({ resource: "profile" })) expect(entries, key).toHaveLength(1);
}
