/**
 * The sandbox's Dataverse, judged by a client that we did not write: the npm package dynamics-web-api.
 */
import { DynamicsWebApi } from "dynamics-web-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { signIn } from "../../sandbox/callers.ts";

const contactCount = 23;
let sandbox: RunningSandbox;
let api: DynamicsWebApi;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: contactCount }, silentLogger);
  const { clientId, clientSecret } = sandbox.credentials;
  api = new DynamicsWebApi({
    serverUrl: sandbox.dataverseUrl,
    dataApi: { version: "9.2" },
    propagateErrors: true,
    onTokenRefresh: () =>
      signIn(sandbox.dataverseTokenUrl, {
        grant_type: "client_credentials",
        client_id: clientId,
        client_secret: clientSecret,
        scope: `${sandbox.dataverseUrl}/.default`,
      }),
  });
});

afterAll(() => sandbox.close());

// biome-ignore lint/suspicious/noExplicitAny: the client types an answer as what was sent
function create(data: object): Promise<any> {
  return api.create<object>({ collection: "contacts", data, returnRepresentation: true });
}

describe("dynamics-web-api", () => {
  it("calls WhoAmI", async () => {
    const who = await api.callFunction({ name: "WhoAmI" });
    expect(who.OrganizationId).toMatch(/^[0-9a-f-]{36}$/);
    expect(who.UserId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("creates, retrieves, updates, upserts and deletes a contact", async () => {
    const created = await create({ firstname: "Ada", lastname: "Lovelace", gendercode: 2 });
    expect(created).toMatchObject({ firstname: "Ada", fullname: "Ada Lovelace" });
    const key: string = created.contactid;

    await api.update({ collection: "contacts", key, data: { lastname: "King" } });
    const read = await api.retrieve({
      collection: "contacts",
      key,
      select: ["fullname", "gendercode"],
      includeAnnotations: "*",
    });
    expect(read).toMatchObject({ fullname: "Ada King", gendercode: 2 });
    expect(read["gendercode@OData.Community.Display.V1.FormattedValue"]).toBe("Female");
    expect(read).not.toHaveProperty("lastname");

    const fresh = "0b7f7a52-3a55-4b0a-9a4e-5a6f6a1f0001";
    await api.upsert({ collection: "contacts", key: fresh, data: { lastname: "New" } });
    expect(await api.retrieve({ collection: "contacts", key: fresh, select: ["lastname"] })).toMatchObject({
      lastname: "New",
    });

    await api.deleteRecord({ collection: "contacts", key: fresh });
    await api.deleteRecord({ collection: "contacts", key });
    await expect(api.retrieve({ collection: "contacts", key })).rejects.toMatchObject({
      status: 404,
      code: "0x80040217",
    });
  });

  it("is stopped by If-Match when the row has changed, and by If-None-Match when it exists", async () => {
    const created = await create({ lastname: "First" });
    const key: string = created.contactid;
    const etag: string = created["@odata.etag"];
    await api.update({ collection: "contacts", key, data: { lastname: "Second" } });
    await expect(api.deleteRecord({ collection: "contacts", key, ifmatch: etag })).rejects.toMatchObject({
      status: 412,
    });
    await expect(
      api.upsert({ collection: "contacts", key, data: { lastname: "x" }, ifnonematch: "*" }),
    ).rejects.toMatchObject({ status: 412 });
    const missing = "0b7f7a52-3a55-4b0a-9a4e-5a6f6a1f0002";
    await expect(api.upsert({ collection: "contacts", key: missing, data: {}, ifmatch: "*" })).rejects.toMatchObject({
      status: 404,
    });
    const now = await api.retrieve({ collection: "contacts", key, select: ["lastname"] });
    await api.deleteRecord({ collection: "contacts", key, ifmatch: now["@odata.etag"] });
  });

  it("finds a row by its alternate key", async () => {
    const row = await api.retrieve({
      collection: "contacts",
      key: "accountnumber='AW00000007'",
      select: ["accountnumber"],
    });
    expect(row.accountnumber).toBe("AW00000007");
  });

  it("writes a lookup by binding and reads it with its table's name", async () => {
    const { value: accounts } = await api.retrieveMultiple({ collection: "accounts", select: ["name"], top: 1 });
    const account = accounts[0];
    const created = await create({
      lastname: "Bound",
      "parentcustomerid_account@odata.bind": `/accounts(${account.accountid})`,
    });
    const read = await api.retrieve({
      collection: "contacts",
      key: created.contactid,
      select: ["_parentcustomerid_value"],
      includeAnnotations: "*",
    });
    expect(read._parentcustomerid_value).toBe(account.accountid);
    expect(read["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"]).toBe("account");
    expect(read["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"]).toBe(account.name);
    await api.deleteRecord({ collection: "contacts", key: created.contactid });
  });

  it("follows pages until all rows are read", async () => {
    const ids = new Set<string>();
    const request = { collection: "contacts", select: ["firstname"], maxPageSize: 5 };
    let page = await api.retrieveMultiple(request);
    let pages = 1;
    for (;;) {
      expect(page.value.length).toBeLessThanOrEqual(5);
      for (const row of page.value) ids.add(row.contactid);
      if (page.oDataNextLink === undefined) break;
      page = await api.retrieveMultiple(request, page.oDataNextLink);
      pages += 1;
    }
    expect(ids.size).toBe(contactCount);
    expect(pages).toBe(5);
    const all = await api.retrieveAll({ collection: "contacts", select: ["firstname"], maxPageSize: 7 });
    expect(all.value).toHaveLength(contactCount);
  });

  it("filters, orders, limits and counts", async () => {
    const women = await api.retrieveMultiple({
      collection: "contacts",
      filter: "gendercode eq 2 and statecode eq 0",
      select: ["gendercode"],
      count: true,
    });
    expect(women.oDataCount).toBe(women.value.length);
    expect(women.value.every((row) => row.gendercode === 2)).toBe(true);
    const ordered = await api.retrieveMultiple({
      collection: "contacts",
      orderBy: ["accountnumber desc"],
      select: ["accountnumber"],
      top: 3,
    });
    expect(ordered.value.map((row) => row.accountnumber)).toEqual(["AW00000023", "AW00000022", "AW00000021"]);
    expect(await api.count({ collection: "contacts" })).toBe(contactCount);
    expect(await api.count({ collection: "contacts", filter: "accountnumber eq 'AW00000001'" })).toBe(1);
  });

  it("tracks changes: a delta holds what was changed and what was deleted since", async () => {
    const request = { collection: "contacts", select: ["lastname"], trackChanges: true };
    let page = await api.retrieveMultiple({ ...request, maxPageSize: 10 });
    while (page.oDataNextLink !== undefined)
      page = await api.retrieveMultiple({ ...request, maxPageSize: 10 }, page.oDataNextLink);
    const deltaLink = page.oDataDeltaLink ?? "";
    const created = await create({ lastname: "Later" });
    const gone = await create({ lastname: "Gone" });
    await api.deleteRecord({ collection: "contacts", key: gone.contactid });
    const delta = await api.retrieveMultiple({ collection: "contacts" }, deltaLink);
    expect(delta.value).toHaveLength(2);
    expect(delta.value[0]).toMatchObject({ contactid: created.contactid, lastname: "Later" });
    expect(delta.value[1]).toMatchObject({ id: gone.contactid, reason: "deleted" });
    const after = await api.retrieveMultiple({ collection: "contacts" }, delta.oDataDeltaLink);
    expect(after.value).toEqual([]);
    await api.deleteRecord({ collection: "contacts", key: created.contactid });
  });

  it("reads table definitions, attributes, and choices by a cast", async () => {
    const tables = await api.retrieveEntities({ select: ["LogicalName"], filter: "ChangeTrackingEnabled eq true" });
    expect(tables.value.map((table) => table.LogicalName)).toEqual(["account", "contact"]);
    const contact = await api.retrieveEntity({
      key: "LogicalName='contact'",
      select: ["EntitySetName", "PrimaryIdAttribute", "ChangeTrackingEnabled"],
      expand: [
        {
          property: "Attributes",
          select: ["LogicalName", "AttributeType"],
          filter: "LogicalName eq 'parentcustomerid'",
        },
      ],
    });
    expect(contact).toMatchObject({
      EntitySetName: "contacts",
      PrimaryIdAttribute: "contactid",
      ChangeTrackingEnabled: true,
    });
    expect(contact.Attributes).toHaveLength(1);
    expect(contact.Attributes[0]).toMatchObject({ LogicalName: "parentcustomerid", AttributeType: "Customer" });
    const choices = await api.retrieveAttributes({
      entityKey: contact.MetadataId,
      castType: "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
      select: ["LogicalName"],
      expand: [{ property: "OptionSet", select: ["Options"] }],
    });
    const gender = choices.value.find((attribute) => attribute.LogicalName === "gendercode");
    expect(gender.OptionSet.Options.map((option: { Value: number }) => option.Value)).toEqual([1, 2]);
    const date = await api.retrieveAttribute({
      entityKey: "LogicalName='contact'",
      attributeKey: "LogicalName='birthdate'",
      castType: "Microsoft.Dynamics.CRM.DateTimeAttributeMetadata",
    });
    expect(date.DateTimeBehavior).toEqual({ Value: "DateOnly" });
  });
});
