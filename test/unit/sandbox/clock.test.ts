import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let caller: Caller;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 3 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

afterEach(() => sandbox.close());

const whoAmI = () => caller.call("GET", "WhoAmI");

describe("a clock that runs faster", () => {
  it("lets the window of the limits pass as much sooner, and says Retry-After in real seconds", async () => {
    await sandbox.control.setServiceProtection({ enabled: true, requests: 2 });
    await whoAmI();
    await whoAmI();
    await sandbox.control.setClock({ factor: 100 });
    const refused = await whoAmI();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    await expect.poll(async () => (await whoAmI()).status, { timeout: 30_000, interval: 100 }).toBe(200);
  });

  it("charges a call's cost whole though the answer comes sooner", async () => {
    await sandbox.control.setClock({ factor: 100 });
    await sandbox.control.setServiceProtection({ requestCostMilliseconds: 1000 });
    const started = performance.now();
    const { headers } = await whoAmI();
    const remaining = Number(headers.get("x-ms-ratelimit-time-remaining-xrm-requests"));
    expect(remaining).toBeLessThanOrEqual(1199);
    expect(remaining).toBeGreaterThan(1198);
    expect(performance.now() - started).toBeGreaterThanOrEqual(9);
  });

  it("ends delta tokens after the organisation's days, and leaves the times of data alone", async () => {
    const tracked = () => caller.call("GET", "contacts?$select=fax", { headers: { prefer: "odata.track-changes" } });
    const link: string = (await tracked()).json["@odata.deltaLink"];
    await sandbox.control.setOrganization({ expireChangeTrackingInDays: 2 });
    await sandbox.control.setClock({ advanceSeconds: 1.9 * 86_400 });
    expect((await caller.call("GET", link)).status).toBe(200);
    await sandbox.control.setClock({ advanceSeconds: 0.2 * 86_400 });
    expect(await caller.call("GET", link)).toMatchObject({ status: 400, json: { error: { code: "0x80044352" } } });
    const again: string = (await tracked()).json["@odata.deltaLink"];
    expect((await caller.call("GET", again)).status).toBe(200);
    const { json } = await caller.call("POST", "contacts", {
      body: { lastname: "Now" },
      headers: { prefer: "return=representation" },
    });
    expect(Math.abs(Date.parse(json.createdon) - Date.now())).toBeLessThan(3_600_000);
  });

  it("does not jump when its speed changes", async () => {
    const link: string = (await caller.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } })).json[
      "@odata.deltaLink"
    ];
    for (const factor of [100_000, 0.001, 1]) await sandbox.control.setClock({ factor });
    expect((await caller.call("GET", link)).status).toBe(200);
  });
});
