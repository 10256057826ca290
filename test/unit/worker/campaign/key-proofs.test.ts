import { expect, it, onTestFinished } from "vitest";
import { startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { systemClock } from "../../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const known = "60c4e274-0d87-e711-80e5-00155db19e6d";
const keyOf = (value: string): CampaignKey => ({ resource: "profile", field: "externalId", value });
const unknown = Array.from({ length: 30 }, (_, n) => keyOf(`00000000-0000-0000-0000-0000000000${n + 10}`));

async function ground() {
  const sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  let passedMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + passedMs, schedule: systemClock.schedule };
  const clients = await workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { ...sandbox.credentials, scopes: "openid", tokenUrl: sandbox.campaignTokenUrl },
    connect: { clock },
  });
  onTestFinished(async () => {
    await clients.close();
    await sandbox.close();
  });
  await sandbox.control.insertRecords({ resource: "profile", records: [{ externalId: known }] });
  const engineCalls = async () => (await sandbox.control.counters()).campaign.engineCalls;
  const pass = (seconds: number) => {
    passedMs += seconds * 1000;
  };
  return { campaign: clients.campaign, engineCalls, pass };
}

/** The calls of proving a way once. */
async function callsOfAProof(): Promise<number> {
  const { campaign, engineCalls } = await ground();
  await campaign.findByKey(keyOf(known), never);
  return (await engineCalls()) - 1;
}

it("proves a way to find records once for all who find nothing by it at the same time", async () => {
  const proof = await callsOfAProof();
  const { campaign, engineCalls, pass } = await ground();
  await campaign.findByKey(keyOf(known), never);
  pass(61);
  const before = await engineCalls();
  await Promise.all(unknown.map((key) => campaign.findByKey(key, never)));
  expect((await engineCalls()) - before).toBeLessThanOrEqual(2 * unknown.length + proof);
});

it("believes a way that was proven a moment ago when it finds nothing", async () => {
  const proof = await callsOfAProof();
  const { campaign, engineCalls, pass } = await ground();
  pass(61);
  const [first] = unknown;
  if (first === undefined) throw new Error("there are keys");
  await campaign.findByKey(first, never);
  expect(await engineCalls()).toBeLessThanOrEqual(proof + 1);
});
