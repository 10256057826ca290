/** What a mapping may say, by the worker as a process against the sandbox. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, type WorkerProcess } from "./harness.ts";

const [firstName, lastName] = contactMapping.fields;

describe("the worker, against 200 contacts", () => {
  let ground: Ground;
  let control: SandboxControl;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 200 });
    control = ground.sandbox.control;
  });
  afterEach(() => ground.end());

  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 20_000, interval: 50 });
  const profile = async (id: string) => (await control.findRecords({ resource: "profile", key: id }))[0]?.values;
  const drained = async (worker: WorkerProcess, records: number) => {
    await poll(() => control.countRecords({ resource: "profile" })).toBe(records);
    await poll(async () => (await worker.status()).backlog).toBe(0);
  };
  const ids = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { id } of control.rows({ table: "contact" })) found.push(id);
    return found;
  };
  /** Since the mapping is there: by this process and those before it. */
  const written = async (worker: WorkerProcess) => (await worker.status()).mappings[0]?.written ?? 0;
  const nth = async (n: number): Promise<string> => (await ids())[n] ?? "";

  it("adopts a profile that has the key, and touches none that has another or none", async () => {
    const adopted = await nth(0);
    await control.insertRecords({
      resource: "profile",
      records: [
        { externalId: adopted, firstName: "Before" },
        { externalId: "other", firstName: "Other" },
        { firstName: "None" },
      ],
    });
    const worker = ground.start();
    await drained(worker, 202);
    const row = await control.row({ table: "contact", id: adopted });
    expect(await profile(adopted)).toMatchObject({ firstName: row?.cells["firstname"] });
    expect(await profile("other")).toMatchObject({ firstName: "Other" });
    expect(await control.countRecords({ resource: "profile" })).toBe(202);
  });

  it("adopts a profile that was made after the first load too", async () => {
    const worker = ground.start();
    await drained(worker, 200);
    const id = "11111111-2222-4333-8444-555555555555";
    await control.insertRecords({ resource: "profile", records: [{ externalId: id, firstName: "Before" }] });
    await control.insertRows({ table: "contact", rows: [{ id, cells: { firstname: "After", lastname: "X" } }] });
    await poll(async () => (await profile(id))?.["firstName"]).toBe("After");
    expect(await control.countRecords({ resource: "profile" })).toBe(201);
  });

  it("writes an address into the profile's location, and opt-outs into its deny lists, again and again", async () => {
    const fields = [
      { column: "address1_city", field: "location.city", applyUpdates: true },
      { column: "address1_postalcode", field: "location.zipCode", applyUpdates: true },
      { column: "donotbulkemail", field: "denyListEmail", applyUpdates: true },
    ];
    const worker = ground.start([{ ...contactMapping, fields }]);
    await drained(worker, 200);
    const id = await nth(3);
    const row = await control.row({ table: "contact", id });
    const zipCode = row?.cells["address1_postalcode"];
    expect(await profile(id)).toMatchObject({
      location: { city: row?.cells["address1_city"], zipCode },
      denyListEmail: row?.cells["donotbulkemail"],
    });
    await control.updateRecord({ resource: "profile", key: id, values: { location: { address1: "By hand" } } });
    const cells = { address1_city: "Paris", donotbulkemail: true };
    await control.updateRows({ table: "contact", rows: [{ id, cells }] });
    const location = { city: "Paris", zipCode, address1: "By hand" };
    await poll(() => profile(id)).toMatchObject({ location, denyListEmail: true });
  });

  it("writes constants and fields without updates on insert only, and such fields on replay", async () => {
    if (firstName === undefined || lastName === undefined) throw new Error("the mapping has two fields");
    const mapping = {
      ...contactMapping,
      fields: [firstName, { ...lastName, applyUpdates: false }],
      constants: [{ field: "middleName", value: "constant" }],
    };
    const worker = ground.start([mapping]);
    await drained(worker, 200);
    const id = await nth(0);
    expect(await profile(id)).toMatchObject({ middleName: "constant" });
    await control.updateRecord({ resource: "profile", key: id, values: { middleName: "edited" } });
    await control.updateRows({ table: "contact", rows: [{ id, cells: { firstname: "New", lastname: "Newer" } }] });
    await poll(async () => (await profile(id))?.["firstName"]).toBe("New");
    expect(await profile(id)).toMatchObject({ middleName: "edited" });
    expect((await profile(id))?.["lastName"]).not.toBe("Newer");
    await poll(async () => (await worker.status()).backlog).toBe(0);
    const before = await written(worker);
    await worker.stop();
    const replay = ground.start([{ ...mapping, replay: "1" }]);
    await poll(async () => (await profile(id))?.["lastName"]).toBe("Newer");
    expect(await profile(id)).toMatchObject({ middleName: "edited" });
    await poll(async () => (await written(replay)) - before).toBe(200);
  });

  it("writes what passes the filter; what leaves it goes only if that is asked for, and comes back as an insert", async () => {
    const filter = {
      match: "All" as const,
      conditions: [{ column: "jobtitle", operator: "Equals" as const, value: "in" }],
      deleteUnmatched: true,
    };
    const [a = "", b = ""] = await ids();
    await control.updateRows({ table: "contact", rows: [a, b].map((id) => ({ id, cells: { jobtitle: "in" } })) });
    const worker = ground.start([{ ...contactMapping, filter }]);
    await drained(worker, 2);
    await control.updateRows({ table: "contact", rows: [{ id: a, cells: { jobtitle: "out" } }] });
    await poll(() => profile(a)).toBeUndefined();
    await control.updateRows({ table: "contact", rows: [{ id: a, cells: { jobtitle: "in" } }] });
    await poll(() => profile(a)).toBeDefined();
    await worker.stop();
    const keeping = ground.start([{ ...contactMapping, filter: { ...filter, deleteUnmatched: false } }]);
    await poll(async () => (await keeping.status()).mappings[0]?.phase).toBe("Incremental");
    await control.updateRows({ table: "contact", rows: [{ id: b, cells: { jobtitle: "out", lastname: "Unseen" } }] });
    await control.updateRows({ table: "contact", rows: [{ id: a, cells: { lastname: "Seen" } }] });
    await poll(async () => (await profile(a))?.["lastName"]).toBe("Seen");
    expect((await profile(b))?.["lastName"]).not.toBe("Unseen");
  });

  it("deletes nothing in Campaign unless deletes are applied", async () => {
    const worker = ground.start([{ ...contactMapping, applyDeletes: false }]);
    await drained(worker, 200);
    const [gone = "", changed = ""] = await ids();
    await control.deleteRows({ table: "contact", ids: [gone] });
    await control.updateRows({ table: "contact", rows: [{ id: changed, cells: { lastname: "Changed" } }] });
    await poll(async () => (await profile(changed))?.["lastName"]).toBe("Changed");
    await poll(async () => (await worker.status()).backlog).toBe(0);
    expect(await profile(gone)).toBeDefined();
  });

  it("keeps its records queued when Campaign refuses one after the other for one cause, and says so", async () => {
    const action = {
      kind: "status",
      status: 400,
      body: `{"code":400,"message":"RST-360011 Value 'jane@example.com' is not valid for enumeration of field '@gender'"}`,
    } as const;
    await control.addFault({ side: "campaign", method: "POST", pathPattern: "/profile$", action });
    const worker = ground.start();
    await poll(async () => (await worker.status()).mappings[0]?.phase).toBe("Paused");
    await poll(() => worker.logged("mapping.suspended").length).toBe(1);
    const message = expect.stringMatching(
      /RST-360011 Value … is not valid for enumeration of field gender\. The records/,
    );
    // A system whose answer is late is told of first.
    await poll(async () => (await worker.status()).notReady).toMatchObject({ reason: "RefusalWave", message });
    const status = await worker.status();
    expect(status.mappings[0]?.deadLettered).toBeLessThan(30);
    expect(status.backlog).toBe(200 - (status.mappings[0]?.deadLettered ?? 0));
    expect(status.mappings[0]).toMatchObject({ reason: "RefusalWave", message });
    expect(worker.log).not.toContain("jane@example.com");
  });

  it("buries one bad record with a reason without its value, until a newer version of it passes", async () => {
    await control.setColumn({ table: "contact", column: { name: "new_since", label: "Since", type: "String" } });
    const bad = await nth(7);
    await control.updateRows({ table: "contact", rows: [{ id: bad, cells: { new_since: "secret-4711" } }] });
    const since = { column: "new_since", field: "birthDate", applyUpdates: true };
    const worker = ground.start([{ ...contactMapping, fields: [...contactMapping.fields, since] }]);
    await drained(worker, 199);
    expect((await worker.status()).mappings[0]?.deadLettered).toBe(1);
    await control.updateRows({ table: "contact", rows: [{ id: bad, cells: { new_since: "2026-11-21" } }] });
    await drained(worker, 200);
    expect((await worker.status()).mappings[0]?.deadLettered).toBe(0);
    expect(worker.log).not.toContain("4711");
  });

  it("pauses a mapping none of whose records can be converted, instead of burying them all", async () => {
    const wrong = { column: "lastname", field: "birthDate", applyUpdates: true };
    const worker = ground.start([{ ...contactMapping, fields: [wrong] }]);
    await poll(async () => (await worker.status()).schemaDrift[0]?.message).toContain("lastname");
    expect(await worker.status()).toMatchObject({ backlog: 0, mappings: [{ phase: "Paused", deadLettered: 0 }] });
  });

  it("refuses rows without a key one by one, though a whole page has none, and writes the others", async () => {
    const some = (await ids()).slice(0, 30);
    await control.updateRows({ table: "contact", rows: some.map((id) => ({ id, cells: { accountnumber: null } })) });
    const mapping = { ...contactMapping, key: { column: "accountnumber", field: "externalId" } };
    const worker = ground.start([mapping], { flags: ["--page-size", "25"] });
    await drained(worker, 170);
    const mappingStatus = async () => (await worker.status()).mappings[0];
    await poll(mappingStatus).toMatchObject({ phase: "Incremental", deadLettered: 30 });
  });

  it("asks again after a restart when an edit and a replay are found together with too many deletions", async () => {
    const worker = ground.start();
    await drained(worker, 200);
    await worker.stop();
    await control.deleteRows({ table: "contact", ids: (await ids()).slice(0, 120) });
    const edited = [{ ...contactMapping, fields: contactMapping.fields.slice(0, 3), replay: "repair" }];
    const paused = async (again: WorkerProcess) =>
      await poll(async () => (await again.status()).notReady?.reason).toBe("MassDeletion");
    const first = ground.start(edited);
    await paused(first);
    await first.stop();
    const second = ground.start(edited);
    await paused(second);
    await second.stop();
    expect(await control.countRecords({ resource: "profile" })).toBe(200);
    await drained(ground.start(edited.map((one) => ({ ...one, replay: "yes" }))), 80);
  });

  it("ends within its grace period though Campaign does not answer, loses nothing and doubles nothing", async () => {
    await control.addFault({
      side: "campaign",
      method: "POST",
      pathPattern: "/profile$",
      action: { kind: "slow", milliseconds: 200 },
    });
    const worker = ground.start([contactMapping], { graceSeconds: 5, flags: ["--call-timeout-seconds", "60"] });
    await poll(() => control.countRecords({ resource: "profile" })).toBeGreaterThan(20);
    await control.setGate({ side: "campaign", state: "paused" });
    expect(await worker.stop()).toBe(0);
    const { backlog } = worker.lastWords();
    await control.setGate({ side: "campaign", state: "open" });
    await control.clearFaults();
    expect(backlog).toBeGreaterThanOrEqual(200 - (await control.countRecords({ resource: "profile" })));
    await drained(ground.start(), 200);
    const keys = new Set<unknown>();
    for await (const { values } of control.records({ resource: "profile" })) keys.add(values["externalId"]);
    expect(keys.size).toBe(200);
  });
});
