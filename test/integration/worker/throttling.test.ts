import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Ground, type WorkerProcess } from "./harness.ts";

/** What is summed up over five minutes is summed up over so many seconds. */
const windowSeconds = 10;
const flags = ["--strain-window-seconds", String(windowSeconds), "--call-timeout-seconds", "10"];
const patience = { timeout: 60_000, interval: 200 };

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.make({ contacts: 300 });
});
afterEach(() => ground.end());

const told = async (worker: WorkerProcess) => (await worker.status()).throttling;

async function metric(worker: WorkerProcess, name: string): Promise<number> {
  const { body } = await worker.get("/metrics");
  const line = body.split("\n").find((text) => text.startsWith(`integration_workflow_worker_${name} `));
  return Number(line?.split(" ")[1]);
}

describe("a worker tells that calls are held back", () => {
  it("while Campaign refuses half of them, and not any more when it does not", async () => {
    await ground.sandbox.control.setCampaignBehaviour({
      throttle: { callsPerSecond: 2, body: "gateway", retryAfterSeconds: 1 },
    });
    const worker = ground.start(undefined, { flags });
    await expect
      .poll(() => told(worker), patience)
      .toEqual([
        {
          service: "Campaign",
          heldBy: "Service",
          limit: "Unnamed",
          since: expect.stringMatching(/^\d{4}-.*Z$/),
          heldPercent: expect.any(Number),
          refusedCalls: expect.any(Number),
          callsLastMinute: expect.any(Number),
        },
      ]);
    const [first] = (await told(worker)) ?? [];
    expect(first?.refusedCalls).toBeGreaterThan(0);
    expect(first?.heldPercent).toBeGreaterThan(0);
    expect(await metric(worker, 'throttled{service="Campaign",by="Service"}')).toBe(1);
    expect(await metric(worker, 'throttled{service="Campaign",by="Configuration"}')).toBe(0);
    expect(await metric(worker, 'held_seconds_total{service="Campaign",by="Service"}')).toBeGreaterThan(0);
    expect(worker.logged("calls.held-back")).toMatchObject([{ service: "Campaign", heldBy: "Service" }]);
    expect((await told(worker))?.[0]?.since).toBe(first?.since);

    await ground.sandbox.control.setCampaignBehaviour({ throttle: null });
    await expect.poll(() => told(worker), patience).toEqual([]);
    expect(worker.logged("calls.not-held-back")).toHaveLength(1);
    await expect.poll(async () => (await worker.status()).backlog, patience).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  it("by Dataverse, with the one of its limits that is used up", async () => {
    const worker = ground.start(undefined, { flags });
    await expect.poll(async () => (await worker.status().catch(() => undefined))?.backlog, patience).toBe(0);
    await ground.sandbox.control.setServiceProtection({ enabled: true, windowSeconds: 4, requests: 1 });
    await expect
      .poll(() => told(worker), patience)
      .toMatchObject([{ service: "Dataverse", heldBy: "Service", limit: "Calls" }]);
    await ground.sandbox.control.setServiceProtection({ enabled: false, requests: 6000 });
    await expect.poll(() => told(worker), patience).toEqual([]);
  });

  it("by the workflow's own bound, for as long as there is no end of it", async () => {
    const worker = ground.start(undefined, { flags, callsPerSecond: 25 });
    await expect
      .poll(() => told(worker).catch(() => undefined), patience)
      .toMatchObject([{ service: "Campaign", heldBy: "Configuration", limit: "Calls", refusedCalls: 0 }]);
    await expect.poll(() => told(worker), patience).toEqual([]);
    expect((await worker.status()).backlog).toBe(0);
  });
});
