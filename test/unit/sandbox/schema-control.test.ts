import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Column } from "../../../src/sandbox/dataverse/schema.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller, dataverseCaller } from "../../sandbox/callers.ts";

/** What people do to the schemas of the two sides, and what becomes of values, keys, tokens and metadata. */

const labels = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"';
const label = "gendercode@OData.Community.Display.V1.FormattedValue";
let sandbox: RunningSandbox;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 4 }, silentLogger);
});

afterEach(() => sandbox.close());

async function columnOf(name: string): Promise<Column> {
  const contact = (await sandbox.control.tables()).find((one) => one.name === "contact");
  const column = contact?.columns.find((one) => one.name === name);
  if (column === undefined) throw new Error(`contact has no ${name}`);
  return column;
}

describe("people in Dataverse", () => {
  let caller: Caller;
  let ids: readonly string[];

  beforeEach(async () => {
    caller = await dataverseCaller(sandbox);
    const [own = ""] = await sandbox.control.insertRows({
      table: "contact",
      rows: [{ cells: { lastname: "Own", jobtitle: "Clerk", gendercode: 2, accountnumber: "A-1" } }],
    });
    const listed = (await caller.call("GET", "contacts?$select=contactid")).json.value;
    ids = [own, ...listed.map((row: { contactid: string }) => row.contactid)];
  });

  const jobs = async () => {
    const { json } = await caller.call("GET", "contacts?$select=jobtitle");
    return json.value.map((row: { jobtitle: string | null }) => row.jobtitle);
  };

  it("drop a column and bring it back: its values are lost, and its rows do not count as changed", async () => {
    const column = await columnOf("jobtitle");
    const first = await caller.call("GET", "contacts?$select=lastname", { headers: { prefer: "odata.track-changes" } });
    expect(await jobs()).not.toContain(null);
    await sandbox.control.dropColumn({ table: "contact", column: "jobtitle", expireTokens: false });
    expect((await caller.call("GET", "contacts?$select=jobtitle")).status).toBe(400);
    await sandbox.control.setColumn({ table: "contact", column });
    expect(await jobs()).toEqual([null, null, null, null, null]);
    expect((await caller.call("GET", first.json["@odata.deltaLink"])).json.value).toEqual([]);
    await sandbox.control.updateRows({ table: "contact", rows: [{ id: ids[1] ?? "", cells: { jobtitle: "Baker" } }] });
    expect(await jobs()).toEqual(["Baker", null, null, null, null]);
  });

  it("retype a column: it is dropped and made again, empty", async () => {
    await sandbox.control.setColumn({ table: "contact", column: { name: "jobtitle", type: "Integer" } });
    expect(await jobs()).toEqual([null, null, null, null, null]);
  });

  it("make a column or a table again: it is another one, by its MetadataId; a changed one is the same", async () => {
    const idOf = async (path: string) =>
      (await caller.call("GET", `EntityDefinitions(LogicalName=${path}`)).json.MetadataId;
    const job = "'contact')/Attributes(LogicalName='jobtitle')";
    const seen = new Set([await idOf(job)]);
    const column = await columnOf("jobtitle");
    await sandbox.control.setColumn({ table: "contact", column: { ...column, label: "Work" } });
    expect(await idOf(job)).toBe([...seen][0]);
    for (const type of ["Integer", "String", "Memo"] as const) {
      await sandbox.control.setColumn({ table: "contact", column: { ...column, type } });
      seen.add(await idOf(job));
    }
    await sandbox.control.dropColumn({ table: "contact", column: "jobtitle" });
    await sandbox.control.setColumn({ table: "contact", column });
    seen.add(await idOf(job));
    expect(seen.size).toBe(5);
    const byId = await caller.call("GET", `EntityDefinitions(LogicalName='contact')/Attributes(${[...seen][4]})`);
    expect(byId.json.LogicalName).toBe("jobtitle");
    const table = { name: "new_t", entitySet: "new_ts", primaryId: "new_tid", primaryName: "new_n", keys: [] };
    const columns: readonly Column[] = [{ name: "new_n", type: "String" }];
    const ids = new Set<string>();
    for (let n = 0; n < 3; n += 1) {
      await sandbox.control.addTable({ table: { ...table, changeTracking: true, columns } });
      ids.add(await idOf("'new_t')")).add(await idOf("'new_t')/Attributes(LogicalName='new_n')"));
      await sandbox.control.dropTable({ table: "new_t" });
    }
    expect(ids.size).toBe(6);
  });

  it("lengthen or relabel a column: its values stay", async () => {
    const before = await jobs();
    const column = { ...(await columnOf("jobtitle")), label: "Work", maxLength: 300 };
    await sandbox.control.setColumn({ table: "contact", column });
    expect(await jobs()).toEqual(before);
  });

  it("drop a column of an alternate key: the key is gone, and free when both are made again", async () => {
    const column = await columnOf("accountnumber");
    await sandbox.control.dropColumn({ table: "contact", column: "accountnumber" });
    await sandbox.control.setColumn({ table: "contact", column });
    expect((await caller.call("GET", "contacts(accountnumber='A-1')")).status).toBe(400);
    await sandbox.control.setAlternateKeys({ table: "contact", keys: [["accountnumber"]] });
    expect((await caller.call("GET", "contacts(accountnumber='A-1')")).status).toBe(404);
    expect((await caller.call("GET", "contacts(accountnumber='AW00000001')")).status).toBe(404);
    expect((await caller.call("POST", "contacts", { body: { accountnumber: "A-1" } })).status).toBe(204);
  });

  it("relabel, add and drop options: rows keep their numbers", async () => {
    const gender = async () =>
      (await caller.call("GET", `contacts(${ids[0]})?$select=gendercode`, { headers: { prefer: labels } })).json;
    await sandbox.control.setOption({ table: "contact", column: "gendercode", option: { value: 2, label: "Woman" } });
    await sandbox.control.setOption({ table: "contact", column: "gendercode", option: { value: 3, label: "Other" } });
    expect(await gender()).toMatchObject({ gendercode: 2, [label]: "Woman" });
    expect((await columnOf("gendercode")).options).toEqual([
      { value: 1, label: "Male" },
      { value: 2, label: "Woman" },
      { value: 3, label: "Other" },
    ]);
    await sandbox.control.dropOption({ table: "contact", column: "gendercode", value: 2 });
    expect(await gender()).toMatchObject({ gendercode: 2 });
    expect(await gender()).not.toHaveProperty([label]);
    await expect(
      sandbox.control.setOption({ table: "contact", column: "lastname", option: { value: 1, label: "x" } }),
    ).rejects.toThrow('"contact.lastname" has no options');
  });

  it("switch change tracking off and on: tracked reads and delta links are refused meanwhile", async () => {
    const tracked = () =>
      caller.call("GET", "contacts?$select=lastname", { headers: { prefer: "odata.track-changes" } });
    const link = (await tracked()).json["@odata.deltaLink"];
    await sandbox.control.setChangeTracking({ table: "contact", enabled: false });
    expect((await tracked()).status).toBe(400);
    expect((await caller.call("GET", link)).status).toBe(400);
    await sandbox.control.setChangeTracking({ table: "contact", enabled: true });
    expect((await caller.call("GET", link)).status).toBe(200);
  });

  it("publish what readers of definitions see later, unless they ask for strong consistency", async () => {
    await sandbox.control.setOrganization({ staleDefinitions: true });
    await sandbox.control.dropColumn({ table: "contact", column: "fax" });
    const fax = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='fax')";
    const strong = { headers: { consistency: "Strong" } };
    expect((await caller.call("GET", fax)).status).toBe(200);
    expect((await caller.call("GET", fax, strong)).status).toBe(404);
    const time = async (options = {}) => (await caller.call("GET", "RetrieveTimestamp()", options)).json.Timestamp;
    expect(Number(await time(strong))).toBeGreaterThan(Number(await time()));
    expect((await caller.call("GET", "contacts?$select=fax")).status).toBe(400);
    await sandbox.control.setOrganization({ staleDefinitions: false });
    expect((await caller.call("GET", fax)).status).toBe(404);
    expect(await time()).toBe(await time(strong));
  });

  it("drop a table of their own, and are told so by metadata; a standard one stays", async () => {
    const table = { name: "new_visit", entitySet: "new_visits", primaryId: "new_visitid", primaryName: "new_name" };
    const columns: readonly Column[] = [{ name: "new_name", type: "String" }];
    await sandbox.control.addTable({ table: { ...table, changeTracking: true, keys: [], columns } });
    await sandbox.control.insertRows({ table: "new_visit", rows: [{ cells: { new_name: "x" } }] });
    const changes = async (stamp: string) =>
      caller.call(
        "GET",
        "RetrieveMetadataChanges(Query=@p1,DeletedMetadataFilters=@p2,ClientVersionStamp=@p3)?@p1={}" +
          `&@p2=Microsoft.Dynamics.CRM.DeletedMetadataFilters'Entity'&@p3=${stamp}`,
      );
    const { ServerVersionStamp: stamp } = (await changes("null")).json;
    const { MetadataId: id } = (await caller.call("GET", "EntityDefinitions(LogicalName='new_visit')")).json;
    await sandbox.control.dropTable({ table: "new_visit" });
    expect((await caller.call("GET", "new_visits")).status).toBe(404);
    expect((await caller.call("GET", "EntityDefinitions(LogicalName='new_visit')")).status).toBe(404);
    expect((await changes(`'${stamp}'`)).json.DeletedMetadata).toMatchObject({
      Count: 1,
      Keys: ["Entity"],
      Values: [{ Items: [id] }],
    });
    await sandbox.control.addTable({ table: { ...table, changeTracking: true, keys: [], columns } });
    expect((await caller.call("GET", "new_visits")).json.value).toEqual([]);
    await expect(sandbox.control.dropTable({ table: "contact" })).rejects.toThrow("standard table");
  });
});

describe("people in Campaign", () => {
  let caller: Caller;
  const profile = async () => (await caller.call("GET", "profileAndServicesExt/profile/c1")).json;
  const fieldOf = async (name: string) => {
    const resource = (await sandbox.control.resources()).find((one) => one.name === "profile");
    const field = resource?.fields.find((one) => one.name === name);
    if (field === undefined) throw new Error(`profile has no ${name}`);
    return field;
  };

  beforeEach(async () => {
    caller = await campaignCaller(sandbox);
    await sandbox.control.insertRecords({
      resource: "profile",
      records: [{ externalId: "c1", jobTitle: "Clerk", numberOfChildren: 3 }],
    });
  });

  it("drop a field and bring it back: its values are lost", async () => {
    const field = await fieldOf("jobTitle");
    const { lastModified } = await profile();
    await sandbox.control.dropField({ resource: "profile", field: "jobTitle" });
    expect(await profile()).not.toHaveProperty("jobTitle");
    const refused = await caller.call("PATCH", "profileAndServicesExt/profile/c1", { body: { jobTitle: "Baker" } });
    expect(refused.status).toBe(500);
    await sandbox.control.setField({ resource: "profile", field });
    expect(await profile()).toMatchObject({ jobTitle: "", numberOfChildren: 3, lastModified });
  });

  it("retype a field: it is dropped and made again, empty; another policy leaves its values", async () => {
    await sandbox.control.setField({ resource: "profile", field: { ...(await fieldOf("jobTitle")), maxLength: 200 } });
    expect(await profile()).toMatchObject({ jobTitle: "Clerk" });
    await sandbox.control.setField({ resource: "profile", field: { name: "jobTitle", type: "integer" } });
    expect(await profile()).toMatchObject({ jobTitle: 0 });
  });

  it("remove a custom resource: its records are gone with it; Campaign's own stay", async () => {
    const endpoints = ["profileAndServicesExt"] as const;
    const fields = [{ name: "number", type: "string" }] as const;
    const resource = { name: "cusOrder", label: "Orders", schema: "cus:order", endpoints, fields, keys: ["number"] };
    await sandbox.control.addResource({ resource });
    await sandbox.control.insertRecords({ resource: "cusOrder", records: [{ number: "1" }] });
    await sandbox.control.dropResource({ resource: "cusOrder" });
    expect((await caller.call("GET", "profileAndServicesExt/cusOrder")).status).toBe(500);
    await sandbox.control.addResource({ resource });
    expect(await sandbox.control.countRecords({ resource: "cusOrder" })).toBe(0);
    await expect(sandbox.control.dropResource({ resource: "profile" })).rejects.toThrow("cannot be dropped");
  });
});
