/** When the systems are asked for their metadata, and what is done meanwhile. */
import { setImmediate as immediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { EngineGround, type EngineGroundOptions } from "./engine-ground.ts";

const away = () => new CampaignError("Campaign is away", { code: "Outage", outcome: "Unknown", status: 503 });

async function made(contacts: number, options: EngineGroundOptions): Promise<EngineGround> {
  const ground = await EngineGround.make(contacts, options);
  onTestFinished(() => ground.end());
  return ground;
}

it("leaves a system alone for longer and longer that is away from the start", async () => {
  let asked = 0;
  const campaign = (client: Campaign): Campaign => ({
    ...client,
    resourceMetadata: async () => {
      asked += 1;
      await immediate();
      throw away();
    },
  });
  const { clock } = await made(1, { campaign });
  await clock.until(() => clock.now() > 300_000 || asked > 100, 400_000);
  expect(asked).toBeLessThan(100);
});
