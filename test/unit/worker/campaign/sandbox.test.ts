import { beforeEach, describe, expect, test } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
let sandbox: RunningSandbox;
let clients: Workspace;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  clients = await connectClients();
  return async () => {
    await clients.close();
    await sandbox.close();
  };
});

function connectClients(): Promise<Workspace> {
  const { clientId, clientSecret } = sandbox.credentials;
  return workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { clientId, clientSecret, scopes: "openid, AdobeID", tokenUrl: sandbox.campaignTokenUrl },
  });
}

const byKey = (value: string): CampaignKey => ({ resource: "profile", field: "externalId", value });
const byAccount = (value: string): CampaignKey => ({ resource: "profile", field: "accountNumber", value });
const id = "60c4e274-0d87-e711-80e5-00155db19e6d";
const insertProfiles = (...records: Record<string, unknown>[]) =>
  sandbox.control.insertRecords({ resource: "profile", records });
const profile = async (key = id) => (await sandbox.control.findRecords({ resource: "profile", key }))[0]?.values;

/** What Campaign was asked for meanwhile. */
async function engineCalls(work: () => Promise<unknown>): Promise<number> {
  await sandbox.control.resetCounters();
  await work();
  return (await sandbox.control.counters()).campaign.engineCalls;
}

test("metadata tells fields, types, an enumeration's values and a link's target", async () => {
  const { fields } = await clients.campaign.resourceMetadata("profile", never);
  expect(fields.get("externalId")).toMatchObject({ type: "string" });
  expect(fields.get("birthDate")).toMatchObject({ type: "date" });
  expect(fields.get("denyListEmail")).toMatchObject({ type: "boolean" });
  expect(fields.get("numberOfChildren")).toMatchObject({ type: "integer" });
  expect(fields.get("lastModified")).toMatchObject({ type: "datetime" });
  expect(fields.get("gender")).toMatchObject({ type: "string", values: ["unknown", "male", "female"] });
  expect(fields.get("orgUnit")).toMatchObject({ type: "link", target: "orgUnitBase" });
});

test("a field inside another is named by its path, described, inserted and updated, and leaves its neighbours alone", async () => {
  const { fields } = await clients.campaign.resourceMetadata("profile", never);
  expect(fields.get("location.city")).toMatchObject({ name: "location.city", type: "string" });
  expect(fields.has("location")).toBe(false);
  await clients.campaign.insert(
    "profile",
    { externalId: id, firstName: "Ada", "location.city": "London", "location.zipCode": "NW1" },
    never,
  );
  expect(await profile()).toMatchObject({ firstName: "Ada", location: { city: "London", zipCode: "NW1" } });
  await clients.campaign.updateByKey(byKey(id), { externalId: id, "location.city": "Paris" }, never);
  expect(await profile()).toMatchObject({ firstName: "Ada", location: { city: "Paris", zipCode: "NW1" } });
});

test("a custom resource is found at whichever endpoint has it, and a missing one is ResourceMissing", async () => {
  for (const [name, endpoint] of [
    ["cusLinked", "profileAndServicesExt"],
    ["cusAlone", "customResources"],
  ] as const) {
    const fields = [{ name: "crmId", type: "string" } as const];
    await sandbox.control.addResource({
      resource: { name, label: name, schema: `cus:${name}`, endpoints: [endpoint], keys: ["crmId"], fields },
    });
    expect((await clients.campaign.resourceMetadata(name, never)).fields.has("crmId")).toBe(true);
    await clients.campaign.insert(name, { crmId: "1" }, never);
    expect(await clients.campaign.findByKey({ resource: name, field: "crmId", value: "1" }, never)).toHaveLength(1);
  }
  const missing = clients.campaign.resourceMetadata("cusNone", never);
  await expect(missing).rejects.toMatchObject({
    name: "CampaignError",
    scope: expect.stringMatching(/Mapping|Service/),
  });
});

describe("a list", () => {
  test("goes on to its end, also where Campaign would name no next page by itself, and keeps PKeys out of the fields", async () => {
    await sandbox.control.setCampaignBehaviour({ bigTableThreshold: 10 });
    await insertProfiles(...Array.from({ length: 45 }, (_, index) => ({ externalId: `key-${index}` })));
    const found: unknown[] = [];
    let link: string | undefined;
    do {
      const page = await clients.campaign.list("profile", 20, link, never);
      for (const record of page.records) {
        found.push(record.fields["externalId"]);
        expect(record.fields).not.toHaveProperty("PKey");
        expect(record.href).toContain("/profile/@");
      }
      link = page.nextLink;
    } while (link !== undefined);
    expect(new Set(found).size).toBe(45);
  });

  test("does not follow a link to another host", async () => {
    const away = clients.campaign.list("profile", 20, "https://evil.example.com/contoso/campaign/profile", never);
    await expect(away).rejects.toMatchObject({ code: "ForeignLink", outcome: "NotSent" });
  });
});

describe("a key", () => {
  test("finds what has exactly this value, where the filter answers loosely", async () => {
    await insertProfiles(
      { accountNumber: "A-1" },
      { accountNumber: "A-12" },
      { accountNumber: "a-1" },
      { accountNumber: "A-1" },
    );
    const find = (value: string) => clients.campaign.findByKey(byAccount(value), never);
    expect(await find("A-1")).toHaveLength(2);
    expect(await find("A-12")).toHaveLength(1);
    expect(await find("A-")).toHaveLength(0);
  });

  test("that holds anything at all is found, put in and taken out again", async () => {
    await insertProfiles({ externalId: id });
    await clients.campaign.updateByKey(byKey(id), { firstName: "A" }, never);
    // Whatever is patched at another address than a PKey's would seem to be done.
    await sandbox.control.addFault({
      side: "campaign",
      method: "PATCH",
      pathPattern: "/profile/(?!@[A-Za-z0-9_-]{10})",
      action: { kind: "status", status: 200, body: "{}" },
    });
    for (const value of ["a/b?c=1&d#e", "byText", "email", "ünï çødé", "@PKey", "'; drop", "..", "%2F", "4 2"]) {
      await clients.campaign.insert("profile", { externalId: value, firstName: "A" }, never);
      expect(await clients.campaign.updateByKey(byKey(value), { externalId: value, firstName: "B" }, never)).toBe(
        "Updated",
      );
      expect((await clients.campaign.findByKey(byKey(value), never))[0]?.fields["firstName"]).toBe("B");
      expect(await clients.campaign.deleteByKey(byKey(value), never)).toBe("Deleted");
      expect(await clients.campaign.findByKey(byKey(value), never)).toEqual([]);
    }
  });

  test("that several records have is refused, and none of them is touched", async () => {
    await insertProfiles({ accountNumber: "A-1", firstName: "A" }, { accountNumber: "A-1", firstName: "B" });
    const notUnique = { code: "KeyNotUnique", outcome: "Refused", scope: "Record" };
    await expect(clients.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never)).rejects.toMatchObject(
      notUnique,
    );
    await expect(clients.campaign.deleteByKey(byAccount("A-1"), never)).rejects.toMatchObject(notUnique);
    expect(await sandbox.control.countRecords({ resource: "profile" })).toBe(2);
  });

  test("that no filter finds is KeyNotSearchable: never taken for a record that is missing", async () => {
    await insertProfiles({ accountNumber: "A-1" });
    await sandbox.control.addFault({
      side: "campaign",
      pathPattern: "byText",
      action: { kind: "status", status: 200, body: '{"content":[]}' },
    });
    const update = clients.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never);
    await expect(update).rejects.toMatchObject({ code: "KeyNotSearchable", scope: "Mapping", outcome: "NotSent" });
  });
});

describe("an update", () => {
  test("of a profile by its identification key is one call, once that is learned, and leaves the key out of the body", async () => {
    await insertProfiles({ externalId: id, firstName: "A" }, { externalId: "other-1" });
    const update = (firstName: string) => clients.campaign.updateByKey(byKey(id), { externalId: id, firstName }, never);
    expect(await update("B")).toBe("Updated");
    expect(await engineCalls(() => update("C"))).toBe(1);
    expect(await profile()).toMatchObject({ firstName: "C" });
    const writes = await sandbox.control.writes({ resource: "profile", key: id });
    expect(writes.at(-1)?.values).toEqual({ firstName: "C" });
  });

  test("by any other field is a look-up and a PATCH", async () => {
    await insertProfiles({ externalId: id, accountNumber: "A-1" });
    const update = () => clients.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
    await update();
    expect(await engineCalls(update)).toBe(2);
    expect(await profile()).toMatchObject({ firstName: "B" });
  });

  test.each(["404", "500"] as const)(
    "of a key that no record has is Missing where Campaign answers %s",
    async (missingKey) => {
      await sandbox.control.setCampaignBehaviour({ missingKey });
      await insertProfiles({ externalId: id });
      expect(await clients.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Updated");
      expect(await clients.campaign.updateByKey(byKey("none-1"), { firstName: "B" }, never)).toBe("Missing");
      expect(await clients.campaign.deleteByKey(byKey("none-1"), never)).toBe("Missing");
      expect(await sandbox.control.countRecords({ resource: "profile" })).toBe(1);
    },
  );

  test("that looks first makes nothing where Campaign makes a record of a PATCH, and is one call where it was seen to refuse", async () => {
    const update = (name: string) => clients.campaign.updateByKey(byKey(name), { firstName: "B" }, never, "LookFirst");
    await sandbox.control.setCampaignBehaviour({ missingKey: "create" });
    await insertProfiles({ externalId: id });
    expect(await update("none-1")).toBe("Missing");
    expect(await engineCalls(() => update(id))).toBe(2);
    expect(await sandbox.control.countRecords({ resource: "profile" })).toBe(1);
    await sandbox.control.setCampaignBehaviour({ missingKey: "404" });
    expect(await clients.campaign.updateByKey(byKey("none-1"), { firstName: "B" }, never)).toBe("Missing");
    expect(await engineCalls(() => update(id))).toBe(1);
  });

  test("of an instance without any record is Missing", async () => {
    expect(await clients.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Missing");
  });

  test("looks the record up where the instance takes no key in the address", async () => {
    await sandbox.control.setCampaignBehaviour({ keyInUrl: [] });
    await insertProfiles({ externalId: id });
    expect(await clients.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Updated");
    expect(await profile()).toMatchObject({ firstName: "B" });
  });

  test("finds its way when the instance stops taking keys in addresses, or gives all records new PKeys", async () => {
    await insertProfiles({ externalId: id, accountNumber: "A-1" });
    await clients.campaign.updateByKey(byKey(id), { firstName: "B" }, never);
    await clients.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never);
    await sandbox.control.setCampaignBehaviour({ keyInUrl: [] });
    await sandbox.control.rotatePKeys();
    expect(await clients.campaign.updateByKey(byKey(id), { firstName: "D" }, never)).toBe("Updated");
    expect(await clients.campaign.updateByKey(byAccount("A-1"), { lastName: "E" }, never)).toBe("Updated");
    expect(await profile()).toMatchObject({ firstName: "D", lastName: "E" });
  });

  test("whose record gets a new PKey between look-up and PATCH is done all the same", async () => {
    await insertProfiles({ externalId: id, accountNumber: "A-1" });
    await clients.campaign.findByKey(byAccount("A-1"), never);
    await sandbox.control.addFault({
      side: "campaign",
      method: "PATCH",
      times: 1,
      action: { kind: "slow", milliseconds: 300 },
    });
    const update = clients.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
    await expect.poll(async () => (await sandbox.control.faults())[0]?.met).toBe(1);
    await sandbox.control.rotatePKeys();
    expect(await update).toBe("Updated");
    expect(await profile()).toMatchObject({ firstName: "B" });
  });
});

describe("whether Campaign refuses a second record with a key", () => {
  const refusesDuplicates = (key: CampaignKey) => clients.campaign.refusesDuplicates(key, never);
  const company = { resource: "cusCompany", field: "crmId", value: "c-2" };
  const addCompanies = async () => {
    const fields = [{ name: "crmId", type: "string" } as const];
    const [name, label, schema] = ["cusCompany", "Companies", "cus:company"];
    const resource = { name, label, schema, endpoints: ["customResources"], keys: ["crmId"], fields } as const;
    await sandbox.control.addResource({ resource });
    await sandbox.control.insertRecords({ resource: name, records: [{ crmId: "c-1" }] });
  };

  test("is known of the identification key, and asked once", async () => {
    await insertProfiles({ externalId: id });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
    expect(await engineCalls(() => refusesDuplicates(byKey("new-2")))).toBe(0);
    const insert = () => clients.campaign.insert("profile", { externalId: id }, never);
    await expect(insert()).rejects.toMatchObject({ code: "DuplicateKey", outcome: "Refused" });
  });

  test("is not known of another field, of a resource without records, and while it cannot be learned", async () => {
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
    await insertProfiles({ externalId: id, accountNumber: "A-1" });
    expect(await refusesDuplicates(byAccount("A-2"))).toBe(false);
    await clients.close();
    clients = await connectClients();
    const action = { kind: "status", status: 503 } as const;
    await sandbox.control.addFault({ side: "campaign", pathPattern: "/profile", times: 1, action });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
  });

  test.each([400, 403, 500, 503])(
    "does not matter to finding, where asking for it is answered with %d",
    async (status) => {
      await addCompanies();
      const action = { kind: "status", status, body: "<html>no</html>" } as const;
      await sandbox.control.addFault({ side: "campaign", pathPattern: "/cusCompany/c-1", action });
      expect(await refusesDuplicates(company)).toBe(false);
      expect(await clients.campaign.findByKey({ ...company, value: "c-1" }, never)).toHaveLength(1);
    },
  );

  test("is not known of a custom resource whose key is no address, and known of one whose key is", async () => {
    await addCompanies();
    expect(await refusesDuplicates(company)).toBe(false);
    await clients.close();
    clients = await connectClients();
    await sandbox.control.setCampaignBehaviour({ keyInUrl: ["cusCompany"] });
    expect(await refusesDuplicates(company)).toBe(true);
  });

  test("is not believed any more once two records had one key", async () => {
    await sandbox.control.setCampaignBehaviour({ duplicateKey: "accept" });
    await insertProfiles({ externalId: id }, { externalId: "d-1" }, { externalId: "d-1" });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
    expect(await clients.campaign.findByKey(byKey("d-1"), never)).toHaveLength(2);
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
  });
});

describe("what is known of a write that failed", () => {
  const insert = (fields: Record<string, unknown>) =>
    clients.campaign.insert("profile", { externalId: id, ...fields }, never);

  test.each([
    { name: "a value that the enumeration does not have", fields: { gender: "jane.doe@example.com" }, code: "Refused" },
    { name: "a field that does not exist", fields: { nosuch: "jane.doe@example.com" }, code: "Refused" },
    { name: "a read-only field", fields: { age: 42 }, code: "Refused" },
    { name: "a link to nothing", fields: { orgUnit: "jane.doe@example.com" }, code: "LinkTargetMissing" },
  ])("$name is refused: nothing was written, and no value is quoted", async ({ fields, code }) => {
    const error = await insert(fields).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "CampaignError", code, outcome: "Refused", scope: "Record" });
    expect(String(error)).not.toContain("jane");
    expect(await profile()).toBeUndefined();
  });

  test.each(["500", "409"] as const)(
    "a key that another record has is DuplicateKey where Campaign answers %s",
    async (duplicateKey) => {
      await sandbox.control.setCampaignBehaviour({ duplicateKey });
      await insert({});
      await expect(insert({})).rejects.toMatchObject({ code: "DuplicateKey", outcome: "Refused" });
    },
  );

  test.each([
    {
      name: "an answer that is lost",
      action: { kind: "loseAnswerAfterWrite" } as const,
      code: "ConnectionLost",
      written: true,
    },
    { name: "an answer that is cut", action: { kind: "truncate" } as const, code: "ConnectionLost", written: true },
    { name: "a reset", action: { kind: "reset" } as const, code: "ConnectionLost", written: false },
    { name: "503", action: { kind: "status", status: 503 } as const, code: "Outage", written: false },
    {
      name: "200 by a proxy",
      action: { kind: "status", status: 200, body: "<html></html>" } as const,
      code: "BadResponse",
      written: false,
    },
  ])("$name leaves the outcome unknown", async ({ action, code, written }) => {
    await clients.campaign.resourceMetadata("profile", never);
    await sandbox.control.addFault({ side: "campaign", method: "POST", pathPattern: "/profile$", times: 1, action });
    await expect(insert({ firstName: "A" })).rejects.toMatchObject({ code, outcome: "Unknown", scope: "Service" });
    expect((await profile()) !== undefined).toBe(written);
  });

  describe("when an update takes several calls", () => {
    const update = () => clients.campaign.updateByKey(byKey(id), { firstName: "B" }, never);
    const reset = { side: "campaign", method: "GET", action: { kind: "reset" } } as const;

    beforeEach(async () => {
      await insertProfiles({ externalId: id, accountNumber: "A-1" });
      await update();
    });

    test("a look-up that fails has written nothing", async () => {
      const look = () => clients.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
      await look();
      await sandbox.control.addFault(reset);
      await expect(look()).rejects.toMatchObject({ code: "ConnectionLost", outcome: "NotSent" });
    });

    test.each([
      { status: 404, outcome: "NotSent" },
      { status: 500, outcome: "Unknown" },
    ])(
      "a look-up that fails after a PATCH was answered with $status leaves it $outcome",
      async ({ status, outcome }) => {
        const body = "RST-360011 An error has occurred - please contact your administrator.";
        await sandbox.control.addFault({ side: "campaign", method: "PATCH", action: { kind: "status", status, body } });
        await sandbox.control.addFault(reset);
        await expect(update()).rejects.toMatchObject({ code: "ConnectionLost", outcome });
      },
    );
  });

  test("an access token that expired early is replaced, and the write is done once", async () => {
    await clients.campaign.resourceMetadata("profile", never);
    await sandbox.control.expireAccessTokens({ side: "campaign" });
    await insert({ firstName: "A" });
    expect(await sandbox.control.writes({ resource: "profile", key: id })).toHaveLength(1);
  });

  test("missing credentials name Secret and key, and nothing is sent", async () => {
    const bare = await workspace({ campaignUrl: sandbox.campaignUrl, dynamics: {}, campaign: { clientId: "x" } });
    const sent = bare.campaign.insert("profile", {}, never);
    await expect(sent).rejects.toMatchObject({ code: "CredentialsMissing", outcome: "NotSent" });
    await expect(sent).rejects.toThrow(/"campaign".*"clientSecret"/);
    await bare.close();
  });
});

test("engine calls keep to the rate, whoever makes them", async () => {
  await clients.close();
  clients = await workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { ...sandbox.credentials, scopes: "openid", tokenUrl: sandbox.campaignTokenUrl },
    connect: { campaign: { url: sandbox.campaignUrl, engineCallsPerSecond: 40, secretName: "campaign" } },
  });
  await clients.campaign.resourceMetadata("profile", never);
  const startedAt = performance.now();
  const inserts = Array.from({ length: 40 }, (_, index) =>
    clients.campaign.insert("profile", { externalId: `k-${index}` }, never),
  );
  await Promise.all(inserts);
  expect(performance.now() - startedAt).toBeGreaterThan(((40 - 4) / 40) * 1000 - 50);
});
