/**
 * The sandbox's Campaign, judged by Adobe's own client, @adobe/aio-lib-campaign-standard. Its host is fixed in the
 * OpenAPI document that it reads, so the test puts the sandbox in the `servers` entry of that document.
 */
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller, signIn } from "../../sandbox/callers.ts";

interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the library has no types
  readonly body: any;
}
interface Client {
  readonly sdk: { readonly spec: { readonly servers: { url: string }[] } };
}
interface Library {
  init(tenantId: string, apiKey: string, accessToken: string): Promise<Client>;
}

let sandbox: RunningSandbox;
let client: Client;
let caller: Caller;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  const { clientId, clientSecret } = sandbox.credentials;
  const token = await signIn(sandbox.campaignTokenUrl, {
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: "openid,AdobeID,campaign_sdk",
  });
  const library: Library = createRequire(import.meta.url)("@adobe/aio-lib-campaign-standard");
  caller = await campaignCaller(sandbox);
  client = await connect(library, clientId, token);
  await sandbox.control.addResource({
    resource: {
      name: "cusCompany",
      label: "Companies",
      schema: "cus:company",
      endpoints: ["profileAndServicesExt"],
      keys: ["crmId"],
      fields: [
        { name: "crmId", type: "string", maxLength: 50 },
        { name: "name", type: "string", maxLength: 100 },
      ],
    },
  });
  await sandbox.control.addResource({
    resource: {
      name: "cusStore",
      label: "Stores",
      schema: "cus:store",
      endpoints: ["customResources"],
      keys: ["code"],
      fields: [{ name: "code", type: "string", maxLength: 50 }],
    },
  });
});

afterAll(() => sandbox.close());

async function connect(library: Library, apiKey: string, token: string): Promise<Client> {
  const connected = await library.init("contoso", apiKey, token);
  const server = connected.sdk.spec.servers[0];
  if (server === undefined) throw new Error("the client's OpenAPI document names no server");
  server.url = sandbox.campaignUrl.replace("contoso", "{ORGANIZATION}");
  return connected;
}

/** One of the client's methods, by name. */
async function call(of: Client, method: string, ...parameters: unknown[]): Promise<Reply> {
  const { [method]: found } = of as unknown as Record<string, (...parameters: unknown[]) => Promise<Reply>>;
  if (found === undefined) throw new Error(`the client has no method ${method}`);
  return await found.apply(of, parameters);
}

describe("@adobe/aio-lib-campaign-standard", () => {
  it("creates, gets and updates a profile", async () => {
    const created = await call(client, "createProfile", {
      firstName: "Ada",
      lastName: "Lovelace",
      email: "ada@example.com",
    });
    expect(created.body).toMatchObject({ firstName: "Ada", email: "ada@example.com", gender: "unknown" });
    const pkey: string = created.body.PKey;
    const updated = await call(client, "updateProfile", pkey, { lastName: "King" });
    expect(Object.keys(updated.body).sort()).toEqual(["PKey", "href"]);
    const read = await call(client, "getProfile", pkey);
    expect(read.body).toMatchObject({ PKey: pkey, firstName: "Ada", lastName: "King" });
  });

  it("lists profiles by line count, order and filters, and follows next", async () => {
    for (const name of ["Bob", "Carl", "Dora"]) {
      await call(client, "createProfile", { firstName: name, lastName: "Listed", email: `${name}@example.com` });
    }
    const first = await call(client, "getAllProfiles", { lineCount: 2 });
    expect(first.body.content).toHaveLength(2);
    const next = await caller.call("GET", first.body.next.href);
    expect(next.json.content[0].PKey).not.toBe(first.body.content[1].PKey);
    const profiles = await call(client, "getDataFromRelativeUrl", "profileAndServices/profile");
    expect(profiles.body.content).toHaveLength(4);
    const text = await call(client, "getAllProfiles", {
      filters: ["byText"],
      text: "Listed",
      order: "firstName",
      descendingSort: true,
    });
    expect(text.body.content.map((profile: { firstName: string }) => profile.firstName)).toEqual([
      "Dora",
      "Carl",
      "Bob",
    ]);
    const mail = await call(client, "getAllProfiles", { filters: ["byEmail"], email: "Carl@example.com" });
    expect(mail.body.content).toHaveLength(1);
  });

  it("finds a profile by a custom filter on the extended endpoint", async () => {
    await sandbox.control.insertRecords({
      resource: "profile",
      records: [{ externalId: "crm-1", firstName: "Keyed" }],
    });
    const found = await call(client, "getAllProfiles", {
      filters: ["byExternalId"],
      hasCustomFilter: true,
      externalId_parameter: "crm-1",
    });
    expect(found.body.content).toHaveLength(1);
    expect(found.body.content[0]).toMatchObject({ externalId: "crm-1", firstName: "Keyed" });
  });

  it("creates and lists services", async () => {
    const created = await call(client, "createService", { name: "SVC1", label: "Sport", messageType: "sms" });
    const read = await call(client, "getService", created.body.PKey);
    expect(read.body).toMatchObject({ name: "SVC1", messageType: "sms" });
    const listed = await call(client, "getAllServices", { filters: ["byChannel"], channel: "sms" });
    expect(listed.body.content).toHaveLength(1);
  });

  it("reads metadata, of standard and extended resources", async () => {
    const profile = await call(client, "getMetadataForResource", "profile");
    expect(profile.body.content.email).toMatchObject({ apiName: "email", type: "string", dataPolicy: "email" });
    expect(Object.keys(profile.body.content.gender.values)).toEqual(["unknown", "male", "female"]);
    expect(profile.body.content).not.toHaveProperty("externalId");
    const all = await call(client, "getCustomResources");
    expect(all.body.cusCompany.name).toBe("cusCompany");
    expect(all.body.profile.content.externalId).toMatchObject({ apiName: "externalId", type: "string" });
    expect(all.body).not.toHaveProperty("cusStore");
  });

  it("creates, updates, lists and deletes records of a custom resource", async () => {
    const created = await call(client, "createCustomResource", "cusCompany", { crmId: "c1", name: "Contoso" });
    const pkey: string = created.body.PKey;
    await call(client, "updateCustomResource", "cusCompany", pkey, { name: "Contoso Ltd" });
    const listed = await call(client, "getAllProfileAndServicesExt", "cusCompany", {});
    expect(listed.body.content).toMatchObject([{ crmId: "c1", name: "Contoso Ltd" }]);
    await call(client, "deleteCustomResource", "cusCompany", pkey);
    const empty = await call(client, "getAllProfileAndServicesExt", "cusCompany", {});
    expect(empty.body.content).toEqual([]);
    const stores = await call(client, "getAllBasicCustomResources", "cusStore");
    expect(stores.body.content).toEqual([]);
  });

  it("reads organizational units and puts a profile into one", async () => {
    await sandbox.control.insertRecords({ resource: "orgUnitBase", records: [{ name: "brand4", label: "Brand 4" }] });
    const units = await call(client, "getAllOrgUnits");
    const created = await call(client, "createProfile", { firstName: "Unit" });
    await call(client, "updateProfileOrgUnit", created.body.PKey, units.body.content[0].PKey);
    const read = await call(client, "getProfileWithOrgUnit", created.body.PKey);
    expect(read.body.orgUnit).toMatchObject({ PKey: units.body.content[0].PKey, title: "Brand 4 (brand4)" });
  });

  it("reads of a link and of a collection what they lead to", async () => {
    const { body } = await call(client, "getMetadataForResource", "profile");
    expect(body.content.subscriptions).toMatchObject({ type: "collection", resTarget: "subscriptionRcp" });
    const extended = await call(client, "getCustomResources");
    expect(extended.body.profile.content.orgUnit).toMatchObject({ type: "link", resTarget: "orgUnitBase" });
  });

  it("updates an organizational unit that it found by a filter", async () => {
    await sandbox.control.insertRecords({ resource: "orgUnitBase", records: [{ name: "unit-u", label: "Old" }] });
    const units = await call(client, "getAllOrgUnits", { filters: ["byText"], text: "unit-u" });
    await call(client, "updateOrgUnit", units.body.content[0].PKey, { label: "New" });
    expect(await sandbox.control.findRecords({ resource: "orgUnitBase", key: "unit-u" })).toMatchObject([
      { values: { label: "New" } },
    ]);
  });

  it("walks through every page by the addresses that it is given, and counts", async () => {
    const records = Array.from({ length: 7 }, (_, n) => ({ crmId: `w${n}`, name: "Walk" }));
    await sandbox.control.insertRecords({ resource: "cusCompany", records });
    const seen: string[] = [];
    // `getMetadataForResourceExt` asks for the list. The client encodes a query in a relative URL: whole URLs are for fetch.
    const named = await call(client, "getMetadataForResourceExt", "cusCompany");
    expect(named.body.content).toHaveLength(7);
    let { body } = await call(client, "getAllProfileAndServicesExt", "cusCompany", { lineCount: 3, order: "crmId" });
    for (;;) {
      seen.push(...body.content.map(({ crmId }: { crmId: string }) => crmId));
      if (body.next === undefined) break;
      body = (await caller.call("GET", body.next.href)).json;
    }
    expect(seen).toEqual(records.map(({ crmId }) => crmId));
    expect((await caller.call("GET", body.count.href)).json).toEqual({ count: 7 });
    const filtered = await call(client, "getAllCustomResources", "cusCompany", {
      filters: ["byCrmId"],
      hasCustomFilter: true,
      crmId_parameter: "w5",
    });
    expect(filtered.body.content).toMatchObject([{ crmId: "w5" }]);
  });

  it("posts to an address that an answer gave: a subscription", async () => {
    const service = await call(client, "createService", { name: "SVC-S", label: "Subscribed" });
    const profile = await call(client, "createProfile", { firstName: "Sub" });
    // The client's helper gives the bare response of fetch.
    const posted = (await call(client, "postDataToUrl", profile.body.subscriptions.href, {
      service: { PKey: service.body.PKey },
    })) as unknown as Response;
    expect(posted.status).toBe(200);
    const listed = await call(client, "getDataFromRelativeUrl", profile.body.subscriptions.href.split("/campaign/")[1]);
    expect(listed.body.content).toMatchObject([{ service: { name: "SVC-S" } }]);
  });

  it("is told the engine's and the gateway's reasons", async () => {
    await expect(call(client, "createProfile", { gender: "invalid" })).rejects.toThrow(/500 - Internal Server Error/);
    const library: Library = createRequire(import.meta.url)("@adobe/aio-lib-campaign-standard");
    const stranger = await connect(library, sandbox.credentials.clientId, "no-token");
    await expect(call(stranger, "getAllProfiles", {})).rejects.toThrow(/401 .*401013/);
  });
});
