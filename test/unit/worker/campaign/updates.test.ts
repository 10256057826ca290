/** How the client updates records by their keys, and what it knows of keys. */
import { describe, expect, test } from "vitest";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { byAccount, byKey, campaignGround, id, never } from "./campaign-ground.ts";

const ground = campaignGround();

describe("an update", () => {
  test("of a profile by its identification key is one call, once that is learned, and leaves the key out of the body", async () => {
    await ground.insertProfiles({ externalId: id, firstName: "A" }, { externalId: "other-1" });
    const update = (firstName: string) => ground.campaign.updateByKey(byKey(id), { externalId: id, firstName }, never);
    expect(await update("B")).toBe("Updated");
    expect(await ground.engineCalls(() => update("C"))).toBe(1);
    expect(await ground.profile()).toMatchObject({ firstName: "C" });
    const writes = await ground.control.writes({ resource: "profile", key: id });
    expect(writes.at(-1)?.values).toEqual({ firstName: "C" });
  });

  test("by any other field is a look-up and a PATCH", async () => {
    await ground.insertProfiles({ externalId: id, accountNumber: "A-1" });
    const update = () => ground.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
    await update();
    expect(await ground.engineCalls(update)).toBe(2);
    expect(await ground.profile()).toMatchObject({ firstName: "B" });
  });

  test.each(["404", "500"] as const)(
    "of a key that no record has is Missing where Campaign answers %s",
    async (missingKey) => {
      await ground.control.setCampaignBehaviour({ missingKey });
      await ground.insertProfiles({ externalId: id });
      expect(await ground.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Updated");
      expect(await ground.campaign.updateByKey(byKey("none-1"), { firstName: "B" }, never)).toBe("Missing");
      expect(await ground.campaign.deleteByKey(byKey("none-1"), never)).toBe("Missing");
      expect(await ground.control.countRecords({ resource: "profile" })).toBe(1);
    },
  );

  test("that looks first makes nothing where Campaign makes a record of a PATCH, and is one call where it was seen to refuse", async () => {
    const update = (name: string) => ground.campaign.updateByKey(byKey(name), { firstName: "B" }, never, "LookFirst");
    await ground.control.setCampaignBehaviour({ missingKey: "create" });
    await ground.insertProfiles({ externalId: id });
    expect(await update("none-1")).toBe("Missing");
    expect(await ground.engineCalls(() => update(id))).toBe(2);
    expect(await ground.control.countRecords({ resource: "profile" })).toBe(1);
    await ground.control.setCampaignBehaviour({ missingKey: "404" });
    expect(await ground.campaign.updateByKey(byKey("none-1"), { firstName: "B" }, never)).toBe("Missing");
    expect(await ground.engineCalls(() => update(id))).toBe(1);
  });

  test("of an instance without any record is Missing", async () => {
    expect(await ground.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Missing");
  });

  test("looks the record up where the instance takes no key in the address", async () => {
    await ground.control.setCampaignBehaviour({ keyInUrl: [] });
    await ground.insertProfiles({ externalId: id });
    expect(await ground.campaign.updateByKey(byKey(id), { firstName: "B" }, never)).toBe("Updated");
    expect(await ground.profile()).toMatchObject({ firstName: "B" });
  });

  test("finds its way when the instance stops taking keys in addresses, or gives all records new PKeys", async () => {
    await ground.insertProfiles({ externalId: id, accountNumber: "A-1" });
    await ground.campaign.updateByKey(byKey(id), { firstName: "B" }, never);
    await ground.campaign.updateByKey(byAccount("A-1"), { firstName: "C" }, never);
    await ground.control.setCampaignBehaviour({ keyInUrl: [] });
    await ground.control.rotatePKeys();
    expect(await ground.campaign.updateByKey(byKey(id), { firstName: "D" }, never)).toBe("Updated");
    expect(await ground.campaign.updateByKey(byAccount("A-1"), { lastName: "E" }, never)).toBe("Updated");
    expect(await ground.profile()).toMatchObject({ firstName: "D", lastName: "E" });
  });

  test("whose record gets a new PKey between look-up and PATCH is done all the same", async () => {
    await ground.insertProfiles({ externalId: id, accountNumber: "A-1" });
    await ground.campaign.findByKey(byAccount("A-1"), never);
    await ground.control.addFault({
      side: "campaign",
      method: "PATCH",
      times: 1,
      action: { kind: "slow", milliseconds: 300 },
    });
    const update = ground.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
    await expect.poll(async () => (await ground.control.faults())[0]?.met).toBe(1);
    await ground.control.rotatePKeys();
    expect(await update).toBe("Updated");
    expect(await ground.profile()).toMatchObject({ firstName: "B" });
  });
});

describe("whether Campaign refuses a second record with a key", () => {
  const refusesDuplicates = (key: CampaignKey) => ground.campaign.refusesDuplicates(key, never);
  const company = { resource: "cusCompany", field: "crmId", value: "c-2" };
  const addCompanies = async () => {
    const fields = [{ name: "crmId", type: "string" } as const];
    const [name, label, schema] = ["cusCompany", "Companies", "cus:company"];
    const resource = { name, label, schema, endpoints: ["customResources"], keys: ["crmId"], fields } as const;
    await ground.control.addResource({ resource });
    await ground.control.insertRecords({ resource: name, records: [{ crmId: "c-1" }] });
  };

  test("is known of the identification key, and asked once", async () => {
    await ground.insertProfiles({ externalId: id });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
    expect(await ground.engineCalls(() => refusesDuplicates(byKey("new-2")))).toBe(0);
    const insert = () => ground.campaign.insert("profile", { externalId: id }, never);
    await expect(insert()).rejects.toMatchObject({ code: "DuplicateKey", outcome: "Refused" });
  });

  test("is not known of another field, of a resource without records, and while it cannot be learned", async () => {
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
    await ground.insertProfiles({ externalId: id, accountNumber: "A-1" });
    expect(await refusesDuplicates(byAccount("A-2"))).toBe(false);
    await ground.reconnect();
    const action = { kind: "status", status: 503 } as const;
    await ground.control.addFault({ side: "campaign", pathPattern: "/profile", times: 1, action });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
  });

  test.each([400, 403, 500, 503])(
    "does not matter to finding, where asking for it is answered with %d",
    async (status) => {
      await addCompanies();
      const action = { kind: "status", status, body: "<html>no</html>" } as const;
      await ground.control.addFault({ side: "campaign", pathPattern: "/cusCompany/c-1", action });
      expect(await refusesDuplicates(company)).toBe(false);
      expect(await ground.campaign.findByKey({ ...company, value: "c-1" }, never)).toHaveLength(1);
    },
  );

  test("is not known of a custom resource whose key is no address, and known of one whose key is", async () => {
    await addCompanies();
    expect(await refusesDuplicates(company)).toBe(false);
    await ground.reconnect();
    await ground.control.setCampaignBehaviour({ keyInUrl: ["cusCompany"] });
    expect(await refusesDuplicates(company)).toBe(true);
  });

  test("is not believed any more once two records had one key", async () => {
    await ground.control.setCampaignBehaviour({ duplicateKey: "accept" });
    await ground.insertProfiles({ externalId: id }, { externalId: "d-1" }, { externalId: "d-1" });
    expect(await refusesDuplicates(byKey("new-1"))).toBe(true);
    expect(await ground.campaign.findByKey(byKey("d-1"), never)).toHaveLength(2);
    expect(await refusesDuplicates(byKey("new-1"))).toBe(false);
  });
});
