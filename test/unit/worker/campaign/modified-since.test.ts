import { beforeEach, describe, expect, it, vi } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { CampaignClient } from "../../../../src/worker/campaign/client.ts";
import type { ModifiedSince } from "../../../../src/worker/campaign/modified-since.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
let sandbox: RunningSandbox;
let clients: Workspace;
let modified: ModifiedSince;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  const { clientId, clientSecret } = sandbox.credentials;
  clients = await workspace({
    campaignUrl: sandbox.campaignUrl,
    dynamics: {},
    campaign: { clientId, clientSecret, scopes: "openid, AdobeID", tokenUrl: sandbox.campaignTokenUrl },
  });
  modified = (clients.campaign as CampaignClient).modified; // What `connect` makes.
  return async () => {
    await clients.close();
    await sandbox.close();
  };
});

const key = (n: number) => `k${n}`;
async function profiles(...numbers: number[]): Promise<void> {
  const records = numbers.map((n) => ({ externalId: key(n) }));
  await sandbox.control.insertRecords({ resource: "profile", records });
}
const optOut = (n: number) =>
  sandbox.control.updateRecord({ resource: "profile", key: key(n), values: { denyListEmail: true } });
/** Until Campaign's clock, which has milliseconds, says another time. */
async function later(): Promise<Date> {
  const newest = (await modified.newest("profile", never)) ?? new Date(0);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(newest.getTime() + 1), { timeout: 30_000, interval: 1 });
  return new Date(newest.getTime() + 1);
}

async function keysSince(since: Date, pageSize = 100): Promise<unknown[]> {
  const keys: unknown[] = [];
  let link: string | undefined;
  do {
    const page = await modified.page("profile", since, pageSize, link, never);
    keys.push(...page.records.map(({ fields }) => fields["externalId"]));
    link = page.nextLink;
  } while (link !== undefined);
  return keys;
}

describe("records that were modified since a time", () => {
  it("are found page by page, with what they say now", async () => {
    await profiles(1, 2, 3, 4, 5);
    const since = await later();
    for (const n of [2, 4, 5]) await optOut(n);
    expect(await keysSince(since, 2)).toEqual([key(2), key(4), key(5)]);
    const { records } = await modified.page("profile", since, 1, undefined, never);
    expect(records[0]?.fields["denyListEmail"]).toBe(true);
    expect((await modified.newest("profile", never))?.getTime()).toBeGreaterThanOrEqual(since.getTime());
  });

  it("are none where there is no record, and no filter is taken for proven by that", async () => {
    expect(await modified.newest("profile", never)).toBeUndefined();
    expect(await keysSince(new Date(0))).toEqual([]);
    await profiles(1);
    expect(await keysSince(new Date(0))).toEqual([key(1)]);
  });
});

describe("an instance that cannot tell is said to be one", () => {
  const refused = {
    code: "KeyNotSearchable",
    message: expect.stringContaining("Publish a filter definition on lastModified"),
  };

  it("when it has no such filter", async () => {
    await profiles(1);
    await sandbox.control.addFault({
      side: "campaign",
      pathPattern: "/filters",
      action: { kind: "status", status: 200, body: "{}" },
    });
    await expect(keysSince(new Date(0))).rejects.toMatchObject(refused);
  });

  it("when its filter finds nothing that is there", async () => {
    await profiles(1);
    await sandbox.control.addFault({
      side: "campaign",
      pathPattern: "byLastModified",
      action: { kind: "status", status: 200, body: '{"content":[]}' },
    });
    await expect(keysSince(new Date(0))).rejects.toMatchObject(refused);
  });

  it("when its filter answers with records of before", async () => {
    await profiles(1);
    const since = await later();
    await profiles(2);
    const old = '{"content":[{"PKey":"@1","lastModified":"2001-01-01 00:00:00.000Z"}]}';
    expect(await keysSince(since)).toEqual([key(2)]);
    await sandbox.control.addFault({
      side: "campaign",
      pathPattern: "byLastModified",
      action: { kind: "status", status: 200, body: old },
    });
    await expect(keysSince(since)).rejects.toMatchObject(refused);
  });
});
