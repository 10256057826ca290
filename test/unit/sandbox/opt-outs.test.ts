import { afterEach, describe, expect, it } from "vitest";
import type { ControlRecord } from "../../../src/sandbox/control/interface.ts";
import type { SandboxOptions } from "../../../src/sandbox/options.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller, dataverseCaller } from "../../sandbox/callers.ts";

/** What a workflow of type OptInOut reads and writes: a profile's opt-out fields, their times, and what was modified when. */

const start = Date.UTC(2026, 6, 15, 8);
const profile = "profileAndServicesExt/profile";
let now = start;
let sandbox: RunningSandbox;
let campaign: Caller;

async function open(options: Partial<SandboxOptions> = {}): Promise<void> {
  now = start;
  sandbox = await startSandbox({ contacts: 2, now: () => now, tokenLifetimeSeconds: 1e9, ...options }, silentLogger);
  campaign = await campaignCaller(sandbox);
}

afterEach(() => sandbox.close());

async function known(key: string): Promise<ControlRecord> {
  const [record] = await sandbox.control.findRecords({ resource: "profile", key });
  if (record === undefined) throw new Error(`no profile ${key}`);
  return record;
}

describe("a profile's opt-outs", () => {
  it.each(["denyList", "blackList"] as const)("are called %s and its like, and ccpaOptOut", async (optOutNames) => {
    await open({ optOutNames });
    const { json } = await campaign.call("GET", "profileAndServicesExt/resourceType/profile");
    const channels = ["", "Email", "Fax", "Mobile", "Phone", "PostalMail", "Pushnotification"];
    const names = [...channels.map((channel) => `${optOutNames}${channel}`), "ccpaOptOut"];
    expect(Object.keys(json.content).filter((name) => /List|ccpa/.test(name))).toEqual(names);
    for (const name of names) expect(json.content[name]).toMatchObject({ type: "boolean", readOnly: false });
    await campaign.call("POST", profile, { body: { externalId: "c1", [`${optOutNames}Email`]: true } });
    const read = await campaign.call("GET", `${profile}/c1`);
    expect(read.json).toMatchObject({ [`${optOutNames}Email`]: true, [`${optOutNames}Phone`]: false });
  });

  it("are changed by PATCH, by a key or a PKey, and the log has it", async () => {
    await open();
    const { json } = await campaign.call("POST", profile, { body: { externalId: "c1" } });
    expect((await campaign.call("PATCH", `${profile}/c1`, { body: { denyListEmail: true } })).status).toBe(200);
    expect((await campaign.call("PATCH", json.href, { body: { ccpaOptOut: true } })).status).toBe(200);
    await sandbox.control.updateRecord({ resource: "profile", key: "c1", values: { denyListEmail: false } });
    expect((await known("c1")).values).toMatchObject({ denyListEmail: false, ccpaOptOut: true });
    expect(await sandbox.control.writes({ resource: "profile", key: "c1" })).toMatchObject([
      { operation: "insert", by: "api", arrivedAt: expect.any(Number), landedAt: expect.any(Number) },
      { operation: "update", by: "api", values: { denyListEmail: true } },
      { operation: "update", by: "api", values: { ccpaOptOut: true } },
      { operation: "update", by: "control", values: { denyListEmail: false } },
    ]);
  });

  it("each have the time of their own last change, which other edits and the same value leave alone", async () => {
    await open();
    await campaign.call("POST", profile, { body: { externalId: "c1", denyListPhone: true } });
    expect((await known("c1")).changedAt).toMatchObject({ denyListEmail: start, denyListPhone: start });
    now += 60_000;
    await campaign.call("PATCH", `${profile}/c1`, { body: { denyListEmail: true, denyListPhone: true } });
    now += 60_000;
    await campaign.call("PATCH", `${profile}/c1`, { body: { lastName: "Other" } });
    expect(await known("c1")).toMatchObject({
      created: start,
      lastModified: start + 120_000,
      changedAt: { denyListEmail: start + 60_000, denyListPhone: start, ccpaOptOut: start },
    });
    await sandbox.control.updateRecord({ resource: "profile", key: "c1", values: { denyListEmail: false } });
    expect((await known("c1")).changedAt).toMatchObject({ denyListEmail: start + 120_000 });
    const { json } = await campaign.call("GET", `${profile}/c1`);
    expect(json).toMatchObject({ created: "2026-07-15 08:00:00.000Z", lastModified: "2026-07-15 08:02:00.000Z" });
    expect(JSON.stringify(json)).not.toContain("08:01");
  });

  it("are found by the time of the profile's last modification, the moment itself included", async () => {
    await open();
    for (const externalId of ["c1", "c2", "c3"]) {
      await campaign.call("POST", profile, { body: { externalId } });
      now += 1000;
    }
    await campaign.call("PATCH", `${profile}/c1`, { body: { denyList: true } });
    const since = encodeURIComponent("2026-07-15 08:00:02.000Z");
    const { json } = await campaign.call("GET", `${profile}/byLastModified?lastModified_parameter=${since}`);
    expect(json.content.map((one: { externalId: string }) => one.externalId)).toEqual(["c1", "c3"]);
    const newest = await campaign.call("GET", `${profile}?_lineCount=1&_order=lastModified%20desc`);
    expect(newest.json.content).toMatchObject([{ externalId: "c1", denyList: true }]);
  });
});

describe("the log of writes", () => {
  it("has both sides in one order once it is switched on, without what a change set took back", async () => {
    await open();
    const dataverse = await dataverseCaller(sandbox);
    const [id = ""] = (await dataverse.call("GET", "contacts?$select=contactid")).json.value.map(
      (row: { contactid: string }) => row.contactid,
    );
    const ofRow = async () => {
      for await (const one of sandbox.control.allRowWrites({ table: "contact" })) if (one.id === id) return one.entries;
      return [];
    };
    await dataverse.call("PATCH", `contacts(${id})`, { body: { donotbulkemail: false } });
    expect(await ofRow()).toEqual([]);
    await sandbox.control.setWriteLog({ enabled: true });
    await dataverse.call("PATCH", `contacts(${id})`, { body: { donotbulkemail: true } });
    await campaign.call("POST", profile, { body: { externalId: id } });
    await sandbox.control.updateRows({ table: "contact", rows: [{ id, cells: { donotphone: true } }] });
    await sandbox.control.deleteRows({ table: "contact", ids: [id, id] });
    const rows = await ofRow();
    expect(rows).toMatchObject([
      { operation: "update", by: "api", values: { donotbulkemail: true }, version: expect.any(Number) },
      { operation: "update", by: "control", values: { donotphone: true } },
      { operation: "delete", by: "control" },
    ]);
    const [created] = await sandbox.control.writes({ resource: "profile", key: id });
    expect(created?.sequence).toBeGreaterThan(rows[0]?.sequence ?? 0);
    expect(created?.sequence).toBeLessThan(rows[1]?.sequence ?? 0);
    await sandbox.control.clearWriteLog();
    expect(await ofRow()).toEqual([]);
  });
});
