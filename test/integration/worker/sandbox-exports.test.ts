/** What the sandbox's Campaign exports to its own SFTP server, workers of both types read. */
import ssh2 from "ssh2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Ground } from "./harness.ts";

const user = ssh2.utils.generateKeyPairSync("ed25519");
const flags = ["--still-seconds", "0.5"];
const poll = <T>(look: () => Promise<T> | T, timeout = 30_000) => expect.poll(look, { timeout, interval: 100 });
let ground: Ground;
const contacts: string[] = [];

beforeEach(async () => {
  ground = await Ground.make({
    contacts: 60,
    sftpAddress: { host: "127.0.0.1", port: 0 },
    sftpAccount: { username: "contoso", password: "unused", publicKey: user.public },
  });
  contacts.length = 0;
  for await (const { id } of control().rows({ table: "contact" })) contacts.push(id);
  const records = contacts.map((externalId) => ({ externalId, lastName: "x" }));
  await control().insertRecords({ resource: "profile", records });
});
afterEach(() => ground.end());

const control = () => ground.sandbox.control;
const server = () => {
  const { host, port, username, path, hostKey } = ground.sandbox.sftp ?? expect.fail("there is no SFTP server");
  const format = { timeZone: "UTC", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" } as const;
  return { host, port, username, path, hostKey, credentialsSecretRef: { name: "campaign-sftp" }, format };
};

describe("exports of the sandbox", () => {
  it("become the activities that were told, while files grow in place and connections are cut", async () => {
    await control().setExports({ writing: "inPlace", chunkBytes: 2000, pauseMilliseconds: 100 });
    const rates = { openRate: 0.7, clickRate: 0.5, hardBounceRate: 0.1, softBounceRate: 0.1 };
    const told = await control().sendDelivery({ name: "Spring", deliveries: 4, ...rates });
    const late = await control().sendDelivery({ contactKeys: contacts.slice(0, 5), openRate: 1, hardBounceRate: 0 });
    const worker = ground.startEgress(server(), user.private, { since: "2020-01-01T00:00:00Z" }, { flags });
    const exported = control().runExports();
    await control().cutSftp({ afterBytes: 10_000 });
    expect(await exported).toHaveLength(3);
    const counts = async () => {
      const tables = ["adobe_emailsend", "adobe_emailopen", "adobe_emailurlclick", "adobe_emailbounce"];
      return await Promise.all(tables.map((table) => control().countRows({ table })));
    };
    const sum = (name: "sends" | "opens" | "clicks" | "hardBounces") => told[name] + late[name];
    await poll(counts).toEqual([sum("sends"), sum("opens"), sum("clicks"), sum("hardBounces")]);
    await poll(async () => (await worker.status()).backlog).toBe(0);
    const regarded = new Set<unknown>();
    for await (const { cells } of control().rows({ table: "adobe_emailsend" })) {
      expect(cells).toMatchObject({ adobe_campaignname: "Contoso news", regardingobjectid: { table: "contact" } });
      regarded.add((cells["regardingobjectid"] as { id: string }).id);
    }
    expect([...regarded].every((id) => contacts.includes(String(id)))).toBe(true);
    expect(worker.logged("event.refused")).toEqual([]);
  });

  it("carry an opt-out to the contact, and a later opt-in as well", async () => {
    const [id = "", other = ""] = contacts;
    const value = async (of: string) =>
      (await control().row({ table: "contact", id: of }))?.cells["donotbulkemail"] ?? false;
    const set = (denyListEmail: boolean) =>
      control().updateRecord({ resource: "profile", key: id, values: { denyListEmail } });
    const mappings = [{ column: "donotbulkemail", field: "denyListEmail" }];
    ground.startOptInOut(
      { direction: "Bidirectional", source: "Export", mappings },
      { flags },
      { sftp: server(), privateKey: user.private },
    );
    await control().setExports({ everySeconds: 1 });
    await set(true);
    await poll(() => value(id)).toBe(true);
    await control().updateRows({ table: "contact", rows: [{ id: other, cells: { donotbulkemail: true } }] });
    const inCampaign = async () => {
      const [profile] = await control().findRecords({ resource: "profile", key: other });
      return profile?.values["denyListEmail"];
    };
    await poll(inCampaign).toBe(true);
    // Dynamics has whole seconds: Campaign's change is to be later than the second of the worker's own write.
    const { modifiedOn = 0 } = (await control().row({ table: "contact", id })) ?? {};
    await poll(() => Date.now()).toBeGreaterThan(modifiedOn + 2000);
    await set(false);
    await poll(() => value(id)).toBe(false);
    expect(await value(other)).toBe(true);
  });
});
