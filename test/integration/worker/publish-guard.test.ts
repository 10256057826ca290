/** Changes of both systems' metadata while records move, by the worker as a process against the sandbox. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, type WorkerProcess } from "./harness.ts";

const flags = ["--check-seconds", "1"];

describe("a worker, while people publish changes", () => {
  let ground: Ground;
  let control: SandboxControl;
  let worker: WorkerProcess;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 2000 });
    control = ground.sandbox.control;
  });
  afterEach(() => ground.end());

  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 30_000, interval: 50 });
  const drift = async () => (await worker.status()).schemaDrift.map(({ mapping, message }) => `${mapping}: ${message}`);
  const backlog = async () => (await worker.status()).backlog;
  const loaded = async () => {
    worker = ground.start([contactMapping], { flags });
    await poll(() => control.countRecords({ resource: "profile" })).toBe(2000);
    await poll(backlog).toBe(0);
  };
  /** What Dataverse and Campaign say of a column and its field, where they differ. */
  const differences = async (column: string, field: string) => {
    const profiles = new Map<unknown, unknown>();
    for await (const { values } of control.records({ resource: "profile" })) {
      profiles.set(values["externalId"], values[field] ?? "");
    }
    const found: string[] = [];
    for await (const { id, cells } of control.rows({ table: "contact" })) {
      if ((cells[column] ?? "") !== profiles.get(id)) found.push(`${id}: ${cells[column]} and ${profiles.get(id)}`);
    }
    return found;
  };

  it("pauses when a column is dropped while records flow, and brings everything when it is back", async () => {
    worker = ground.start([contactMapping], { callsPerSecond: 300, flags });
    await poll(() => control.countRecords({ resource: "profile" })).toBeGreaterThan(300);
    await control.dropColumn({ table: "contact", column: "lastname" });
    await poll(drift).toEqual([expect.stringMatching(/^contact: the column lastname of the table contact is gone/)]);
    const before = await control.countRecords({ resource: "profile" });
    expect(await backlog()).toBeGreaterThan(0);
    expect(before).toBeLessThan(2000);
    await control.setColumn({ table: "contact", column: { name: "lastname", type: "String" } });
    const [first] = await control.changeMany({
      table: "contact",
      count: 50,
      operation: "update",
      cells: { lastname: "Filled {n}" },
    });
    await poll(drift).toEqual([]);
    await poll(() => control.countRecords({ resource: "profile" })).toBe(2000);
    await poll(() => differences("lastname", "lastName")).toEqual([]);
    expect(first).toBeDefined();
    expect(await differences("firstname", "firstName")).toEqual([]);
    expect((await worker.status()).mappings[0]?.deadLettered).toBe(0);
  });

  it("takes a dropped resource for what it is, though Campaign answers as in an outage; others go on", async () => {
    const shape = {
      name: "cusPerson",
      label: "People",
      schema: "cus:person",
      endpoints: ["customResources"],
      keys: ["crmId"],
    } as const;
    const resource = {
      ...shape,
      fields: [
        { name: "crmId", type: "string" },
        { name: "name", type: "string" },
      ],
    } as const;
    await control.addResource({ resource });
    const accounts = { table: "account", rows: [{ cells: { name: "One" } }] };
    const [account = ""] = await control.insertRows(accounts);
    const mapping = {
      ...contactMapping,
      table: "account",
      resource: "cusPerson",
      key: { column: "accountid", field: "crmId" },
      fields: [{ column: "name", field: "name", applyUpdates: true }],
    };
    worker = ground.start([contactMapping, mapping], { flags });
    const stored = async () => (await control.findRecords({ resource: "cusPerson", key: account }))[0]?.values["name"];
    await poll(stored).toBe("One");
    await poll(() => control.countRecords({ resource: "profile" })).toBe(2000);

    await control.dropResource({ resource: "cusPerson" });
    await control.updateRows({ table: "account", rows: [{ id: account, cells: { name: "Two" } }] });
    await poll(drift).toEqual([expect.stringMatching(/^account: Campaign has no resource "cusPerson"/)]);
    await poll(async () => (await worker.status()).mappings).toMatchObject([
      { name: "contact", phase: "Incremental" },
      { name: "account", phase: "Paused", reason: "ResourceMissing", message: expect.stringContaining("cusPerson") },
    ]);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    await control.changeMany({ table: "contact", count: 5, operation: "update", cells: { lastname: "Later {n}" } });
    await poll(() => differences("lastname", "lastName")).toEqual([]);

    await control.addResource({ resource });
    await poll(drift).toEqual([]);
    // Its records went with it: as any that somebody removed, they are not made again unasked.
    const line = async () => (await worker.status()).mappings[1];
    await poll(line).toMatchObject({ phase: "Incremental", backlog: 0 });
    await poll(async () => (await line())?.deadLettered ?? 0).toBeGreaterThan(0);
    const refusal = { mapping: "account", reason: "RemovedInCampaign" };
    await poll(() => worker.logged("record.refused")[0]).toMatchObject(refusal);
  });

  it("writes a Campaign field again in every record when it was gone", async () => {
    await loaded();
    await control.dropField({ resource: "profile", field: "lastName" });
    await poll(drift).toEqual([expect.stringMatching(/the field lastName of the Campaign resource profile is gone/)]);
    await control.changeMany({
      table: "contact",
      count: 20,
      operation: "update",
      cells: { firstname: "Meanwhile {n}" },
    });
    await control.setField({ resource: "profile", field: { name: "lastName", type: "string" } });
    await poll(drift).toEqual([]);
    await poll(() => differences("lastname", "lastName")).toEqual([]);
    await poll(() => differences("firstname", "firstName")).toEqual([]);
  });

  it("writes what is written on insert only again where Campaign lost it, and only there", async () => {
    const fields = contactMapping.fields.map((one) => ({
      ...one,
      applyUpdates: one.field !== "lastName" && one.field !== "firstName",
    }));
    worker = ground.start([{ ...contactMapping, fields }], { flags });
    await poll(() => control.countRecords({ resource: "profile" })).toBe(2000);
    await poll(backlog).toBe(0);
    const [edited] = await control.changeMany({
      table: "contact",
      count: 1,
      operation: "update",
      cells: { firstname: "New" },
    });
    await control.updateRecord({ resource: "profile", key: edited ?? "", values: { firstName: "By hand" } });
    await control.dropField({ resource: "profile", field: "lastName" });
    await poll(drift).toHaveLength(1);
    await control.setField({ resource: "profile", field: { name: "lastName", type: "string" } });
    await poll(drift).toEqual([]);
    await poll(() => differences("lastname", "lastName")).toEqual([]);
    const [profile] = await control.findRecords({ resource: "profile", key: edited ?? "" });
    expect(profile?.values["firstName"]).toBe("By hand");
  });

  it("pauses when a column has another type, and a restart does not take that for what it should be", async () => {
    await loaded();
    await control.setColumn({ table: "contact", column: { name: "lastname", type: "Integer" } });
    await control.changeMany({ table: "contact", count: 20, operation: "update", cells: { lastname: 7 } });
    await poll(drift).toEqual([expect.stringMatching(/lastname .* has another type: it was String, and is Integer/)]);
    await worker.stop();
    worker = ground.start([contactMapping], { flags });
    expect(await worker.exit()).toBe(78);
    expect(worker.lastWords()).toMatchObject({ reason: "ColumnChanged" });
    for await (const { values } of control.records({ resource: "profile" })) expect(values["lastName"]).not.toBe("7");
    worker = ground.start([{ ...contactMapping, replay: "it is meant" }], { flags });
    await poll(async () => (await worker.status()).mappings[0]?.phase).toBe("Incremental");
    await poll(async () => {
      const wrong: unknown[] = [];
      for await (const { values } of control.records({ resource: "profile" })) {
        if (![undefined, "", "7"].includes(values["lastName"] as string)) wrong.push(values["lastName"]);
      }
      return wrong.length;
    }).toBe(0);
  });

  it("misses nothing that changed while change tracking was off", async () => {
    await loaded();
    await control.setChangeTracking({ table: "contact", enabled: false });
    await poll(drift).toEqual([expect.stringMatching(/Track changes/)]);
    await control.changeMany({
      table: "contact",
      count: 20,
      operation: "update",
      cells: { lastname: "Untracked {n}" },
    });
    const [gone] = await control.changeMany({ table: "contact", count: 1, skip: 30, operation: "delete" });
    await control.setChangeTracking({ table: "contact", enabled: true });
    await poll(drift).toEqual([]);
    await poll(() => differences("lastname", "lastName")).toEqual([]);
    await poll(() => control.findRecords({ resource: "profile", key: gone ?? "" })).toEqual([]);
  });

  it("pauses when a lookup points at other tables, and follows new labels", async () => {
    const mapping = {
      ...contactMapping,
      fields: [...contactMapping.fields, { column: "parentcustomerid", field: "middleName", applyUpdates: true }],
    };
    worker = ground.start([mapping], { flags });
    await poll(async () => (await worker.status()).mappings[0]?.phase).toBe("Incremental");
    const table = (await control.tables()).find(({ name }) => name === "contact");
    const parent = table?.columns.find(({ name }) => name === "parentcustomerid");
    if (parent === undefined) throw new Error("a contact has a parent");
    await control.setColumn({ table: "contact", column: { ...parent, targets: ["account"] } });
    await poll(drift).toEqual([
      expect.stringMatching(/points at other tables: it was account, contact, and is account/),
    ]);
    await control.setColumn({ table: "contact", column: parent });
    await poll(drift).toEqual([]);
    await control.setOption({ table: "contact", column: "gendercode", option: { value: 1, label: "Man" } });
    await poll(() => worker.logged("mapping.followed").map(({ changes }) => String(changes))).toContainEqual(
      expect.stringMatching(/gendercode .* other labels for 1/),
    );
    expect(await drift()).toEqual([]);
  });
});
