import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FaultAction, Faults } from "../../../src/sandbox/faults.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller, dataverseCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let dataverse: Caller;
let campaign: Caller;
const profiles = "profileAndServicesExt/profile";

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 50 }, silentLogger);
  dataverse = await dataverseCaller(sandbox);
  campaign = await campaignCaller(sandbox);
});

afterEach(() => sandbox.close());

describe("a fault", () => {
  const once = (action: FaultAction) =>
    sandbox.control.addFault({ side: "campaign", method: "POST", times: 1, action });
  const post = () => campaign.call("POST", profiles, { body: { externalId: "f" } });
  const count = () => sandbox.control.countRecords({ resource: "profile" });

  it("of a status answers as told, once, and keeps the request from the service", async () => {
    await once({ kind: "status", status: 429, body: '{"slow":"down"}', headers: { "retry-after": "7" } });
    const answer = await post();
    expect(answer).toMatchObject({ status: 429, json: { slow: "down" } });
    expect(answer.headers.get("retry-after")).toBe("7");
    expect(await count()).toBe(0);
    expect((await post()).status).toBe(201);
    expect((await sandbox.control.faults())[0]?.met).toBe(1);
  });

  it("that resets breaks the connection before anything is written", async () => {
    await once({ kind: "reset" });
    await expect(post()).rejects.toThrow();
    expect(await count()).toBe(0);
  });

  it("that loses the answer has written all the same", async () => {
    await once({ kind: "loseAnswerAfterWrite" });
    await expect(post()).rejects.toThrow();
    expect(await count()).toBe(1);
  });

  it("that truncates breaks off in the middle of the body", async () => {
    await once({ kind: "truncate" });
    await expect(post()).rejects.toThrow();
    expect(await count()).toBe(1);
  });

  it("that is a black hole never answers", async () => {
    await sandbox.control.addFault({ side: "dataverse", pathPattern: "WhoAmI", action: { kind: "blackHole" } });
    const headers = { authorization: `Bearer ${dataverse.token}` };
    const url = `${sandbox.dataverseUrl}/api/data/v9.2/WhoAmI`;
    await expect(fetch(url, { headers, signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/);
    expect((await dataverse.call("GET", "contacts?$top=1")).status).toBe(200);
  });

  it("that is slow answers in the end", async () => {
    await once({ kind: "slow", milliseconds: 30 });
    expect((await post()).status).toBe(201);
  });

  it("of an expired token is told in the service's own words", async () => {
    await once({ kind: "tokenExpired" });
    expect(await post()).toMatchObject({ status: 401, json: { error_code: "401013" } });
  });

  it("by chance meets the same requests for the same seed", () => {
    const pattern = (seed: number) => {
      const faults = new Faults();
      faults.add({ side: "campaign", probability: 0.3, seed, action: { kind: "reset" } });
      return Array.from({ length: 200 }, () => (faults.take("campaign", "GET", "/") === undefined ? 0 : 1));
    };
    expect(pattern(7)).toEqual(pattern(7));
    expect(pattern(7)).not.toEqual(pattern(8));
    const hits = pattern(7).reduce<number>((sum, hit) => sum + hit, 0);
    expect(hits).toBeGreaterThan(30);
    expect(hits).toBeLessThan(90);
  });

  it("is gone when it is removed", async () => {
    const id = await sandbox.control.addFault({ side: "campaign", action: { kind: "reset" } });
    await sandbox.control.removeFault({ id });
    await sandbox.control.removeFault({ id });
    expect((await post()).status).toBe(201);
  });
});

describe("a gate", () => {
  it("that is shut as unavailable answers 503, and lets in again when it opens", async () => {
    await sandbox.control.setGate({ side: "dataverse", state: "unavailable" });
    expect((await dataverse.call("GET", "WhoAmI")).status).toBe(503);
    expect((await campaign.call("GET", profiles)).status).toBe(200);
    await sandbox.control.setGate({ side: "dataverse", state: "open" });
    expect((await dataverse.call("GET", "WhoAmI")).status).toBe(200);
  });

  it("that is unreachable resets every connection", async () => {
    await sandbox.control.setGate({ side: "campaign", state: "unreachable" });
    await expect(campaign.call("GET", profiles)).rejects.toThrow();
  });

  it("that is paused holds requests until it opens", async () => {
    await sandbox.control.setGate({ side: "dataverse", state: "paused" });
    const waiting = dataverse.call("GET", "WhoAmI");
    await expect.poll(async () => (await sandbox.control.counters()).dataverse.inFlight).toBe(1);
    await sandbox.control.setGate({ side: "dataverse", state: "open" });
    expect((await waiting).status).toBe(200);
  });
});

describe("the counters", () => {
  it("count per method, endpoint and status, and start anew when reset", async () => {
    await sandbox.control.resetCounters();
    await dataverse.call("GET", "contacts?$top=3");
    await dataverse.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } });
    await dataverse.call("GET", "nosuch");
    const { dataverse: counted } = await sandbox.control.counters();
    expect(counted).toMatchObject({ requests: 3, rowsRead: 53, inFlight: 0, highestInFlight: 1 });
    expect(counted.byEndpoint).toEqual({
      "GET contacts": { 200: 1 },
      "GET contacts tracked": { 200: 1 },
      "GET refused": { 404: 1 },
    });
    await sandbox.control.resetCounters();
    expect((await sandbox.control.counters()).dataverse.byEndpoint).toEqual({});
  });
});
