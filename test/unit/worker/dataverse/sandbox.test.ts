import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { ReadCursor, TableMetadata, TrackedPage } from "../../../../src/worker/dataverse/interface.ts";
import { type Workspace, workspace, writeCredentials } from "../http/workspace.ts";

const never = new AbortController().signal;
const columns = ["firstname", "gendercode", "birthdate", "lastonholdtime", "parentcustomerid", "creditlimit", "nosuch"];
let sandbox: RunningSandbox;
let clients: Workspace;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 250 }, silentLogger);
});
afterAll(() => sandbox.close());

beforeEach(async () => {
  await sandbox.control.clearFaults();
  clients = await workspace({
    dataverseUrl: sandbox.dataverseUrl,
    dynamics: { ...sandbox.credentials, tokenUrl: sandbox.dataverseTokenUrl },
    campaign: {},
  });
  return () => clients.close();
});

const contact = () => clients.dataverse.tableMetadata("contact", columns, never);

test.each(["", "{}", "<html></html>"])(
  "what a column was is not gone by an answer that is no list: %s",
  async (body) => {
    await sandbox.control.addFault({
      side: "dataverse",
      pathPattern: "DateTimeAttributeMetadata",
      action: { kind: "status", status: 200, body },
    });
    await expect(contact()).rejects.toMatchObject({ code: "BadResponse", scope: "Service" });
  },
);

async function readRound(metadata: TableMetadata, first: ReadCursor): Promise<TrackedPage[]> {
  const pages: TrackedPage[] = [];
  for (let cursor: ReadCursor | undefined = first; cursor !== undefined; ) {
    const page = await clients.dataverse.readTracked({ metadata, columns, cursor, pageSize: 100, labels: true }, never);
    pages.push(page);
    cursor = page.nextLink === undefined ? undefined : { kind: "next", link: page.nextLink };
  }
  return pages;
}

test("metadata tells types, what a row calls a lookup, targets and a date's behaviour; what does not exist is left out", async () => {
  const metadata = await contact();
  expect(metadata).toMatchObject({
    table: "contact",
    entitySet: "contacts",
    primaryId: "contactid",
    changeTracking: true,
  });
  const guid = /^[0-9a-f]{8}-/;
  expect(metadata.metadataId).toMatch(guid);
  for (const { metadataId } of metadata.columns.values()) expect(metadataId).toMatch(guid);
  expect([...metadata.columns.values()].map(({ metadataId: _, ...column }) => column)).toEqual([
    { name: "firstname", type: "String", property: "firstname" },
    { name: "gendercode", type: "Picklist", property: "gendercode", options: { 1: "Male", 2: "Female" } },
    {
      name: "birthdate",
      type: "DateTime",
      property: "birthdate",
      dateTimeBehavior: "DateOnly",
      dateTimeFormat: "DateOnly",
    },
    {
      name: "lastonholdtime",
      type: "DateTime",
      property: "lastonholdtime",
      dateTimeBehavior: "UserLocal",
      dateTimeFormat: "DateAndTime",
    },
    { name: "parentcustomerid", type: "Lookup", property: "_parentcustomerid_value", targets: ["account", "contact"] },
    { name: "creditlimit", type: "Money", property: "creditlimit" },
  ]);
});

test("metadata is what it is now, not what Dataverse remembers of it", async () => {
  await sandbox.control.setColumn({ table: "account", column: { name: "cr1_new", type: "String" } });
  await sandbox.control.setOrganization({ staleDefinitions: true });
  try {
    await sandbox.control.setColumn({ table: "account", column: { name: "cr1_new", type: "Integer" } });
    const { columns: now } = await clients.dataverse.tableMetadata("account", ["cr1_new"], never);
    expect(now.get("cr1_new")?.type).toBe("Integer");
  } finally {
    await sandbox.control.setOrganization({ staleDefinitions: false });
  }
});

test("a table that is not there is TableMissing", async () => {
  const missing = clients.dataverse.tableMetadata("nosuch", [], never);
  await expect(missing).rejects.toMatchObject({ code: "TableMissing", scope: "Mapping" });
});

describe("a table", () => {
  test("is read page by page, and then by what changed since", async () => {
    const metadata = await contact();
    const snapshot = await readRound(metadata, { kind: "snapshot" });
    expect(snapshot.flatMap((page) => page.records)).toHaveLength(250);
    const [changed, gone] = snapshot.flatMap((page) => page.records.map((record) => record.id));
    await sandbox.control.updateRows({ table: "contact", rows: [{ id: changed ?? "", cells: { firstname: "New" } }] });
    await sandbox.control.deleteRows({ table: "contact", ids: [gone ?? ""] });
    const [round] = await readRound(metadata, { kind: "delta", link: snapshot.at(-1)?.deltaLink ?? "" });
    expect(round?.records.map(({ id, row }) => [id, row["firstname"]])).toEqual([[changed, "New"]]);
    expect(round?.deletedIds).toEqual([gone]);
    const before = snapshot.flatMap((page) => page.records).find((record) => record.id === changed);
    expect(round?.records[0]?.version).toBeGreaterThan(before?.version ?? 0n);
    expect(await clients.dataverse.readRecord(metadata, gone ?? "", columns, true, never)).toBeUndefined();
    expect(await clients.dataverse.readRecord(metadata, changed ?? "", columns, true, never)).toEqual(
      round?.records[0],
    );
  });

  test("says on each page by which version of the organization's metadata it was read", async () => {
    const versions = async () =>
      new Set((await readRound(await contact(), { kind: "snapshot" })).map(({ schemaVersion }) => schemaVersion));
    const before = await versions();
    expect(before.size).toBe(1);
    expect(before).not.toContain(undefined);
    expect(await versions()).toEqual(before);
    await sandbox.control.setColumn({ table: "account", column: { name: "cr1_stamp", type: "String" } });
    const after = await versions();
    expect(after.size).toBe(1);
    expect(after).not.toEqual(before);
  });

  test("whose tokens were expired asks for everything again", async () => {
    const metadata = await contact();
    const last = (await readRound(metadata, { kind: "snapshot" })).at(-1);
    await sandbox.control.expireDeltaTokens({ table: "contact" });
    const delta = readRound(metadata, { kind: "delta", link: last?.deltaLink ?? "" });
    await expect(delta).rejects.toMatchObject({ code: "DeltaTokenExpired", serviceCode: "0x80044352" });
  });

  test("without change tracking says so, in metadata and when it is read", async () => {
    const tracked = await contact();
    await sandbox.control.setChangeTracking({ table: "contact", enabled: false });
    try {
      expect((await contact()).changeTracking).toBe(false);
      await expect(readRound(tracked, { kind: "snapshot" })).rejects.toMatchObject({ code: "ChangeTrackingOff" });
    } finally {
      await sandbox.control.setChangeTracking({ table: "contact", enabled: true });
    }
  });
});

describe("credentials", () => {
  test("an access token that expired early is replaced without anybody noticing", async () => {
    const { organizationId } = await clients.dataverse.whoAmI(never);
    await sandbox.control.expireAccessTokens({ side: "dataverse" });
    expect((await clients.dataverse.whoAmI(never)).organizationId).toBe(organizationId);
  });

  test("a secret that was revoked is CredentialsRejected, and its successor is taken from the files", async () => {
    await clients.dataverse.whoAmI(never);
    const revoke = async (clientSecret: string) => {
      await sandbox.control.setClientSecret({ side: "dataverse", clientSecret });
      await sandbox.control.expireAccessTokens({ side: "dataverse" });
    };
    await revoke("rotated");
    try {
      await expect(clients.dataverse.whoAmI(never)).rejects.toMatchObject({
        name: "CredentialsError",
        code: "CredentialsRejected",
        outcome: "NotSent",
      });
      await writeCredentials(clients.credentialsDirectory, "dynamics", { clientSecret: "rotated" });
      await expect
        .poll(
          () =>
            clients.dataverse.whoAmI(never).then(
              () => "signed in",
              () => "not yet",
            ),
          { timeout: 5000 },
        )
        .toBe("signed in");
    } finally {
      await revoke(sandbox.credentials.clientSecret);
    }
  });
});

describe("what the network does", () => {
  test.each([
    { name: "reset", action: { kind: "reset" } as const, code: "ConnectionLost" },
    { name: "cut answer", action: { kind: "truncate" } as const, code: "ConnectionLost" },
    { name: "503", action: { kind: "status", status: 503, body: "<html>" } as const, code: "Outage" },
  ])("$name is $code, and the next call goes through", async ({ action, code }) => {
    await clients.dataverse.whoAmI(never);
    await sandbox.control.addFault({ side: "dataverse", times: 1, action });
    await expect(clients.dataverse.whoAmI(never)).rejects.toMatchObject({ code, scope: "Service" });
    await expect(clients.dataverse.whoAmI(never)).resolves.toHaveProperty("userId");
  });
});

test("the number of a table's records is the one that Dataverse last counted; of an unknown table it is refused", async () => {
  const records = await sandbox.control.countRows({ table: "contact" });
  expect(await clients.dataverse.estimatedRecords("contact", never)).toBe(records);
  await expect(clients.dataverse.estimatedRecords("nosuch", never)).rejects.toMatchObject({ outcome: "Refused" });
});
