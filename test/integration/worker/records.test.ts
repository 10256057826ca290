/** What became of one record, and how refused ones come back: by the command and by the worker's answers. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { DeadLettersAnswer, RecordFate, RecordsAnswer } from "../../../src/worker/records/answers.ts";
import { run } from "../bad-input/program.ts";
import { contactMapping, Ground, type WorkerProcess } from "./harness.ts";

const since = { column: "new_since", field: "birthDate", applyUpdates: true };
const filter = {
  match: "All" as const,
  conditions: [
    { column: "lastname", operator: "IsNotEmpty" as const },
    { column: "jobtitle", operator: "NotEquals" as const, value: "Spam" },
  ],
  deleteUnmatched: false,
};
const mapping = { ...contactMapping, fields: [...contactMapping.fields, since], filter };

describe("one record's fate", () => {
  let ground: Ground;
  let control: SandboxControl;
  let worker: WorkerProcess;
  let ids: readonly string[];
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 20 });
    control = ground.sandbox.control;
    await control.setColumn({ table: "contact", column: { name: "new_since", label: "Since", type: "String" } });
    const found: string[] = [];
    for await (const { id } of control.rows({ table: "contact" })) found.push(id);
    ids = found;
  });
  afterEach(() => ground.end());

  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 20_000, interval: 50 });
  const update = (id: string, cells: Record<string, string | null>) =>
    control.updateRows({ table: "contact", rows: [{ id, cells }] });
  const profile = async (key: string) => (await control.findRecords({ resource: "profile", key }))[0]?.values;
  const fateOf = async (key: string, query = ""): Promise<RecordFate> => {
    const { status, body } = await worker.get(`/records/contact/${encodeURIComponent(key)}${query}`);
    expect(status, body).toBe(200);
    const { records } = JSON.parse(body) as RecordsAnswer;
    expect(records).toHaveLength(1);
    return records[0] as RecordFate; // Counted above.
  };
  const deadLetters = async () => JSON.parse((await worker.get("/dead-letters")).body) as DeadLettersAnswer;
  const command = async (...args: readonly string[]) => {
    const address = (await worker.url()).replace("http://", "");
    const [name = "", ...rest] = args;
    const place =
      rest[0] === "redrive" ? ["redrive", "--address", address, ...rest.slice(1)] : ["--address", address, ...rest];
    return run([name, ...place]);
  };
  const redrive = async (question: object) => {
    const headers = { "content-type": "application/json" };
    const url = `${await worker.url()}/dead-letters/redrive`;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(question) });
    return { status: answer.status, body: await answer.json() };
  };
  const idle = () => poll(async () => (await worker.status()).backlog).toBe(0);
  const started = async () => {
    worker = ground.start([mapping], { flags: ["--ready-seconds", "600"] }); // Nothing is asked of Campaign without need.
    await poll(async () => (await worker.status()).mappings[0]?.phase).toBe("Incremental");
    await idle();
  };

  it("written: when, with which version, found by its id, and what Campaign has if that is asked", async () => {
    await started();
    const [id = ""] = ids;
    const row = await control.row({ table: "contact", id });
    const fate = await fateOf(id.toUpperCase());
    expect(fate).toMatchObject({
      id,
      fate: "Written",
      foundBy: ["DataverseId"],
      dataverse: { state: "Found", version: String(row?.version), isNewer: false },
      written: { version: String(row?.version), certainty: "Known", at: expect.stringMatching(/^20..-/) },
    });
    expect(fate).not.toHaveProperty("campaign");
    expect((await fateOf(id)).foundBy).toEqual(["DataverseId", "CampaignKey"]);
    expect((await fateOf(id, "?look=true")).campaign).toEqual({ records: 1 }); // The first look finds out how to look.
    const calls = (await control.counters()).campaign.engineCalls;
    expect((await fateOf(id, "?look=true")).campaign).toEqual({ records: 1 });
    expect((await control.counters()).campaign.engineCalls).toBe(calls + 1);
    await control.deleteRecords({ resource: "profile", keys: [id] });
    expect(await fateOf(id, "?look=true")).toMatchObject({
      campaign: { records: 0 },
      next: expect.stringContaining("removed"),
    });
  });

  it("is found by a key that is not its id, however that is written, and no key is told to whoever does not know it", async () => {
    const [id = ""] = ids;
    const key = "C/100 %ü";
    for (const each of ids) await update(each, { accountnumber: each === id ? key : each.slice(-12) });
    worker = ground.start([{ ...contactMapping, key: { column: "accountnumber", field: "externalId" } }]);
    await poll(() => control.countRecords({ resource: "profile" })).toBe(20);
    await idle();
    expect(await fateOf(key)).toMatchObject({ id, fate: "Written", foundBy: ["CampaignKey"] });
    const { body } = await worker.get(`/records/contact/C/100%20%25%C3%BC`);
    expect(JSON.parse(body).records).toMatchObject([{ id, fate: "Written" }]);
    const text = (await worker.get(`/records/contact/${id}`)).body;
    expect(text).not.toContain("C/100");
    const said = await command("record", key);
    expect(said).toMatchObject({ code: 0, message: "contact → profile: WRITTEN (found by its key in Campaign)" });
  });

  it("waiting: since when, how often it was tried, and why the last try failed", async () => {
    await started();
    const [id = ""] = ids;
    const action = { kind: "status", status: 503, body: "{}" } as const;
    await control.addFault({ side: "campaign", method: "PATCH", pathPattern: "/profile/", action });
    await update(id, { lastname: "Waits" });
    await poll(async () => (await fateOf(id)).waiting?.attempts ?? 0).toBeGreaterThan(0);
    expect(await fateOf(id)).toMatchObject({
      fate: "Waiting",
      waiting: { since: expect.any(String), lastFailure: { code: "Outage", message: expect.stringContaining("503") } },
    });
    const said = await command("record", id);
    expect(said.output).toMatch(/WAITING .*\n {2}Waits since 20.*tried .*the last try failed, Outage/);
    await control.clearFaults();
    await poll(async () => (await fateOf(id)).fate).toBe("Written");
    expect(await fateOf(id)).not.toHaveProperty("waiting");
  });

  it("filtered out: by which condition, without a word of the row's values", async () => {
    const [id = ""] = ids;
    await update(id, { jobtitle: "spam" });
    await started();
    const conditions = [
      { column: "lastname", operator: "IsNotEmpty", holds: true },
      { column: "jobtitle", operator: "NotEquals", value: "Spam", holds: false },
    ];
    const fate = await fateOf(id);
    expect(fate).toMatchObject({ fate: "FilteredOut", filteredOut: { match: "All", conditions } });
    expect(fate.summary).toBe('outside the filter: this does not hold: jobtitle NotEquals "Spam"');
    expect(JSON.stringify(fate)).not.toContain('"spam"');
    const [, written = ""] = ids;
    await update(written, { jobtitle: "Spam" });
    await poll(async () => (await fateOf(written)).fate).toBe("FilteredOut");
    expect((await fateOf(written)).summary).toContain("wrote it to Campaign before");
  });

  it("refused: why, and what to do; mended, it is re-driven", async () => {
    const [id = ""] = ids;
    await started();
    const body = `{"code":400,"message":"RST-360011 Value 'Jane Doe' is not valid for field '@lastName'"}`;
    const action = { kind: "status", status: 400, body } as const;
    await control.addFault({ side: "campaign", method: "PATCH", pathPattern: "/profile/", action });
    await update(id, { lastname: "Refused" });
    await poll(async () => (await fateOf(id)).fate).toBe("Refused");
    const fate = await fateOf(id);
    expect(fate).toMatchObject({
      refused: { reason: "Refused", message: expect.stringContaining("RST-360011") },
      written: { certainty: "Known" },
      next: expect.stringContaining(`integration-workflow dead-letters redrive ${id} --mapping contact`),
    });
    expect(JSON.stringify(fate)).not.toContain("Jane");
    await control.clearFaults();
    expect(await command("dead-letters")).toMatchObject({ code: 0, message: "1 refused for good:" });
    const done = await command("dead-letters", "redrive", id);
    expect(done).toMatchObject({ code: 0, message: expect.stringContaining("1 record queued again") });
    await poll(async () => (await profile(id))?.["lastName"]).toBe("Refused");
    // The profile is written before the worker hears of it.
    await poll(async () => (await fateOf(id)).fate).toBe("Written");
    expect((await command("dead-letters")).code).toBe(1);
    expect((await command("dead-letters", "redrive", id)).code).toBe(1);
  });

  it("refused, and the row is still not right: says so before anybody tries", async () => {
    const [id = ""] = ids;
    await update(id, { new_since: "secret-4711" });
    await started();
    const fate = await fateOf(id);
    expect(fate).toMatchObject({ fate: "Refused", refused: { reason: "ConversionFailed" } });
    expect(fate.next).toContain("would be refused again");
    expect(JSON.stringify(fate)).not.toContain("4711");
    expect((await redrive({ key: id })).body).toMatchObject({ redriven: 1 });
    await poll(async () => (await fateOf(id)).fate).toBe("Refused");
  });

  it("removed in Campaign: made again only for whoever says that this is meant", async () => {
    await started();
    const [a = "", b = ""] = ids;
    await control.deleteRecords({ resource: "profile", keys: [a, b] });
    for (const id of [a, b]) await update(id, { lastname: "Again" });
    await poll(async () => (await deadLetters()).deadLetters.length).toBe(2);
    expect((await fateOf(a)).next).toContain("privacy request");
    const left = await command("dead-letters", "redrive", "--all");
    expect(left).toMatchObject({ code: 1, message: expect.stringContaining("2 records left out") });
    expect(left.message).toContain("privacy request");
    expect((await command("dead-letters", "redrive", "--yes", a)).code).toBe(0);
    await poll(async () => (await profile(a))?.["lastName"]).toBe("Again");
    expect(await profile(b)).toBeUndefined();
    expect((await command("dead-letters", "redrive", "--reason", "RemovedInCampaign")).code).toBe(0);
    await poll(async () => (await profile(b))?.["lastName"]).toBe("Again");
    await idle();
    expect(await deadLetters()).toEqual({ counts: [], deadLetters: [] });
    expect(await control.countRecords({ resource: "profile" })).toBe(20);
  });

  it("not seen, gone, or to be read at the next poll", async () => {
    worker = ground.start([mapping], { flags: ["--poll-seconds", "600"] });
    await poll(() => control.countRecords({ resource: "profile" })).toBe(20);
    await idle();
    const never = "11111111-2222-4333-8444-555555555555";
    expect(await fateOf(never)).toMatchObject({ fate: "NotSeen", foundBy: [], dataverse: { state: "Gone" } });
    expect((await command("record", never)).code).toBe(1);
    expect(await fateOf("4711")).toMatchObject({ fate: "NotSeen", dataverse: { state: "NotAsked" } });
    await control.insertRows({ table: "contact", rows: [{ id: never, cells: { lastname: "New" } }] });
    expect(await fateOf(never)).toMatchObject({ fate: "NotSeen", dataverse: { state: "Found", isNewer: true } });
    expect((await command("record", never)).code).toBe(0);
    const [id = "", gone = ""] = ids;
    await update(id, { lastname: "Newer" });
    expect(await fateOf(id)).toMatchObject({ fate: "Written", dataverse: { isNewer: true } });
    await control.deleteRows({ table: "contact", ids: [gone] });
    expect(await fateOf(gone)).toMatchObject({ fate: "Written", dataverse: { state: "Gone" } });
  });

  it("is told from the store alone when Dataverse does not answer", async () => {
    await started();
    const [id = ""] = ids;
    await control.setGate({ side: "dataverse", state: "unreachable" });
    expect(await fateOf(id)).toMatchObject({ fate: "Written", dataverse: { state: "NoAnswer" } });
  });

  it("parked: for which record, until that lands; asked of every mapping at once", async () => {
    const fields = [
      { name: "crmId", type: "string", maxLength: 100 },
      { name: "name", type: "string", maxLength: 200 },
    ] as const;
    const company = { name: "cusCompany", label: "Companies", schema: "cus:company", keys: ["crmId"] };
    await control.addResource({ resource: { ...company, endpoints: ["customResources"], fields } });
    await control.setField({
      resource: "profile",
      field: { name: "company", label: "Company", type: "link", target: "cusCompany" },
    });
    const accounts = {
      ...contactMapping,
      table: "account",
      resource: "cusCompany",
      key: { column: "accountid", field: "crmId" },
      fields: [{ column: "name", field: "name", applyUpdates: true }],
    };
    const link = { resource: "cusCompany", key: "crmId", mandatory: true };
    const employer = { column: "parentcustomerid", field: "company", applyUpdates: true, link };
    worker = ground.start([{ ...contactMapping, fields: [...contactMapping.fields, employer] }, accounts]);
    await poll(async () => (await worker.status()).mappings.map(({ phase }) => phase)).toEqual([
      "Incremental",
      "Incremental",
    ]);
    await idle();
    const action = { kind: "status", status: 503, body: "{}" } as const;
    await control.addFault({ side: "campaign", method: "POST", pathPattern: "/cusCompany", action });
    const [parent = ""] = await control.insertRows({ table: "account", rows: [{ cells: { name: "Late" } }] });
    const [child = ""] = await control.insertRows({
      table: "contact",
      rows: [{ cells: { lastname: "Child", parentcustomerid: { table: "account", id: parent } } }],
    });
    await poll(async () => (await fateOf(child)).fate).toBe("Parked");
    expect((await fateOf(child)).waiting).toMatchObject({ waitsFor: [{ mapping: "account", id: parent }] });
    const { body } = await worker.get(`/records?key=${parent}`);
    expect((JSON.parse(body) as RecordsAnswer).records.map(({ mapping: table, fate }) => [table, fate])).toEqual([
      ["contact", "NotSeen"],
      ["account", "Waiting"],
    ]);
    const said = await command("record", parent);
    expect(said).toMatchObject({ code: 0, message: expect.stringMatching(/^account → cusCompany: WAITING/) });
    expect(said.output).toContain("contact: not seen there.");
    await control.clearFaults();
    await poll(async () => (await fateOf(child)).fate).toBe("Written");
  });
});
