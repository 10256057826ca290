import { beforeEach, describe, expect, test } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const id = "60c4e274-0d87-e711-80e5-00155db19e6d";
const key: CampaignKey = { resource: "profile", field: "externalId", value: id };
let sandbox: RunningSandbox;
let clients: Workspace;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  clients = await workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { ...sandbox.credentials, scopes: "openid", tokenUrl: sandbox.campaignTokenUrl },
  });
  return async () => {
    await clients.close();
    await sandbox.close();
  };
});

describe("a refusal that is not in Campaign's own words says nothing of any record", () => {
  const answered = async (status: number, body: string, pathPattern = "/profile", type = "text/html") => {
    const records = [{ externalId: id, accountNumber: "A-1" }];
    await sandbox.control.insertRecords({ resource: "profile", records });
    const update = () => clients.campaign.updateByKey(key, { firstName: "B" }, never);
    await update();
    const headers = { "content-type": type };
    const fault = await sandbox.control.addFault({
      side: "campaign",
      pathPattern,
      action: { kind: "status", status, body, headers },
    });
    return { update, over: () => sandbox.control.removeFault({ id: fault }) };
  };

  test.each([
    { name: "404 as a page", status: 404, body: "<html><body>404 page not found</body></html>" },
    { name: "404 as text", status: 404, body: "default backend - 404" },
    { name: "404 as a proxy's JSON", status: 404, body: '{"message":"no Route matched with those values"}' },
    { name: "404 without a body", status: 404, body: "" },
    { name: "400 as a page", status: 400, body: "<html><body>400 Bad Request</body></html>" },
    { name: "408", status: 408, body: '{"code":408,"message":"Request Timeout"}' },
    { name: "421", status: 421, body: "" },
    { name: "425", status: 425, body: "" },
  ])("$name: it is tried again", async ({ status, body }) => {
    const { update, over } = await answered(status, body);
    await expect(update()).rejects.toMatchObject({ scope: "Service", status });
    await expect(clients.campaign.deleteByKey(key, never)).rejects.toMatchObject({ scope: "Service" });
    await expect(clients.campaign.insert("profile", { externalId: "other-1" }, never)).rejects.toMatchObject({
      scope: "Service",
      outcome: "Unknown",
    });
    await over();
    expect(await update()).toBe("Updated");
  });

  test("a 500 of the engine's own, of no known cause, is told from an outage of what is before it", async () => {
    const insert = () => clients.campaign.insert("profile", { externalId: "other-1" }, never);
    const fault = { side: "campaign", method: "POST", pathPattern: "/profile$" } as const;
    for (const { body, code } of [
      { body: "RST-360011 An error has occurred\nPGS-220000 value too long", code: "EngineError" },
      { body: "<html>500</html>", code: "Outage" },
    ]) {
      const added = await sandbox.control.addFault({ ...fault, action: { kind: "status", status: 500, body } });
      await expect(insert()).rejects.toMatchObject({ code, outcome: "Unknown", scope: "Service" });
      await sandbox.control.removeFault({ id: added });
    }
  });

  test("a resource is not missing by a page's word", async () => {
    const { over } = await answered(404, "<html></html>", "/resourceType/");
    const metadata = () => clients.campaign.resourceMetadata("profile", never);
    await expect(metadata()).rejects.toMatchObject({ code: "BadResponse", scope: "Service" });
    await over();
    await metadata();
  });

  test.each(["{}", '{"content":{}}', '{"content":[]}', "<html></html>"])(
    "a resource's fields are not gone by an answer that describes none: %s",
    async (body) => {
      await answered(200, body, "/resourceType/");
      const metadata = clients.campaign.resourceMetadata("profile", never);
      await expect(metadata).rejects.toMatchObject({ code: "BadResponse", scope: "Service" });
    },
  );

  test.each([
    { name: "the engine's", body: "RST-360011 An error has occurred - please contact your administrator." },
    { name: "the gateway's", body: '{"error_code":"404011","message":"Resource not found"}' },
  ])("$name own 404 is believed", async ({ body }) => {
    const { update } = await answered(404, body, "/profile/", "text/plain");
    await expect(update()).rejects.toMatchObject({ code: "Refused", scope: "Record" });
  });
});
