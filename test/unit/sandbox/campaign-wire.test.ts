import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller } from "../../sandbox/callers.ts";

const profiles = "profileAndServicesExt/profile";
let sandbox: RunningSandbox;
let caller: Caller;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await campaignCaller(sandbox);
});

afterEach(() => sandbox.close());

async function addProfiles(count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, n) => ({ externalId: `k${n}`, firstName: `F${n}`, lastName: "L" }));
  await sandbox.control.insertRecords({ resource: "profile", records });
}

describe("the gateway", () => {
  it.each([
    ["no API key", { "x-api-key": "" }, 403, "403000"],
    ["another API key", { "x-api-key": "other" }, 403, "403003"],
    ["no token", { authorization: "" }, 401, "401010"],
    ["a bad token", { authorization: "Bearer x" }, 401, "401013"],
  ])("refuses a call with %s", async (_, headers, status, code) => {
    expect(await caller.call("GET", profiles, { headers })).toMatchObject({ status, json: { error_code: code } });
  });

  it("answers a URL that leads nowhere as Adobe documents it", async () => {
    const elsewhere = sandbox.campaignUrl.replace("contoso", "fabrikam");
    const oops = {
      status: 500,
      json: { code: 500, message: "Oops. Something went wrong. Check your URI and try again." },
    };
    expect(await caller.call("GET", `${elsewhere}/${profiles}`)).toMatchObject(oops);
    expect(await caller.call("GET", "profileAndServicesExt/cusNothing")).toMatchObject(oops);
  });

  it("refuses to sign in with a wrong secret", async () => {
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: sandbox.credentials.clientId,
      client_secret: "x",
      scope: "y",
    });
    const response = await fetch(sandbox.campaignTokenUrl, { method: "POST", body });
    expect(await response.json()).toMatchObject({ error: "invalid_client" });
  });
});

describe("a list", () => {
  it("has 25 lines unless asked otherwise, and next leads through all of them once", async () => {
    await addProfiles(60);
    const keys: string[] = [];
    let target: string | undefined = profiles;
    const sizes: number[] = [];
    while (target !== undefined) {
      const { json } = await caller.call("GET", target);
      sizes.push(json.content.length);
      for (const record of json.content) keys.push(record.externalId);
      target = json.next?.href;
    }
    expect(sizes).toEqual([25, 25, 10]);
    expect(new Set(keys).size).toBe(60);
  });

  it("gives a count's URL that counts with the same filters", async () => {
    await addProfiles(12);
    const { json } = await caller.call("GET", `${profiles}/byText?text=F1&filterType=firstName`);
    expect(json.content).toHaveLength(3);
    expect((await caller.call("GET", json.count.href)).json).toEqual({ count: 3 });
    const all = await caller.call("GET", profiles);
    expect((await caller.call("GET", all.json.count.href)).json).toEqual({ count: 12 });
  });

  it("of a large table has next only when pagination is forced", async () => {
    await sandbox.control.setCampaignBehaviour({ bigTableThreshold: 30 });
    await addProfiles(31);
    expect((await caller.call("GET", profiles)).json).not.toHaveProperty("next");
    const forced = await caller.call("GET", `${profiles}?_forcePagination=true`);
    const { json } = await caller.call("GET", forced.json.next.href);
    expect(json.content).toHaveLength(6);
    expect(json).not.toHaveProperty("next");
  });

  it("orders, also descending, and pages in that order", async () => {
    await addProfiles(4);
    const { json } = await caller.call("GET", `${profiles}?_order=externalId%20desc&_lineCount=3`);
    expect(json.content.map((one: { externalId: string }) => one.externalId)).toEqual(["k3", "k2", "k1"]);
    const rest = await caller.call("GET", json.next.href);
    expect(rest.json.content.map((one: { externalId: string }) => one.externalId)).toEqual(["k0"]);
  });

  it("of one field holds its values", async () => {
    await addProfiles(2);
    expect((await caller.call("GET", `${profiles}/firstName?_lineCount=10`)).json.content).toEqual(["F0", "F1"]);
  });

  it("searches text by prefix and case, and chains filters", async () => {
    await addProfiles(11);
    const found = async (query: string) => (await caller.call("GET", `${profiles}/${query}`)).json.content.length;
    expect(await found("byText?text=F1")).toBe(2);
    expect(await found("byText?text=f1")).toBe(0);
    expect(await found("byText/byExternalId?text=F1&externalId_parameter=k10")).toBe(1);
    expect((await caller.call("GET", `${profiles}/byNothing?x=1`)).status).toBe(404);
  });

  it("finds what was modified since a time", async () => {
    await addProfiles(3);
    const { json } = await caller.call("GET", `${profiles}/byExternalId?externalId_parameter=k1`);
    const from = encodeURIComponent(json.content[0].lastModified);
    expect(
      (await caller.call("GET", `${profiles}/byLastModified?lastModified_parameter=${from}`)).json.content.length,
    ).toBeGreaterThan(0);
    const later = await caller.call("GET", `${profiles}/byLastModified?lastModified_parameter=2999-01-01`);
    expect(later.json.content).toEqual([]);
  });
});

describe("a record", () => {
  it("is made, patched and deleted by its identification key", async () => {
    const created = await caller.call("POST", profiles, {
      body: { externalId: "a/b c", firstName: "Ada", gender: "female" },
    });
    expect(created).toMatchObject({ status: 201, json: { externalId: "a/b c", gender: "female", email: "" } });
    const target = `${profiles}/${encodeURIComponent("a/b c")}`;
    const patched = await caller.call("PATCH", target, { body: { firstName: "Eve" } });
    expect(patched.json).toEqual({ PKey: created.json.PKey, href: created.json.href });
    expect((await caller.call("GET", target)).json.firstName).toBe("Eve");
    expect(await caller.call("DELETE", target)).toMatchObject({ status: 200, text: "" });
    expect((await caller.call("GET", target)).status).toBe(404);
  });

  it("may not be patched by its key with the key in the body, not even the same; by its PKey it may", async () => {
    const { json } = await caller.call("POST", profiles, { body: { externalId: "own", firstName: "Ada" } });
    const byKey = await caller.call("PATCH", `${profiles}/own`, { body: { externalId: "own", firstName: "Eve" } });
    expect(byKey.status).toBe(500);
    expect(byKey.text).toContain("unable to update key 'own' to 'own'");
    const target = `${profiles}/${json.PKey}`;
    expect((await caller.call("GET", target)).json.firstName).toBe("Ada");
    const same = await caller.call("PATCH", target, { body: { externalId: "own", firstName: "Eve" } });
    expect(same.status).toBe(200);
    expect((await caller.call("PATCH", target, { body: { externalId: "other" } })).status).toBe(500);
    expect((await caller.call("GET", target)).json).toMatchObject({ externalId: "own", firstName: "Eve" });
  });

  it("keeps what an item holds beside what is patched in it, unless told to put the new item in its place", async () => {
    const location = { city: "London", zipCode: "NW1" };
    await caller.call("POST", profiles, { body: { externalId: "item", location } });
    const read = async () => (await caller.call("GET", `${profiles}/item`)).json.location;
    await caller.call("PATCH", `${profiles}/item`, { body: { location: { city: "Paris" } } });
    expect(await read()).toMatchObject({ city: "Paris", zipCode: "NW1" });
    await caller.call("PATCH", `${profiles}/item`, { body: { location: { zipCode: "" } } });
    expect(await read()).toMatchObject({ city: "Paris", zipCode: "" });
    await sandbox.control.setCampaignBehaviour({ itemPatch: "replace" });
    await caller.call("PATCH", `${profiles}/item`, { body: { location: { zipCode: "75001" } } });
    expect(await read()).toMatchObject({ city: "", zipCode: "75001" });
    const refused = await caller.call("PATCH", `${profiles}/item`, { body: { location: { nosuch: "x" } } });
    expect(refused.status).toBe(500);
  });

  it("is emptied field by field with an empty value", async () => {
    await caller.call("POST", profiles, { body: { externalId: "e", firstName: "Ada", birthDate: "1990-01-02" } });
    await caller.call("PATCH", `${profiles}/e`, { body: { firstName: "", birthDate: null } });
    expect((await caller.call("GET", `${profiles}/e`)).json).toMatchObject({ firstName: "", birthDate: "" });
  });

  it("shows extended fields on the extended endpoint only", async () => {
    await addProfiles(1);
    const { json } = await caller.call("GET", "profileAndServices/profile");
    expect(json.content[0]).not.toHaveProperty("externalId");
    const refused = await caller.call("POST", "profileAndServices/profile", { body: { externalId: "x" } });
    expect(refused.text).toContain("'externalId' property is not valid for the 'profile' resource.");
  });

  it.each([
    ["an unknown field", { nosuch: 1 }, "'nosuch' property is not valid for the 'profile' resource."],
    ["a read-only field", { age: 5 }, "Cannot update the 'age' property that is read-only"],
    [
      "an unknown enumeration value",
      { gender: "invalid" },
      "Value 'invalid' is not valid for enumeration 'nms:recipient:gender' of field '@gender'",
    ],
    ["an email that is none", { email: "nobody" }, "data policy 'email'"],
    ["a date that is none", { birthDate: "yesterday" }, "birthDate"],
    ["text that is too long", { firstName: "x".repeat(31) }, "string(30)"],
    ["a link to nothing", { orgUnit: "nowhere" }, "Cannot find document with path 'OrgUnitBase'"],
  ])("is refused with %s", async (_, body, message) => {
    const answer = await caller.call("POST", profiles, { body });
    expect(answer.status).toBeGreaterThanOrEqual(404);
    expect(answer.text).toContain("RST-360011 An error has occurred - please contact your administrator.");
    expect(answer.text).toContain(message);
  });

  it("cannot have its key changed", async () => {
    await addProfiles(2);
    const { text, status } = await caller.call("PATCH", `${profiles}/k0`, { body: { externalId: "other" } });
    expect({ text, status }).toMatchObject({ status: 500, text: expect.stringContaining("RST-360012") });
  });

  it("is changed by its dataPolicy", async () => {
    await sandbox.control.setField({
      resource: "profile",
      field: { name: "lastName", type: "string", dataPolicy: "smartCase" },
    });
    const { json } = await caller.call("POST", profiles, { body: { lastName: "jEAN-marie DUPONT" } });
    expect(json.lastName).toBe("Jean-Marie Dupont");
  });

  it("loses its PKey when all are rotated, and keeps its key", async () => {
    await addProfiles(1);
    const { href } = (await caller.call("GET", `${profiles}/k0`)).json;
    await sandbox.control.rotatePKeys();
    const stale = await caller.call("GET", href);
    expect({ status: stale.status, text: stale.text }).toMatchObject({
      status: 500,
      text: expect.stringContaining("XTK-170036"),
    });
    expect((await caller.call("GET", `${profiles}/k0`)).status).toBe(200);
  });

  it("takes part of its location", async () => {
    await caller.call("POST", profiles, { body: { externalId: "l", location: { city: "Bern", zipCode: "3000" } } });
    const { json } = await caller.call("GET", `${profiles}/l`);
    expect(json.location).toMatchObject({ city: "Bern", zipCode: "3000", address1: "" });
  });

  it("links to a record by its key, and ignores an object without PKey", async () => {
    await sandbox.control.insertRecords({ resource: "orgUnitBase", records: [{ name: "u1", label: "Unit" }] });
    const linked = await caller.call("POST", profiles, { body: { externalId: "1", orgUnit: "u1" } });
    expect(linked.json.orgUnit.title).toBe("Unit (u1)");
    const ignored = await caller.call("POST", profiles, { body: { externalId: "2", orgUnit: { label: "x" } } });
    expect(ignored.json.orgUnit).toEqual({});
    const [record] = await sandbox.control.findRecords({ resource: "profile", key: "1" });
    expect(record?.values["orgUnit"]).toBe("u1");
  });
});

describe("what is not documented can be switched", () => {
  it("a key that no record has: 404, 500, or a new record on PATCH", async () => {
    const patch = (key: string) => caller.call("PATCH", `${profiles}/${key}`, { body: { firstName: "A" } });
    const missing = await patch("m1");
    expect(missing.status).toBe(404);
    expect(missing.text).toContain("Cannot find document with path 'Profile' from key 'm1:0'");
    await sandbox.control.setCampaignBehaviour({ missingKey: "500" });
    expect((await patch("m2")).status).toBe(500);
    await sandbox.control.setCampaignBehaviour({ missingKey: "create" });
    expect((await patch("m3")).status).toBe(200);
    expect(await sandbox.control.findRecords({ resource: "profile", key: "m3" })).toHaveLength(1);
    expect((await caller.call("DELETE", `${profiles}/m4`)).status).toBe(404);
  });

  it("a key that is taken: 500, 409, or a second record", async () => {
    const post = () => caller.call("POST", profiles, { body: { externalId: "d" } });
    await post();
    const taken = await post();
    expect(taken.status).toBe(500);
    expect(taken.text).toContain("A 'profile' with the same key 'd' already exists.");
    await sandbox.control.setCampaignBehaviour({ duplicateKey: "409" });
    expect((await post()).status).toBe(409);
    await sandbox.control.setCampaignBehaviour({ duplicateKey: "accept" });
    expect((await post()).status).toBe(201);
    const found = await caller.call("GET", `${profiles}/byExternalId?externalId_parameter=d`);
    expect(found.json.content).toHaveLength(2);
  });

  it("errors of the engine: text or JSON; keys in the URL: by resource", async () => {
    await sandbox.control.setCampaignBehaviour({ errorShape: "json", keyInUrl: [] });
    await addProfiles(1);
    const answer = await caller.call("PATCH", `${profiles}/k0`, { body: {} });
    expect(answer).toMatchObject({ status: 500, json: { code: 500, message: expect.stringContaining("XTK-170036") } });
  });
});

describe("subscriptions", () => {
  it("are added and removed from both ends", async () => {
    const profile = (await caller.call("POST", "profileAndServices/profile", { body: { firstName: "Sub" } })).json;
    const service = (
      await caller.call("POST", "profileAndServices/service", { body: { name: "SVC1", label: "Sport" } })
    ).json;
    const added = await caller.call("POST", profile.subscriptions.href, { body: { service: { PKey: service.PKey } } });
    expect(added.json.service.title).toBe("Sport (SVC1)");
    const listed = await caller.call("GET", service.subscriptions.href);
    expect(listed.json.content).toHaveLength(1);
    expect((await caller.call("DELETE", listed.json.content[0].href)).status).toBe(204);
    expect((await caller.call("GET", profile.subscriptions.href)).json.content).toEqual([]);
  });
});

describe("metadata", () => {
  it("leads to the filters, with their parameters", async () => {
    const { json } = await caller.call("GET", "profileAndServicesExt/resourceType/profile");
    const filters = await caller.call("GET", json.filters.href);
    expect(filters.json.byExternalId.data).toBe(
      "/profileAndServicesExt/profile/byExternalId?externalId_parameter=$value",
    );
    expect((await caller.call("GET", json.href)).json.content.orgUnit).toMatchObject({
      type: "link",
      resTarget: "orgUnitBase",
    });
  });
});

describe("the write log", () => {
  it("holds every write of a key in order, by whom and with which values, and engine calls are counted", async () => {
    await caller.call("POST", profiles, { body: { externalId: "w", firstName: "1" } });
    await caller.call("PATCH", `${profiles}/w`, { body: { firstName: "2" } });
    await sandbox.control.updateRecord({ resource: "profile", key: "w", values: { firstName: "3" } });
    await caller.call("DELETE", `${profiles}/w`);
    const writes = await sandbox.control.writes({ resource: "profile", key: "w" });
    expect(writes.map(({ operation, by, values }) => [operation, by, values["firstName"]])).toEqual([
      ["insert", "api", "1"],
      ["update", "api", "2"],
      ["update", "control", "3"],
      ["delete", "api", undefined],
    ]);
    expect(writes.map((one) => one.sequence)).toEqual([...writes.map((one) => one.sequence)].sort((a, b) => a - b));
    expect((await sandbox.control.counters()).campaign.engineCalls).toBe(3);
  });
});
