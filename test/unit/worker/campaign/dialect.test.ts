import { beforeEach, describe, expect, test } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { type DialectName, dialects } from "../../../../src/worker/campaign/dialect.ts";
import type { CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { campaignError, isNotHere, missingTarget } from "../../../../src/worker/campaign/refusal.ts";
import type { HttpResponse } from "../../../../src/worker/http/transport.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const id = "60c4e274-0d87-e711-80e5-00155db19e6d";
const key: CampaignKey = { resource: "profile", field: "externalId", value: id };
const shop: CampaignKey = { resource: "cusShop", field: "crmId", value: "shop-1" };
let sandbox: RunningSandbox;
let clients: Workspace;

async function open(dialect: DialectName, answers: DialectName = dialect): Promise<void> {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  await sandbox.control.setCampaignBehaviour({ dialect: answers });
  await sandbox.control.addResource({
    resource: {
      name: "cusShop",
      label: "Shops",
      schema: "cus:shop",
      endpoints: ["customResources"],
      keys: ["crmId"],
      fields: [
        { name: "crmId", type: "string" },
        { name: "size", type: "enumeration", values: ["small", "large"] },
      ],
    },
  });
  clients = await workspace({
    dynamics: {},
    campaign: { ...sandbox.credentials, scopes: "openid", tokenUrl: sandbox.campaignTokenUrl },
    connect: {
      campaign: { url: sandbox.campaignUrl, engineCallsPerSecond: 2000, secretName: "campaign", dialect },
    },
  });
}

async function close(): Promise<void> {
  await clients.close();
  await sandbox.close();
}

const stored = async (resource: string, value: string) =>
  (await sandbox.control.findRecords({ resource, key: value }))[0]?.values;

describe("Campaign v8", () => {
  beforeEach(async () => {
    await open("V8");
    return close;
  });

  test("records are made, found, updated and deleted, by key and by a filter without `by` in its name", async () => {
    await clients.campaign.insert("profile", { externalId: id, firstName: "Ada" }, never);
    expect(await clients.campaign.updateByKey(key, { externalId: id, firstName: "Eve" }, never)).toBe("Updated");
    expect(await stored("profile", id)).toMatchObject({ firstName: "Eve" });
    expect(await clients.campaign.updateByKey({ ...key, value: "nobody-1" }, { firstName: "X" }, never)).toBe(
      "Missing",
    );
    expect(await clients.campaign.deleteByKey(key, never)).toBe("Deleted");
    expect(await clients.campaign.deleteByKey(key, never)).toBe("Missing");

    await clients.campaign.insert("cusShop", { crmId: shop.value, size: "small" }, never);
    expect(await clients.campaign.findByKey(shop, never)).toHaveLength(1);
    expect(await clients.campaign.updateByKey(shop, { size: "large" }, never)).toBe("Updated");
    expect(await clients.campaign.updateByKey({ ...shop, value: "shop-2" }, { size: "large" }, never)).toBe("Missing");
  });

  test("an insert is looked up first: a taken key is refused in words that could mean anything", async () => {
    await clients.campaign.insert("profile", { externalId: id }, never);
    expect(await clients.campaign.refusesDuplicates(key, never)).toBe(false);
    await expect(clients.campaign.insert("profile", { externalId: id }, never)).rejects.toMatchObject({
      code: "EngineError",
      outcome: "Unknown",
    });
  });

  test("a record that Campaign cannot take is told from an outage, though its answer has no code", async () => {
    const refused = clients.campaign.insert("cusShop", { crmId: shop.value, size: "huge" }, never);
    await expect(refused).rejects.toMatchObject({ code: "EngineError", status: 500 });
    await sandbox.control.addFault({
      side: "campaign",
      action: { kind: "status", status: 500, body: "<html>500</html>" },
    });
    const outage = clients.campaign.insert("cusShop", { crmId: shop.value, size: "small" }, never);
    await expect(outage).rejects.toMatchObject({ code: "Outage" });
  });

  test("fields of location are written when a record is made, and left out of its updates", async () => {
    const { fields } = await clients.campaign.resourceMetadata("profile", never);
    expect(fields.get("location.city")).toMatchObject({ insertOnly: true });
    expect(fields.get("firstName")).not.toHaveProperty("insertOnly");
    await clients.campaign.insert("profile", { externalId: id, "location.city": "London" }, never);
    const changes = { firstName: "Ada", "location.city": "Paris" };
    expect(await clients.campaign.updateByKey(key, changes, never)).toBe("Updated");
    expect(await stored("profile", id)).toMatchObject({ firstName: "Ada", location: { city: "London" } });
  });
});

test("the other dialect's words are not understood: why there is a switch", async () => {
  await open("Standard", "V8");
  try {
    const refused = clients.campaign.insert("cusShop", { crmId: shop.value, size: "huge" }, never);
    // One bad record would pass for an outage, and hold up all others for as long as it is there.
    await expect(refused).rejects.toMatchObject({ code: "Outage" });
  } finally {
    await close();
  }
});

const contact = "An error has occurred - please contact your administrator.";
const answer = (status: number, body: string): HttpResponse =>
  ({ status, headers: {}, body: Buffer.from(body) }) as unknown as HttpResponse;

/** AdobeDocs/campaign.en, help/v8/dev/api/limitations.md, "Error codes and messages": both columns of each row. */
test.each<[string, readonly [number, string, string], readonly [number, string, string]]>([
  [
    "an invalid PKey in the URI",
    [500, "XTK-170036 Unable to parse expression '@id = @O5iRp40EGA'.", "Refused, not here"],
    [404, "Unable to decrypt PKey. (PKey=@jksad) Unsupported endpoint. (endpoint=rest/x)", "Refused, not here"],
  ],
  [
    "two different raw PKeys",
    [500, `RST-360011 ${contact} RST-360012 Inconsistent operation on resource 'service'`, "Refused, not here"],
    [500, contact, "EngineError"],
  ],
  [
    "a key that another record has",
    [500, "PGS-220000 PostgreSQL error: ERROR:  duplicate key value violates unique constraint", "DuplicateKey"],
    [500, contact, "EngineError"],
  ],
  [
    "a raw id that is not there",
    [
      404,
      `RST-360011 ${contact} Unable to find document with path 'Service' from key 'a:0'`,
      "LinkTargetMissing, not here",
    ],
    [404, "Unable to find document with path 'Service' from key 'a'", "LinkTargetMissing, not here"],
  ],
  ["no more than that", [500, `RST-360011 ${contact}`, "EngineError, not here"], [500, contact, "EngineError"]],
  [
    "an invalid value of an enumeration",
    [
      500,
      `RST-360011 ${contact} The value 'invalid' is not valid for the 'nms:recipient:gender' enumeration`,
      "Refused, not here",
    ],
    [500, contact, "EngineError"],
  ],
])("what is made of %s", (_name, onStandard, onV8) => {
  for (const [name, [status, text, expected]] of [["Standard", onStandard] as const, ["V8", onV8] as const]) {
    const dialect = dialects[name];
    const { code } = campaignError(dialect, answer(status, text), "the insert", []);
    expect([name, isNotHere(dialect, answer(status, text)) ? `${code}, not here` : code]).toEqual([name, expected]);
  }
});

test.each(["'Service'", '"Service"', "Service", "'/Service'"])(
  "a link to nothing is known by its words, with the resource written as %s",
  (written) => {
    const text = `RST-360011 ${contact} Cannot find document with path ${written} from key 'a:0'`;
    expect(campaignError(dialects.Standard, answer(404, text), "the insert", []).code).toBe("LinkTargetMissing");
    expect(missingTarget(answer(404, text))).toBe("Service");
  },
);
