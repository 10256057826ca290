/** What Campaign tells of itself and its records, and how fast it is asked. */
import { describe, expect, test } from "vitest";
import { byAccount, byKey, campaignGround, id, never } from "./campaign-ground.ts";

const ground = campaignGround();

test("metadata tells fields, types, an enumeration's values and a link's target", async () => {
  const { fields } = await ground.campaign.resourceMetadata("profile", never);
  expect(fields.get("externalId")).toMatchObject({ type: "string" });
  expect(fields.get("birthDate")).toMatchObject({ type: "date" });
  expect(fields.get("denyListEmail")).toMatchObject({ type: "boolean" });
  expect(fields.get("numberOfChildren")).toMatchObject({ type: "integer" });
  expect(fields.get("lastModified")).toMatchObject({ type: "datetime" });
  expect(fields.get("gender")).toMatchObject({ type: "string", values: ["unknown", "male", "female"] });
  expect(fields.get("orgUnit")).toMatchObject({ type: "link", target: "orgUnitBase" });
});

test("a field inside another is named by its path, described, inserted and updated, and leaves its neighbours alone", async () => {
  const { fields } = await ground.campaign.resourceMetadata("profile", never);
  expect(fields.get("location.city")).toMatchObject({ name: "location.city", type: "string" });
  expect(fields.has("location")).toBe(false);
  await ground.campaign.insert(
    "profile",
    { externalId: id, firstName: "Ada", "location.city": "London", "location.zipCode": "NW1" },
    never,
  );
  expect(await ground.profile()).toMatchObject({ firstName: "Ada", location: { city: "London", zipCode: "NW1" } });
  await ground.campaign.updateByKey(byKey(id), { externalId: id, "location.city": "Paris" }, never);
  expect(await ground.profile()).toMatchObject({ firstName: "Ada", location: { city: "Paris", zipCode: "NW1" } });
});

test("a custom resource is found at whichever endpoint has it, and a missing one is ResourceMissing", async () => {
  for (const [name, endpoint] of [
    ["cusLinked", "profileAndServicesExt"],
    ["cusAlone", "customResources"],
  ] as const) {
    const fields = [{ name: "crmId", type: "string" } as const];
    await ground.control.addResource({
      resource: { name, label: name, schema: `cus:${name}`, endpoints: [endpoint], keys: ["crmId"], fields },
    });
    expect((await ground.campaign.resourceMetadata(name, never)).fields.has("crmId")).toBe(true);
    await ground.campaign.insert(name, { crmId: "1" }, never);
    expect(await ground.campaign.findByKey({ resource: name, field: "crmId", value: "1" }, never)).toHaveLength(1);
  }
  const missing = () => ground.campaign.resourceMetadata("cusNone", never);
  await expect(missing()).rejects.toMatchObject({ name: "CampaignError", code: "ResourceMissing", scope: "Mapping" });
});

test("a link to a record that is not there is named, with no value", async () => {
  const insert = ground.campaign.insert("profile", { externalId: id, lastName: "Doe", orgUnit: "all" }, never);
  const message = expect.stringMatching(/ The link orgUnit names a record that is not there$/);
  await expect(insert).rejects.toMatchObject({ code: "LinkTargetMissing", message });
});

test("a resource that was dropped is told from an outage, though the gateway has the same words for both", async () => {
  const endpoints = ["customResources"] as const;
  const shape = { name: "cusShop", label: "Shops", schema: "cus:shop", endpoints, keys: ["crmId"] };
  const fields = [{ name: "crmId", type: "string" } as const];
  await ground.control.addResource({ resource: { ...shape, fields } });
  const describeShop = () => ground.campaign.resourceMetadata("cusShop", never);
  await describeShop();
  const body = '{"code":500,"message":"Oops. Something went wrong. Check your URI and try again."}';
  const away = { kind: "status", status: 500, body } as const;
  const outage = await ground.control.addFault({ side: "campaign", action: away });
  await expect(describeShop()).rejects.toMatchObject({ code: "Outage", scope: "Service" });
  await expect(ground.campaign.resourceMetadata("profile", never)).rejects.toMatchObject({ code: "Outage" });
  await ground.control.removeFault({ id: outage });
  await describeShop();

  // An outage that is over within the question: the resource is there.
  await ground.control.addFault({ side: "campaign", times: 2, action: away });
  await describeShop();

  await ground.control.dropResource({ resource: "cusShop" });
  await expect(describeShop()).rejects.toMatchObject({ code: "ResourceMissing", scope: "Mapping" });
});

describe("a list", () => {
  test("goes on to its end, also where Campaign would name no next page by itself, and keeps PKeys out of the fields", async () => {
    await ground.control.setCampaignBehaviour({ bigTableThreshold: 10 });
    await ground.insertProfiles(...Array.from({ length: 45 }, (_, index) => ({ externalId: `key-${index}` })));
    const found: unknown[] = [];
    let link: string | undefined;
    do {
      const page = await ground.campaign.list("profile", 20, link, never);
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
    const away = ground.campaign.list("profile", 20, "https://evil.example.com/contoso/campaign/profile", never);
    await expect(away).rejects.toMatchObject({ code: "ForeignLink", outcome: "NotSent" });
  });
});

describe("a key", () => {
  test("finds what has exactly this value, where the filter answers loosely", async () => {
    await ground.insertProfiles(
      { accountNumber: "A-1" },
      { accountNumber: "A-12" },
      { accountNumber: "a-1" },
      { accountNumber: "A-1" },
    );
    const find = (value: string) => ground.campaign.findByKey(byAccount(value), never);
    expect(await find("A-1")).toHaveLength(2);
    expect(await find("A-12")).toHaveLength(1);
    expect(await find("A-")).toHaveLength(0);
  });

  test("that holds anything at all is found, put in and taken out again", async () => {
    await ground.insertProfiles({ externalId: id });
    await ground.campaign.updateByKey(byKey(id), { firstName: "A" }, never);
    // Whatever is patched at another address than a PKey's would seem to be done.
    await ground.control.addFault({
      side: "campaign",
      method: "PATCH",
      pathPattern: "/profile/(?!@[A-Za-z0-9_-]{10})",
      action: { kind: "status", status: 200, body: "{}" },
    });
    for (const value of ["a/b?c=1&d#e", "byText", "email", "ünï çødé", "@PKey", "'; drop", "..", "%2F", "4 2"]) {
      await ground.campaign.insert("profile", { externalId: value, firstName: "A" }, never);
      expect(await ground.campaign.updateByKey(byKey(value), { externalId: value, firstName: "B" }, never)).toBe(
        "Updated",
      );
      expect((await ground.campaign.findByKey(byKey(value), never))[0]?.fields["firstName"]).toBe("B");
      expect(await ground.campaign.deleteByKey(byKey(value), never)).toBe("Deleted");
      expect(await ground.campaign.findByKey(byKey(value), never)).toEqual([]);
    }
  });

  test("that several records have is refused, and none of them is touched", async () => {
    await ground.insertProfiles({ accountNumber: "A-1", firstName: "A" }, { accountNumber: "A-1", firstName: "B" });
    const notUnique = { code: "KeyNotUnique", outcome: "Refused", scope: "Record" };
    await expect(ground.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never)).rejects.toMatchObject(
      notUnique,
    );
    await expect(ground.campaign.deleteByKey(byAccount("A-1"), never)).rejects.toMatchObject(notUnique);
    expect(await ground.control.countRecords({ resource: "profile" })).toBe(2);
  });

  test("that no filter finds is KeyNotSearchable: never taken for a record that is missing", async () => {
    await ground.insertProfiles({ accountNumber: "A-1" });
    await ground.control.addFault({
      side: "campaign",
      pathPattern: "byText",
      action: { kind: "status", status: 200, body: '{"content":[]}' },
    });
    const update = ground.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never);
    await expect(update).rejects.toMatchObject({ code: "KeyNotSearchable", scope: "Mapping", outcome: "NotSent" });
  });
});

test("engine calls keep to the rate, whoever makes them", async () => {
  await ground.reconnect(40);
  await ground.campaign.resourceMetadata("profile", never);
  const startedAt = performance.now();
  const inserts = Array.from({ length: 40 }, (_, index) =>
    ground.campaign.insert("profile", { externalId: `k-${index}` }, never),
  );
  await Promise.all(inserts);
  expect(performance.now() - startedAt).toBeGreaterThan(((40 - 4) / 40) * 1000 - 50);
});
