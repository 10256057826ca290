import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { systemClock } from "../../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const id = "60c4e274-0d87-e711-80e5-00155db19e6d";
const key: CampaignKey = { resource: "profile", field: "externalId", value: id };

describe("a key by which Campaign no longer finds records, because people changed keys or filters there", () => {
  let sandbox: RunningSandbox;
  let clients: Workspace;
  let passedMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + passedMs, schedule: systemClock.schedule };
  const update = () => clients.campaign.updateByKey(key, { firstName: "B" }, never);
  beforeEach(async () => {
    passedMs = 0;
    sandbox = await startSandbox({ contacts: 0 }, silentLogger);
    clients = await workspace({
      campaignUrl: sandbox.campaignUrl,
      dynamics: {},
      campaign: { ...sandbox.credentials, scopes: "openid", tokenUrl: sandbox.campaignTokenUrl },
      connect: { clock },
    });
    await sandbox.control.insertRecords({ resource: "profile", records: [{ externalId: id }] });
    expect(await update()).toBe("Updated");
    await sandbox.control.addFault({
      side: "campaign",
      pathPattern: `/profile/${id}`,
      action: { kind: "status", status: 404, body: '{"error_code":"404011","message":"Resource not found"}' },
    });
  });
  afterEach(async () => {
    await clients.close();
    await sandbox.close();
  });

  it.each([
    ["finds nothing", 200, '{"content":[]}'],
    ["is refused", 404, '{"error_code":"404011","message":"Resource not found"}'],
  ])(
    "is told, where the filter %s: the record is not taken for a missing one, nor for a bad one",
    async (_how, status, body) => {
      const action = { kind: "status", status, body, headers: { "content-type": "application/json" } } as const;
      const fault = await sandbox.control.addFault({ side: "campaign", pathPattern: "/profile/by", action });
      passedMs += 61_000;
      await expect(update()).rejects.toMatchObject({ code: "KeyNotSearchable", scope: "Mapping", outcome: "NotSent" });
      await expect(clients.campaign.deleteByKey(key, never)).rejects.toMatchObject({ code: "KeyNotSearchable" });
      await sandbox.control.removeFault({ id: fault });
      passedMs += 61_000;
      expect(await update()).toBe("Updated");
    },
  );
});
