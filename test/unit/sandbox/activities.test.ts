import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress } from "../../../src/api/schema/egress.ts";
import { activityTables } from "../../../src/sandbox/dataverse/activity-tables.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type BatchResponsePart, batchBody, readBatch } from "../../sandbox/batch-message.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

/** The four custom activities that Egress writes, as the sandbox's organisation has them from its start. */

let sandbox: RunningSandbox;
let caller: Caller;
let contact: string;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 3 }, silentLogger);
  caller = await dataverseCaller(sandbox);
  contact = (await caller.call("GET", "contacts?$select=contactid")).json.value[0].contactid;
});

afterAll(() => sandbox.close());

const regarding = "regardingobjectid_contact_adobe_emailsend";
const sent = (subject: string, bound = `/contacts(${contact})`) => ({
  subject,
  [`${regarding}@odata.bind`]: bound,
  adobe_occurredat: "2026-07-15T08:00:00Z",
});

describe("an activity", () => {
  it("has the tables and columns that a workflow of type Egress writes when nothing else is configured", () => {
    // A schema's defaults are what its type says.
    const { activities } = withDefaults(egress as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
    const { columns, ...kinds } = activities;
    expect(activityTables.map(({ name }) => name)).toEqual(Object.values(kinds).map(({ table }) => table));
    for (const table of activityTables) {
      const names = table.columns.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["activityid", "subject", "regardingobjectid", "ownerid"]));
      expect(names).toEqual(expect.arrayContaining(["actualstart", "actualend", ...Object.values(columns)]));
    }
  });

  it.each([
    ["its own table's property", `${regarding}@odata.bind`],
    ["the one that it inherits from activitypointer", "regardingobjectid_contact@odata.bind"],
  ])("is bound to its contact by %s", async (_, property) => {
    const body = { subject: "Bound", [property]: `/contacts(${contact})` };
    const { headers } = await caller.call("POST", "adobe_emailsends", { body });
    const prefer = 'odata.include-annotations="*"';
    const target = headers.get("odata-entityid") ?? "";
    const { json } = await caller.call("GET", target, { headers: { prefer } });
    expect(json).toMatchObject({
      subject: "Bound",
      _regardingobjectid_value: contact,
      "_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
      "_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty": regarding,
      statecode: 0,
      "statecode@OData.Community.Display.V1.FormattedValue": "Open",
    });
  });

  it.each(["ownerid", "ownerid_adobe_emailsend"])("takes its owner by %s", async (property) => {
    const { UserId } = (await caller.call("GET", "WhoAmI")).json;
    const body = { ...sent("Owned"), [`${property}@odata.bind`]: `/systemusers(${UserId})` };
    expect((await caller.call("POST", "adobe_emailsends", { body })).status).toBe(204);
  });

  it("is not made for a contact that is not there, nor with another table's property", async () => {
    const nobody = sent("Lost", `/contacts(${randomUUID()})`);
    const refused = { status: 404, json: { error: { code: "0x80040217" } } };
    expect(await caller.call("POST", "adobe_emailsends", { body: nobody })).toMatchObject(refused);
    expect((await caller.call("POST", "adobe_emailopens", { body: sent("Other") })).status).toBe(400);
  });

  it("is made once by PATCH with If-None-Match: * in a batch, and a person's edit of it stays", async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const create = (id: string) => ({
      method: "PATCH",
      url: `/api/data/v9.2/adobe_emailsends(${id})`,
      headers: { "If-None-Match": "*" },
      body: sent("From the worker"),
    });
    const batch = async (ids: readonly string[], prefer: Readonly<Record<string, string>>) => {
      const headers = { "content-type": "multipart/mixed; boundary=b", ...prefer };
      const answer = await caller.call("POST", "$batch", { headers, body: batchBody("b", ids.map(create)) });
      const parts = readBatch(answer.headers.get("content-type") ?? "", answer.text) as BatchResponsePart[];
      return { status: answer.status, parts: parts.map(({ status, json }) => [status, json?.error.code]) };
    };
    expect(await batch([first], {})).toEqual({ status: 200, parts: [[204, undefined]] });
    await caller.call("PATCH", `adobe_emailsends(${first})`, { body: { subject: "Edited" } });
    const again = await batch([first, second], { prefer: "odata.continue-on-error" });
    expect(again).toEqual({
      status: 200,
      parts: [
        [412, "0x80040237"],
        [204, undefined],
      ],
    });
    expect((await caller.call("GET", `adobe_emailsends(${first})`)).json.subject).toBe("Edited");
    // Without the preference the batch ends at the row that is there.
    expect(await batch([first, randomUUID()], {})).toMatchObject({ status: 412, parts: [[412, "0x80040237"]] });
  });
});

describe("relationships", () => {
  const read = async (path: string) => (await caller.call("GET", `EntityDefinitions(LogicalName='${path}`)).json;
  const select = "$select=ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName";

  it("tell a lookup's navigation property for each table that it may lead to", async () => {
    const json = await read(`adobe_emailsend')/ManyToOneRelationships?${select}`);
    expect(json["@odata.context"]).toMatch(/\$metadata#EntityDefinitions\(/);
    expect(json.value).toContainEqual({
      ReferencedEntity: "contact",
      ReferencingAttribute: "regardingobjectid",
      ReferencingEntityNavigationPropertyName: regarding,
      MetadataId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(json.value).toContainEqual(
      expect.objectContaining({
        ReferencedEntity: "owner",
        ReferencingAttribute: "ownerid",
        ReferencingEntityNavigationPropertyName: "ownerid_adobe_emailsend",
      }),
    );
  });

  it("can be filtered, and refuse a property that they do not have", async () => {
    const filter = encodeURIComponent("ReferencingAttribute eq 'parentcustomerid' and ReferencedEntity eq 'account'");
    const { value } = await read(`contact')/ManyToOneRelationships?${select}&$filter=${filter}`);
    expect(value).toMatchObject([{ ReferencingEntityNavigationPropertyName: "parentcustomerid_account" }]);
    const wrong = "EntityDefinitions(LogicalName='contact')/ManyToOneRelationships?$select=Entity1LogicalName";
    expect((await caller.call("GET", wrong)).status).toBe(400);
  });

  it("come with the table when they are expanded, and from their other end", async () => {
    const expand = `$expand=ManyToOneRelationships(${select})`;
    const json = await read(`adobe_emailopen')?$select=EntitySetName,IsActivity&${expand}`);
    expect(json).toMatchObject({ EntitySetName: "adobe_emailopens", IsActivity: true });
    const properties = json.ManyToOneRelationships.map(
      (one: Record<string, string>) => one["ReferencingEntityNavigationPropertyName"],
    );
    expect(properties).toContain("regardingobjectid_contact_adobe_emailopen");
    const { value } = await read("contact')/OneToManyRelationships");
    expect(value).toContainEqual(
      expect.objectContaining({ SchemaName: "contact_adobe_emailopens", ReferencingEntity: "adobe_emailopen" }),
    );
    const rows = await caller.call("GET", `contacts(${contact})/contact_adobe_emailsends?$select=subject`);
    expect(rows.json.value.length).toBeGreaterThan(0);
  });
});
