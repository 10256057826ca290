import { beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const shop = { resource: "cusShop", field: "crmId", value: "60c4e274-0d87-e711-80e5-00155db19e6d" };
const other = { ...shop, value: "71d5f385-0d87-e711-80e5-00155db19e6d" };
let sandbox: RunningSandbox;
let clients: Workspace;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  const { clientId, clientSecret } = sandbox.credentials;
  clients = await workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { clientId, clientSecret, scopes: "openid, AdobeID", tokenUrl: sandbox.campaignTokenUrl },
  });
  await sandbox.control.addResource({
    resource: {
      name: shop.resource,
      label: "Shops",
      schema: "cus:shop",
      endpoints: ["customResources"],
      keys: [shop.field],
      fields: [
        { name: shop.field, type: "string", maxLength: 100 },
        { name: "name", type: "string", maxLength: 100 },
      ],
    },
  });
  return async () => {
    await clients.close();
    await sandbox.close();
  };
});

describe.each(["text", "json"] as const)(
  "an engine that answers 500, as %s, for a key that it cannot place",
  (errorShape) => {
    it("is understood: the record is found in another way, and one that is not there is missing", async () => {
      await sandbox.control.setCampaignBehaviour({ missingKey: "500", errorShape });
      await clients.campaign.insert(shop.resource, { [shop.field]: shop.value, name: "A" }, never);
      expect(await clients.campaign.findByKey(shop, never)).toHaveLength(1);
      expect(await clients.campaign.findByKey(other, never)).toHaveLength(0);
      expect(await clients.campaign.updateByKey(shop, { name: "B" }, never)).toBe("Updated");
      expect(await clients.campaign.updateByKey(other, { name: "B" }, never)).toBe("Missing");
    });
  },
);
