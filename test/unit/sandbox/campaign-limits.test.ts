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

describe("engine calls", () => {
  const calls = async () => (await sandbox.control.counters()).campaign.engineCalls;

  it("are counted as Adobe's app makes them: insert 1, update 2, or 1 when nothing differs, delete 1", async () => {
    const spent = async (work: () => Promise<unknown>) => {
      const before = await calls();
      await work();
      return (await calls()) - before;
    };
    const update = async (firstName: string) => {
      const { json } = await caller.call("GET", `${profiles}/k`);
      if (json.firstName !== firstName) await caller.call("PATCH", json.href, { body: { firstName } });
    };
    expect(await spent(() => caller.call("POST", profiles, { body: { externalId: "k", firstName: "A" } }))).toBe(1);
    expect(await spent(() => update("B"))).toBe(2);
    expect(await spent(() => update("B"))).toBe(1);
    expect(await spent(() => caller.call("DELETE", `${profiles}/k`))).toBe(1);
  });

  it("count what the engine refuses, and nothing that the gateway stops", async () => {
    await caller.call("POST", profiles, { body: { nosuch: 1 } });
    expect(await calls()).toBe(1);
    await caller.call("GET", profiles, { headers: { authorization: "Bearer x" } });
    await caller.call("GET", "elsewhere/profile");
    expect(await calls()).toBe(1);
  });
});

describe("a table of more than 100,000 rows", () => {
  it("gives next only when pagination is forced, and all the way", async () => {
    const add = (from: number, count: number) => {
      const records = Array.from({ length: count }, (_, n) => ({ externalId: `k${from + n}` }));
      return sandbox.control.insertRecords({ resource: "profile", records });
    };
    await add(0, 100_000);
    expect((await caller.call("GET", profiles)).json).toHaveProperty("next");
    await add(100_000, 1);
    expect((await caller.call("GET", profiles)).json).not.toHaveProperty("next");
    const first = await caller.call("GET", `${profiles}?_forcePagination=true&_lineCount=2`);
    const second = await caller.call("GET", first.json.next.href);
    expect(second.json.content.map((one: { externalId: string }) => one.externalId)).toEqual(["k2", "k3"]);
    expect(second.json).toHaveProperty("next");
  });
});

describe("dataPolicy", () => {
  it.each([
    ["smartCase", "jEAN-marie o'NEIL", "Jean-Marie O'neil"],
    ["upperCase", "Zürich 1", "ZÜRICH 1"],
    ["lowerCase", "A@Example.COM", "a@example.com"],
    ["none", " As It Is ", " As It Is "],
  ] as const)(
    "%s turns %j into %j, in POST and in PATCH, and what is read is what it made",
    async (dataPolicy, sent, kept) => {
      await sandbox.control.setField({ resource: "profile", field: { name: "lastName", type: "string", dataPolicy } });
      const made = await caller.call("POST", profiles, { body: { externalId: "k", lastName: sent } });
      expect(made.json.lastName).toBe(kept);
      await caller.call("PATCH", `${profiles}/k`, { body: { lastName: "" } });
      await caller.call("PATCH", `${profiles}/k`, { body: { lastName: sent } });
      expect((await caller.call("GET", `${profiles}/k`)).json.lastName).toBe(kept);
      const writes = await sandbox.control.writes({ resource: "profile", key: "k" });
      expect(writes.at(-1)?.values).toEqual({ lastName: sent });
      const { json } = await caller.call("GET", `${profiles}/metadata`);
      expect(json.content.lastName.dataPolicy).toBe(dataPolicy);
    },
  );
});

describe("throttling, which Adobe does not document", () => {
  it.each([
    ["gateway", "application/json", '{"error_code":"429050","message":"Too many requests"}'],
    ["html", "text/html", "<html>"],
    ["empty", "text/plain", ""],
  ] as const)("answers 429 beyond the rate with the body %s, and the engine sees nothing", async (body, type, text) => {
    await sandbox.control.setCampaignBehaviour({ throttle: { callsPerSecond: 2, body, retryAfterSeconds: 3 } });
    const get = () => caller.call("GET", profiles);
    const answers = [];
    for (let n = 0; n < 8; n += 1) answers.push(await get());
    const refused = answers.find((one) => one.status === 429);
    expect(refused?.headers.get("content-type")).toContain(type);
    expect(refused?.headers.get("retry-after")).toBe("3");
    expect(refused?.text).toContain(text);
    const passed = answers.filter((one) => one.status === 200).length;
    expect((await sandbox.control.counters()).campaign.engineCalls).toBe(passed);
    await sandbox.control.setCampaignBehaviour({ throttle: null });
    expect((await get()).status).toBe(200);
  });

  it("lets calls through again after a second, without Retry-After unless told", async () => {
    await sandbox.control.setCampaignBehaviour({ throttle: { callsPerSecond: 1, body: "empty" } });
    const get = () => caller.call("GET", profiles);
    await get();
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(refused.headers.has("retry-after")).toBe(false);
    await expect.poll(async () => (await get()).status, { timeout: 5000, interval: 100 }).toBe(200);
  });
});
