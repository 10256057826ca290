import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Field } from "../../../src/sandbox/campaign/schema.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller } from "../../sandbox/callers.ts";

const orders = "profileAndServicesExt/cusOrder";
const lines = "profileAndServicesExt/cusOrderLine";
let sandbox: RunningSandbox;
let caller: Caller;

async function addResource(name: string, links: readonly Field[]): Promise<void> {
  const fields: readonly Field[] = [{ name: "number", type: "string" }, { name: "amount", type: "number" }, ...links];
  const resource = { name, label: name, schema: `cus:${name}`, fields, keys: ["number"] };
  await sandbox.control.addResource({ resource: { ...resource, endpoints: ["profileAndServicesExt"] } });
}

/** Lines belong to orders, and orders to profiles; both must. A line may name a service. */
beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await campaignCaller(sandbox);
  await addResource("cusOrder", [{ name: "profile", type: "link", target: "profile", mandatory: true }]);
  await addResource("cusOrderLine", [
    { name: "order", type: "link", target: "cusOrder", mandatory: true },
    { name: "service", type: "link", target: "service" },
  ]);
});

afterEach(() => sandbox.close());

const post = (target: string, body: unknown) => caller.call("POST", target, { body });
const postProfile = (externalId: string) => post("profileAndServicesExt/profile", { externalId });
const listed = async (target: string) => (await caller.call("GET", target)).json.content.length;

describe("linked custom resources", () => {
  it("are listed with the resources of profileAndServicesExt, and say which links are mandatory", async () => {
    expect((await caller.call("GET", "profileAndServicesExt")).json).toHaveProperty("cusOrderLine");
    const { json } = await caller.call("GET", `${lines}/metadata`);
    expect(json.content.order).toMatchObject({ type: "link", resTarget: "cusOrder", mandatory: true });
    expect(json.content.service).toMatchObject({ mandatory: false });
    expect((await caller.call("GET", "profileAndServices/cusOrder")).status).toBe(500);
    expect((await caller.call("GET", "customResources/cusOrder")).status).toBe(500);
  });

  it("link two deep, by key and by PKey", async () => {
    await postProfile("p1");
    const order = await post(orders, { number: "o1", profile: "p1" });
    expect(order).toMatchObject({ status: 201, json: { number: "o1" } });
    const line = await post(lines, { number: "l1", order: { PKey: order.json.PKey }, amount: 2.5 });
    expect(line.json.order).toMatchObject({ PKey: order.json.PKey, href: order.json.href });
    expect(line.json.service).toEqual({});
  });

  it("take an optional link later, and lose it again", async () => {
    await postProfile("p1");
    await post(orders, { number: "o1", profile: "p1" });
    const { href } = (await post(lines, { number: "l1", order: "o1" })).json;
    await post("profileAndServicesExt/service", { name: "s1", label: "Service" });
    await caller.call("PATCH", href, { body: { service: "s1" } });
    expect((await caller.call("GET", href)).json.service.title).toBe("Service (s1)");
    await caller.call("PATCH", href, { body: { service: null } });
    expect((await caller.call("GET", href)).json.service).toEqual({});
  });
});

describe("a mandatory link without its target", () => {
  it("is refused: a key of nothing, no key, and emptying it", async () => {
    const nothing = await post(orders, { number: "o1", profile: "nobody" });
    expect(nothing.status).toBe(404);
    expect(nothing.text).toContain("Cannot find document with path 'Profile' from key 'nobody:0'");
    const none = await post(orders, { number: "o1" });
    expect({ status: none.status, text: none.text }).toMatchObject({
      status: 500,
      text: expect.stringContaining("mandatory"),
    });
    await postProfile("p1");
    const { href } = (await post(orders, { number: "o1", profile: "p1" })).json;
    expect((await caller.call("PATCH", href, { body: { profile: null } })).status).toBe(500);
    expect((await caller.call("PATCH", href, { body: { amount: 1 } })).status).toBe(200);
    expect(await sandbox.control.countRecords({ resource: "cusOrder" })).toBe(1);
  });

  it("can hide the record until its parent is there: not listed, not counted, not patched, not deleted", async () => {
    await sandbox.control.setCampaignBehaviour({ mandatoryLink: "hide", keyInUrl: ["profile", "cusOrder"] });
    const { status, json } = await post(orders, { number: "o1", profile: "late" });
    expect(status).toBe(201);
    expect(await listed(orders)).toBe(0);
    expect(await listed(`${orders}/byNumber?number_parameter=o1`)).toBe(0);
    expect((await caller.call("GET", `${orders}/_count`)).json).toEqual({ count: 0 });
    expect((await caller.call("PATCH", json.href, { body: { amount: 3 } })).status).toBe(500);
    expect((await caller.call("DELETE", `${orders}/o1`)).status).toBe(404);
    expect((await post(orders, { number: "o1", profile: "late" })).text).toContain("already exists");
    const hidden = await sandbox.control.findRecords({ resource: "cusOrder", key: "o1" });
    expect(hidden).toMatchObject([{ hidden: true, values: { profile: "late" } }]);

    await postProfile("late");
    expect(await listed(orders)).toBe(1);
    expect((await caller.call("GET", json.href)).json.profile).toHaveProperty("PKey");
    expect((await caller.call("PATCH", json.href, { body: { amount: 3 } })).status).toBe(200);
    const [shown] = await sandbox.control.findRecords({ resource: "cusOrder", key: "o1" });
    expect(shown).not.toHaveProperty("hidden");
  });

  it("hides the record again when its parent is deleted", async () => {
    await postProfile("p1");
    await post(orders, { number: "o1", profile: "p1" });
    await sandbox.control.deleteRecords({ resource: "profile", keys: ["p1"] });
    expect(await listed(orders)).toBe(0);
  });
});
