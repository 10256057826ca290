import { expect, test } from "vitest";
import type { Throttling } from "../../../src/api/integration-workflow.ts";
import { statusChange } from "../../../src/operator/status/status-change.ts";
import { looks, running, stopped } from "./moments.ts";
import type { World } from "./world.ts";

const dataverse: Throttling = {
  service: "Dataverse",
  heldBy: "Service",
  limit: "ExecutionTime",
  since: "2026-11-22T10:00:00.000Z",
  heldPercent: 60,
  refusedCalls: 12,
  callsLastMinute: 100,
};
const campaign: Throttling = { ...dataverse, service: "Campaign", heldBy: "Configuration", limit: "Calls" };

function says(world: World, throttling: readonly Throttling[] | undefined): void {
  const run = world.status.appliedRevision?.run ?? 0;
  const status = { backlog: 5, mappings: [], schemaDrift: [], ...(throttling === undefined ? {} : { throttling }) };
  world.operator.memory = { ...world.operator.memory, poll: { run, atMs: world.api.nowMs, status } };
  looks(world);
}

const told = (world: World) =>
  world.operator.events.filter((reason) => /Limit$|^NotThrottled$|^NotRunning$/.test(reason));

test("a throttled workflow says who holds it back, since when and what to do; nothing else changes, and its end is told", () => {
  const world = running();
  says(world, []);
  expect(world.condition("Throttled")).toBeUndefined();
  const before = world.condition("Ready");
  says(world, [dataverse]);
  expect(world.status.throttling).toEqual([dataverse]);
  expect(world.condition("Throttled")).toMatchObject({
    status: "True",
    reason: "DataverseLimit",
    message: expect.stringMatching(
      /^Since 2026-11-22T10:00:00Z Dataverse refuses calls: its limit of 1,200 seconds of execution in five minutes.*goes on by itself.*dynamics\.share/,
    ),
  });
  expect(world.condition("Ready")).toEqual(before);
  expect(world.status.state).toBe("RUNNING");
  says(world, []);
  expect(world.status).not.toHaveProperty("throttling");
  expect(world.condition("Throttled")).toMatchObject({ status: "False", reason: "NotThrottled" });
  expect(told(world)).toEqual(["DataverseLimit", "NotThrottled"]);
});

test("the workflow's own bound is named with its value; a service that refuses gives the reason when both hold it back", () => {
  const world = running();
  says(world, [campaign]);
  expect(world.condition("Throttled")).toMatchObject({
    reason: "ConfiguredLimit",
    message: expect.stringContaining("wait for campaign.engineCallsPerSecond (20), the workflow's own bound"),
  });
  says(world, [campaign, dataverse]);
  expect(world.condition("Throttled")).toMatchObject({
    reason: "DataverseLimit",
    message: expect.stringMatching(/own bound.*Dataverse refuses calls/),
  });
  says(world, [{ ...dataverse, service: "Campaign", limit: "Unnamed" }]);
  expect(world.condition("Throttled")).toMatchObject({ reason: "CampaignLimit" });
});

test("a worker that does not say leaves nothing behind, and a stopped workflow is not throttled", () => {
  const world = running();
  says(world, undefined);
  expect(world.condition("Throttled")).toBeUndefined();
  says(world, [dataverse]);
  // An operator that has just begun has asked nobody yet.
  world.operator.crash();
  looks(world);
  expect(world.status.throttling).toEqual([dataverse]);
  expect(world.condition("Throttled")).toMatchObject({ status: "True" });
  stopped(world);
  expect(world.status).not.toHaveProperty("throttling");
  expect(world.condition("Throttled")).toMatchObject({ status: "False", reason: "NotRunning" });
});

test("its figures count as counters: status is not written the more often for them", () => {
  const before = { state: "RUNNING", throttling: [dataverse] } as const;
  const after = (changes: Partial<Throttling>) => ({
    state: "RUNNING" as const,
    throttling: [{ ...dataverse, ...changes }],
  });
  expect(
    statusChange(
      { ...before, throttling: [dataverse] },
      after({ refusedCalls: 13, heldPercent: 61, callsLastMinute: 9 }),
    ),
  ).toBe("counters");
  expect(statusChange({ ...before, throttling: [dataverse] }, after({ limit: "Calls" }))).toBe("state");
});
