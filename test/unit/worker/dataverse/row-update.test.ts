import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { DataverseClient } from "../../../../src/worker/dataverse/client.ts";
import type { TableMetadata, TrackedRecord } from "../../../../src/worker/dataverse/interface.ts";
import type { RowUpdated } from "../../../../src/worker/dataverse/row-update.ts";
import { type Workspace, workspace } from "../http/workspace.ts";
import { type Answer, type Organization, organization, refusal } from "./documented-exchanges.ts";

const never = new AbortController().signal;
const id = "60c4e274-0d87-e711-80e5-00155db19e6d";

describe("an update of a row that was read, in the sandbox", () => {
  let sandbox: RunningSandbox;
  let clients: Workspace;
  let metadata: TableMetadata;
  let record: TrackedRecord;

  beforeAll(async () => {
    sandbox = await startSandbox({ contacts: 3 }, silentLogger);
  });
  afterAll(() => sandbox.close());
  beforeEach(async () => {
    await sandbox.control.clearFaults();
    clients = await workspace({
      dataverseUrl: sandbox.dataverseUrl,
      dynamics: { ...sandbox.credentials, tokenUrl: sandbox.dataverseTokenUrl },
      campaign: {},
    });
    metadata = await clients.dataverse.tableMetadata("contact", ["donotbulkemail", "firstname"], never);
    record = await first();
    return () => clients.close();
  });

  async function first(): Promise<TrackedRecord> {
    for await (const row of sandbox.control.rows({ table: "contact" })) {
      const read = await clients.dataverse.readRecord(metadata, row.id, ["donotbulkemail"], false, never);
      if (read !== undefined) return read;
    }
    throw new Error("the sandbox has no contact");
  }
  const update = (row: Pick<TrackedRecord, "id" | "version">, cells: Record<string, unknown>) =>
    (clients.dataverse as DataverseClient).updates.update(metadata, row.id, cells, row.version, never);

  it("is done, and tells the version that the row has by it", async () => {
    expect(await update(record, { donotbulkemail: true })).toEqual({ is: "Updated", version: expect.any(BigInt) });
    const now = await clients.dataverse.readRecord(metadata, record.id, ["donotbulkemail"], false, never);
    expect(now?.row["donotbulkemail"]).toBe(true);
    expect(await update(record, { donotbulkemail: false })).toEqual({ is: "Changed" });
    const again = await update({ id: record.id, version: now?.version ?? 0n }, { donotbulkemail: false });
    expect(again).toEqual({ is: "Updated", version: expect.any(BigInt) });
    const last = await clients.dataverse.readRecord(metadata, record.id, ["donotbulkemail"], false, never);
    expect(last?.version).toBe(again.is === "Updated" ? again.version : undefined);
  });

  it("is not done when somebody changed anything of the row meanwhile", async () => {
    await sandbox.control.updateRows({ table: "contact", rows: [{ id: record.id, cells: { firstname: "Ada" } }] });
    const before = await sandbox.control.row({ table: "contact", id: record.id });
    expect(await update(record, { donotbulkemail: true })).toEqual({ is: "Changed" });
    expect(await sandbox.control.row({ table: "contact", id: record.id })).toEqual(before);
  });

  it("makes no row that is not there", async () => {
    expect(await update({ id, version: record.version }, { donotbulkemail: true })).toEqual({ is: "Missing" });
    expect(await sandbox.control.row({ table: "contact", id })).toBeUndefined();
  });

  it("is told as unknown when the answer is lost, though it was done", async () => {
    await sandbox.control.addFault({
      side: "dataverse",
      method: "PATCH",
      pathPattern: "contacts",
      action: { kind: "loseAnswerAfterWrite" },
    });
    await expect(update(record, { donotbulkemail: true })).rejects.toMatchObject({ outcome: "Unknown" });
  });
});

describe("an update of a row, as the pages tell it", () => {
  let org: Organization | undefined;
  afterEach(() => org?.close());
  const contacts = { table: "contact", entitySet: "contacts", primaryId: "contactid", changeTracking: true } as const;

  async function update(answer: Answer): Promise<RowUpdated> {
    org = await organization(answer);
    const metadata: TableMetadata = { ...contacts, columns: new Map() };
    return await (org.dataverse as DataverseClient).updates.update(metadata, id, { donotemail: true }, 915244n, never);
  }

  test("it is sent with the version that was read", async () => {
    await update((_, response) => response.writeHead(204).end());
    expect(org?.requests[0]).toMatchObject({
      path: `/api/data/v9.2/contacts(${id})?$select=contactid`,
      headers: { "if-match": 'W/"915244"', prefer: "return=representation", "content-type": "application/json" },
    });
  });

  test("it is done though the answer tells no version", async () => {
    expect(await update((_, response) => response.writeHead(204).end())).toEqual({ is: "Updated", version: undefined });
  });

  test("another version in the row is no failure", async () => {
    const changed = refusal(412, "0x80060882", "The version of the existing record doesn't match the RowVersion");
    expect(await update(changed)).toEqual({ is: "Changed" });
  });

  test("a 404 that does not say that the row is missing is a failure", async () => {
    const gone = refusal(404, "0x8006088a", "Resource not found for the segment 'contacts'.");
    await expect(update(gone)).rejects.toMatchObject({ code: "TableMissing", outcome: "Refused" });
  });

  test("a refused one is a failure of this record, and names no value", async () => {
    const refused = refusal(400, "0x80040265", "Contact Ada Lovelace must not be mailed");
    await expect(update(refused)).rejects.toMatchObject({ code: "Refused", outcome: "Refused" });
    await expect(update(refused)).rejects.not.toThrow("Lovelace");
  });
});
