import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { activityTables } from "../../../src/sandbox/dataverse/activity-tables.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

const activities = activityTables.map(({ name }) => name);
let sandbox: RunningSandbox;
let caller: Caller;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

afterEach(() => sandbox.close());

const named = (...names: string[]) => ({
  FilterOperator: "Or",
  Conditions: names.map((name) => ({
    PropertyName: "LogicalName",
    ConditionOperator: "Equals",
    Value: { Type: "System.String", Value: name },
  })),
});
const contactQuery = {
  Properties: { AllProperties: false, PropertyNames: ["ChangeTrackingEnabled", "Attributes", "Keys"] },
  Criteria: named("contact"),
  AttributeQuery: { Properties: { PropertyNames: ["AttributeType", "OptionSet"] } },
};

async function changes(query: unknown, stamp?: string) {
  const since =
    stamp === undefined
      ? ["(Query=@p1)", ""]
      : [
          "(Query=@p1,DeletedMetadataFilters=@p2,ClientVersionStamp=@p3)",
          `&@p2=Microsoft.Dynamics.CRM.DeletedMetadataFilters'All'&@p3='${stamp}'`,
        ];
  const text = encodeURIComponent(JSON.stringify(query));
  return caller.call("GET", `RetrieveMetadataChanges${since[0]}?@p1=${text}${since[1]}`);
}

const attributeOf = async (name: string): Promise<string> =>
  (await caller.call("GET", `EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='${name}')`)).json
    .MetadataId;

describe("RetrieveMetadataChanges", () => {
  it("gives what the query selects, and nothing has changed in a first request", async () => {
    const { status, json } = await changes({
      ...contactQuery,
      AttributeQuery: { ...contactQuery.AttributeQuery, Criteria: named("gendercode", "contactid") },
    });
    expect(status).toBe(200);
    expect(json.DeletedMetadata).toEqual({ Count: 0, IsReadOnly: false, Keys: [], Values: [] });
    expect(json.EntityMetadata).toMatchObject([
      {
        LogicalName: "contact",
        ChangeTrackingEnabled: true,
        HasChanged: null,
        Keys: [{ KeyAttributes: ["accountnumber"] }],
      },
    ]);
    const [id, gender] = json.EntityMetadata[0].Attributes;
    expect(id).toEqual({
      AttributeType: "Uniqueidentifier",
      MetadataId: id.MetadataId,
      LogicalName: "contactid",
      HasChanged: null,
    });
    expect(gender["@odata.type"]).toBe("#Microsoft.Dynamics.CRM.ComplexPicklistAttributeMetadata");
    expect(gender.OptionSet.Options.map((one: { Value: number }) => one.Value)).toEqual([1, 2]);
    expect(gender.MetadataId).toBe(await attributeOf("gendercode"));
  });

  it("gives with a stamp only what changed since, what is gone, and a stamp to go on from", async () => {
    const first = (await changes(contactQuery)).json.ServerVersionStamp;
    expect(first).toMatch(/^\d+!\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/);
    expect((await changes(contactQuery, first)).json.EntityMetadata).toEqual([]);

    const [fax, mobile] = [await attributeOf("fax"), await attributeOf("mobilephone")];
    await sandbox.control.dropColumn({ table: "contact", column: "fax" });
    await sandbox.control.setColumn({ table: "contact", column: { name: "mobilephone", type: "Integer" } });
    const second = (await changes(contactQuery, first)).json;
    expect(second.EntityMetadata).toMatchObject([
      { LogicalName: "contact", HasChanged: false, Attributes: [{ LogicalName: "mobilephone", HasChanged: true }] },
    ]);
    expect(second.EntityMetadata[0].Attributes).toHaveLength(1);
    expect(second.DeletedMetadata).toMatchObject({ Count: 1, Keys: ["Attribute"], Values: [{ Items: [fax, mobile] }] });
    expect(second.EntityMetadata[0].Attributes[0].MetadataId).toBe(await attributeOf("mobilephone"));
    expect(await attributeOf("mobilephone")).not.toBe(mobile);
    const third = (await changes(contactQuery, second.ServerVersionStamp)).json;
    expect(third).toMatchObject({ EntityMetadata: [], DeletedMetadata: { Count: 0 } });
  });

  it("tells a change of the table itself, and of a key, apart from its columns", async () => {
    const { ServerVersionStamp: stamp } = (await changes(contactQuery)).json;
    await sandbox.control.setChangeTracking({ table: "contact", enabled: false });
    await sandbox.control.setAlternateKeys({ table: "contact", keys: [["emailaddress1"]] });
    expect((await changes(contactQuery, stamp)).json.EntityMetadata).toMatchObject([
      { HasChanged: true, ChangeTrackingEnabled: false, Attributes: [], Keys: [{ KeyAttributes: ["emailaddress1"] }] },
    ]);
  });

  it("tells a new option by its option set: the column has not changed", async () => {
    const { ServerVersionStamp: stamp } = (await changes(contactQuery)).json;
    const contact = (await sandbox.control.tables()).find((one) => one.name === "contact");
    const gender = contact?.columns.find((one) => one.name === "gendercode");
    if (gender === undefined) throw new Error("contact has no gendercode");
    const options = [...(gender.options ?? []), { value: 3, label: "Other" }];
    await sandbox.control.setColumn({ table: "contact", column: { ...gender, options } });
    const [table] = (await changes(contactQuery, stamp)).json.EntityMetadata;
    expect(table.Attributes).toMatchObject([
      { LogicalName: "gendercode", HasChanged: false, OptionSet: { HasChanged: true } },
    ]);
    expect(table.Attributes[0].OptionSet.Options).toHaveLength(3);
  });

  it("refuses a stamp after 90 days, and every stamp once the number of days is another", async () => {
    const stamp = async () => (await changes(contactQuery)).json.ServerVersionStamp as string;
    const expired = { status: 400, json: { error: { code: "0x80044352" } } };
    const byAge = await stamp();
    await sandbox.control.setClock({ advanceSeconds: 89.9 * 86_400 });
    expect((await changes(contactQuery, byAge)).status).toBe(200);
    await sandbox.control.setClock({ advanceSeconds: 0.2 * 86_400 });
    expect(await changes(contactQuery, byAge)).toMatchObject(expired);
    const byDays = await stamp();
    await sandbox.control.setOrganization({ expireSubscriptionsInDays: 30 });
    expect(await changes(contactQuery, byDays)).toMatchObject(expired);
    expect((await changes(contactQuery, await stamp())).status).toBe(200);
  });

  it("refuses what is no query, no operator and no stamp", async () => {
    const operator = {
      Criteria: { Conditions: [{ PropertyName: "LogicalName", ConditionOperator: "Like", Value: {} }] },
    };
    expect((await changes(operator)).status).toBe(400);
    expect((await changes(contactQuery, "yesterday")).status).toBe(400);
    expect((await caller.call("GET", "RetrieveMetadataChanges(Query=@p1)?@p1={")).status).toBe(400);
  });

  it.each([
    ["NotIn", "System.String[]", "['contact','systemuser']", ["account", ...activities]],
    ["In", "System.String[]", "['contact']", ["contact"]],
    ["NotEquals", "System.String", "contact", ["systemuser", "account", ...activities]],
  ])("filters by %s", async (ConditionOperator, Type, Value, expected) => {
    const condition = { PropertyName: "LogicalName", ConditionOperator, Value: { Type, Value } };
    const { json } = await changes({ Criteria: { FilterOperator: "And", Conditions: [condition] } });
    expect(json.EntityMetadata.map((one: { LogicalName: string }) => one.LogicalName)).toEqual(expected);
  });
});

it("RetrieveTimestamp changes with the schema only", async () => {
  const timestamp = async () => (await caller.call("GET", "RetrieveTimestamp()")).json.Timestamp;
  const before = await timestamp();
  await caller.call("POST", "contacts", { body: { lastname: "x" } });
  expect(await timestamp()).toBe(before);
  await sandbox.control.dropColumn({ table: "contact", column: "fax" });
  expect(await timestamp()).not.toBe(before);
});

it("RetrieveTotalRecordCount can tell a count of earlier: it is a snapshot within the past 24 hours", async () => {
  const count = async () => {
    const { json } = await caller.call("GET", "RetrieveTotalRecordCount(EntityNames=['contact'])");
    return json.EntityRecordCountCollection.Values;
  };
  await sandbox.control.setOrganization({ staleRecordCounts: true });
  await caller.call("POST", "contacts", { body: { lastname: "x" } });
  expect(await count()).toEqual([0]);
  await sandbox.control.setOrganization({ staleRecordCounts: false });
  expect(await count()).toEqual([1]);
});
