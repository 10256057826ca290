import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let caller: Caller;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 12 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

afterAll(() => sandbox.close());

describe("signing in to Dataverse", () => {
  const good = () => ({
    grant_type: "client_credentials",
    client_id: sandbox.credentials.clientId,
    client_secret: sandbox.credentials.clientSecret,
    scope: `${sandbox.dataverseUrl}/.default`,
  });

  it.each([
    ["a wrong secret", { client_secret: "wrong" }, 401, "invalid_client", 7000215],
    ["an unknown application", { client_id: "nobody" }, 400, "unauthorized_client", 700016],
    ["a scope without /.default", { scope: "https://example.com/user" }, 400, "invalid_scope", 1002012],
    ["another grant", { grant_type: "password" }, 400, "unsupported_grant_type", 70003],
  ])("refuses %s in the identity platform's words", async (_, change, status, error, code) => {
    const body = new URLSearchParams({ ...good(), ...change });
    const response = await fetch(sandbox.dataverseTokenUrl, { method: "POST", body });
    expect(response.status).toBe(status);
    const json = await response.json();
    expect(json).toMatchObject({ error, error_codes: [code] });
    expect(json).toHaveProperty("error_description", expect.stringContaining(`AADSTS${code}: `));
  });

  it("refuses a tenant that is not there", async () => {
    const url = sandbox.dataverseTokenUrl.replace("/sandbox/", "/elsewhere/");
    const response = await fetch(url, { method: "POST", body: new URLSearchParams(good()) });
    expect(await response.json()).toMatchObject({ error_codes: [90002] });
  });

  it("takes a new secret and refuses the old one once it was changed", async () => {
    await sandbox.control.setClientSecret({ side: "dataverse", clientSecret: "rotated" });
    const old = await fetch(sandbox.dataverseTokenUrl, { method: "POST", body: new URLSearchParams(good()) });
    expect(old.status).toBe(401);
    const fresh = { ...good(), client_secret: "rotated" };
    const taken = await fetch(sandbox.dataverseTokenUrl, { method: "POST", body: new URLSearchParams(fresh) });
    expect(taken.status).toBe(200);
    await sandbox.control.setClientSecret({ side: "dataverse", clientSecret: sandbox.credentials.clientSecret });
  });

  it.each(["", "Bearer nonsense"])(
    "answers 401 and where to sign in to the authorization '%s'",
    async (authorization) => {
      const response = await fetch(`${sandbox.dataverseUrl}/api/data/v9.2/WhoAmI`, { headers: { authorization } });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("authorization_uri=");
    },
  );

  it("refuses tokens once they have expired", async () => {
    const early = await dataverseCaller(sandbox);
    await sandbox.control.expireAccessTokens({ side: "dataverse" });
    const { status, headers } = await early.call("GET", "WhoAmI");
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toContain("expired");
    caller = await dataverseCaller(sandbox);
  });
});

describe("the Web API", () => {
  it("sends the headers that every answer has", async () => {
    const { headers } = await caller.call("GET", "WhoAmI", { headers: { prefer: "odata.maxpagesize=2" } });
    expect(headers.get("odata-version")).toBe("4.0");
    expect(headers.get("preference-applied")).toBe("odata.maxpagesize=2");
    expect(Number(headers.get("x-ms-ratelimit-burst-remaining-xrm-requests"))).toBeGreaterThan(0);
    expect(Number(headers.get("x-ms-dop-hint"))).toBeGreaterThan(0);
  });

  it.each([
    ["Contacts", 404, "0x8006088a", "Resource not found for the segment 'Contacts'."],
    [
      "contacts?$select=parentcustomerid",
      400,
      "0x0",
      "Could not find a property named 'parentcustomerid' on type 'Microsoft.Dynamics.CRM.contact'.",
    ],
    [
      "contacts?$filter=nosuch eq 1",
      400,
      "0x0",
      "Could not find a property named 'nosuch' on type 'Microsoft.Dynamics.CRM.contact'.",
    ],
    ["contacts?$skip=5", 400, "0x80060888", "Skip Clause is not supported in CRM"],
    [
      "contacts(00000000-0000-0000-0000-000000000001)",
      404,
      "0x80040217",
      "contact With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist",
    ],
    [
      "contacts(lastname='x')",
      400,
      "0x0",
      "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.contact'. Ensure that the names and number of key properties match the declared or alternate key properties for the resource 'Microsoft.Dynamics.CRM.contact'.",
    ],
  ])("refuses GET %s", async (target, status, code, message) => {
    const answer = await caller.call("GET", target);
    expect(answer).toMatchObject({ status, json: { error: { code, message } } });
  });

  it.each([
    ["an unknown property", { nosuch: 1 }, "0x80048d19"],
    ["a value of another type", { numberofchildren: "two" }, "0x80048d19"],
    ["a lookup written as a value", { parentcustomerid: "x" }, "0x80048d19"],
    ["a choice that does not exist", { gendercode: 9 }, "0x8004431a"],
    ["text that is too long", { firstname: "x".repeat(51) }, "0x80044331"],
    ["a date that is none", { birthdate: "2026-02-30T00:00:00Z" }, "0x80048d19"],
    ["what is no JSON", "{", "0x80048d19"],
  ])("refuses to create a row with %s", async (_, body, code) => {
    const answer = await caller.call("POST", "contacts", { body });
    expect(answer).toMatchObject({ status: 400, json: { error: { code } } });
  });

  it("refuses a second row of the same alternate key", async () => {
    const answer = await caller.call("POST", "contacts", { body: { accountnumber: "AW00000001" } });
    expect(answer).toMatchObject({ status: 412, json: { error: { code: "0x80060892" } } });
  });

  it("finds a row by its alternate key after the key was changed, and no longer by the old one", async () => {
    const { json } = await caller.call("GET", "contacts(accountnumber='AW00000002')");
    const target = `contacts(${json.contactid})`;
    await caller.call("PATCH", target, { body: { accountnumber: "MOVED" } });
    expect((await caller.call("GET", "contacts(accountnumber='MOVED')")).json.contactid).toBe(json.contactid);
    expect((await caller.call("GET", "contacts(accountnumber='AW00000002')")).status).toBe(404);
    await caller.call("PATCH", target, { body: { accountnumber: "AW00000002" } });
  });

  it("upserts by an alternate key", async () => {
    const created = await caller.call("PATCH", "contacts(accountnumber='UP1')", { body: { lastname: "One" } });
    expect(created.status).toBe(204);
    const id = /\((.*)\)$/.exec(created.headers.get("odata-entityid") ?? "")?.[1];
    const again = await caller.call("PATCH", "contacts(accountnumber='UP1')", { body: { lastname: "Two" } });
    expect(again.headers.get("odata-entityid")).toContain(id);
    expect((await caller.call("GET", `contacts(${id})`)).json).toMatchObject({ lastname: "Two", accountnumber: "UP1" });
    await caller.call("DELETE", `contacts(${id})`);
  });

  it("answers 304 to a conditional read of a row that has not changed", async () => {
    const { json } = await caller.call("GET", "contacts(accountnumber='AW00000003')");
    const headers = { "if-none-match": json["@odata.etag"] };
    expect((await caller.call("GET", `contacts(${json.contactid})`, { headers })).status).toBe(304);
  });

  it("raises versionnumber and the ETag with every write, and keeps createdon", async () => {
    const before = (await caller.call("GET", "contacts(accountnumber='AW00000004')")).json;
    await caller.call("PATCH", `contacts(${before.contactid})`, { body: { jobtitle: "x" } });
    const after = (await caller.call("GET", `contacts(${before.contactid})`)).json;
    expect(after.versionnumber).toBeGreaterThan(before.versionnumber);
    expect(after["@odata.etag"]).toBe(`W/"${after.versionnumber}"`);
    expect(after.createdon).toBe(before.createdon);
  });

  it("empties a lookup by null", async () => {
    const { json } = await caller.call("GET", "accounts?$select=name");
    const id: string = json.value[0].accountid;
    const bind = { "parentcustomerid_account@odata.bind": `/accounts(${id})` };
    await caller.call("PATCH", "contacts(accountnumber='AW00000005')", { body: bind });
    const read = async () =>
      (await caller.call("GET", "contacts(accountnumber='AW00000005')")).json._parentcustomerid_value;
    expect(await read()).toBe(id);
    await caller.call("PATCH", "contacts(accountnumber='AW00000005')", { body: { parentcustomerid_account: null } });
    expect(await read()).toBeNull();
  });

  it("serves a table that was declared, with its columns and keys", async () => {
    await sandbox.control.addTable({
      table: {
        name: "new_order",
        entitySet: "new_orders",
        primaryId: "new_orderid",
        primaryName: "new_name",
        changeTracking: true,
        keys: [["new_name", "new_line"]],
        columns: [
          { name: "new_name", type: "String", maxLength: 40 },
          { name: "new_line", type: "Integer" },
          { name: "new_contactid", type: "Lookup", targets: ["contact"] },
          {
            name: "new_tags",
            type: "MultiSelectPicklist",
            options: [
              { value: 1, label: "A" },
              { value: 2, label: "B" },
            ],
          },
        ],
      },
    });
    const contact = (await caller.call("GET", "contacts(accountnumber='AW00000006')")).json.contactid;
    const body = { new_name: "o", new_line: 1, new_tags: "1,2", "new_contactid@odata.bind": `/contacts(${contact})` };
    expect((await caller.call("POST", "new_orders", { body })).status).toBe(204);
    const headers = { prefer: 'odata.include-annotations="*"' };
    const { json } = await caller.call("GET", "new_orders(new_name='o',new_line=1)", { headers });
    expect(json).toMatchObject({ _new_contactid_value: contact, statecode: 0 });
    expect(json["new_tags@OData.Community.Display.V1.FormattedValue"]).toBe("A; B");
    const metadata = await caller.call(
      "GET",
      "EntityDefinitions(LogicalName='new_order')?$select=LogicalName&$expand=Keys($select=KeyAttributes)",
    );
    expect(metadata.json.Keys[0].KeyAttributes).toEqual(["new_name", "new_line"]);
  });

  it("shows type-specific metadata only after a cast", async () => {
    const plain = await caller.call(
      "GET",
      "EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName,Targets",
    );
    expect(plain.status).toBe(400);
    const cast = "EntityDefinitions(LogicalName='contact')/Attributes/Microsoft.Dynamics.CRM.LookupAttributeMetadata";
    const lookups = await caller.call("GET", `${cast}?$select=LogicalName,Targets`);
    const parent = lookups.json.value.find((one: { LogicalName: string }) => one.LogicalName === "parentcustomerid");
    expect(parent.Targets).toEqual(["account", "contact"]);
  });

  it("forgets a dropped column and shows a retyped one", async () => {
    await sandbox.control.dropColumn({ table: "contact", column: "jobtitle" });
    await sandbox.control.dropColumn({ table: "contact", column: "jobtitle" });
    expect((await caller.call("GET", "contacts?$select=jobtitle")).status).toBe(400);
    await sandbox.control.setColumn({ table: "contact", column: { name: "mobilephone", type: "Integer" } });
    const { json } = await caller.call(
      "GET",
      "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='mobilephone')",
    );
    expect(json.AttributeType).toBe("Integer");
  });

  it("stamps answers with the version of the schema, for whom asks", async () => {
    const annotation = "Microsoft.Dynamics.CRM.globalmetadataversion";
    const headers = { prefer: `odata.include-annotations="${annotation}"` };
    const stamp = async (target: string) => (await caller.call("GET", target, { headers })).json[`@${annotation}`];
    const before = await stamp("contacts?$top=1");
    expect(await stamp("EntityDefinitions?$select=LogicalName")).toBe(before);
    await sandbox.control.setColumn({ table: "account", column: { name: "new_x", type: "String" } });
    expect(await stamp("contacts?$top=1")).not.toBe(before);
    expect((await caller.call("GET", "contacts?$top=1")).json).not.toHaveProperty([`@${annotation}`]);
  });
});
