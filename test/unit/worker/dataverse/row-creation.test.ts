import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { batchAnswers, batchBody } from "../../../../src/worker/dataverse/batch.ts";
import type { DataverseClient } from "../../../../src/worker/dataverse/client.ts";
import type { NewRow, RowCreation } from "../../../../src/worker/dataverse/row-creation.ts";
import { ServiceError } from "../../../../src/worker/http/service-error.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const table = { table: "adobe_emailclick", entitySet: "adobe_emailclicks", primaryId: "activityid" };
const link = "regardingobjectid_contact_adobe_emailclick@odata.bind";
let sandbox: RunningSandbox;
let clients: Workspace;
let creation: RowCreation;
const contacts: string[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 20 }, silentLogger);
  await sandbox.control.addTable({
    table: {
      name: table.table,
      entitySet: table.entitySet,
      primaryId: table.primaryId,
      primaryName: "subject",
      changeTracking: false,
      keys: [],
      columns: [
        { name: "activityid", type: "Uniqueidentifier" },
        { name: "subject", type: "String", maxLength: 200 },
        { name: "actualend", type: "DateTime", dateTimeBehavior: "UserLocal", dateTimeFormat: "DateAndTime" },
        {
          name: "regardingobjectid",
          type: "Lookup",
          targets: ["contact", "account"],
          navigation: { contact: { property: "regardingobjectid_contact_adobe_emailclick" } },
        },
      ],
    },
  });
  for await (const { id } of sandbox.control.rows({ table: "contact" })) contacts.push(id);
});
afterAll(() => sandbox.close());

beforeEach(async () => {
  await sandbox.control.clearFaults();
  clients = await workspace({
    dataverseUrl: sandbox.dataverseUrl,
    dynamics: { ...sandbox.credentials, tokenUrl: sandbox.dataverseTokenUrl },
    campaign: {},
  });
  creation = (clients.dataverse as DataverseClient).rows; // What `connect` makes.
  return () => clients.close();
});

function click(contact = contacts[0], id: string = randomUUID()): NewRow {
  return { id, row: { subject: "CMP ü DM", actualend: "2026-07-15T08:00:00Z", [link]: `/contacts(${contact})` } };
}
const rowOf = (id: string) => sandbox.control.row({ table: table.table, id });
const count = () => sandbox.control.countRows({ table: table.table });
const told = (all: readonly (string | ServiceError)[]) =>
  all.map((one) => (one instanceof ServiceError ? one.code : one));

describe("rows with ids of our choice", () => {
  it("are made once, and never touch one that a person has edited since", async () => {
    const rows = [click(), click(), click()];
    expect(await creation.createEach(table, rows, never)).toEqual(["Created", "Created", "Created"]);
    const [first] = rows;
    await sandbox.control.updateRows({
      table: table.table,
      rows: [{ id: first!.id, cells: { subject: "done by Anna" } }],
    });
    const before = await count();
    expect(await creation.createEach(table, [...rows, click()], never)).toEqual(["There", "There", "There", "Created"]);
    expect(await count()).toBe(before + 1);
    expect((await rowOf(first!.id))?.cells["subject"]).toBe("done by Anna");
    expect((await rowOf(rows[1]!.id))?.cells["subject"]).toBe("CMP ü DM");
  });

  it("are made one by one in one call where the table knows no bulk, which is asked once", async () => {
    const plain = { table: "new_plain", entitySet: "new_plains", primaryId: "new_plainid" };
    await sandbox.control.addTable({
      table: {
        name: plain.table,
        entitySet: plain.entitySet,
        primaryId: plain.primaryId,
        primaryName: "new_name",
        changeTracking: false,
        keys: [],
        bulkMessages: false,
        columns: [
          { name: plain.primaryId, type: "Uniqueidentifier" },
          { name: "new_name", type: "String", maxLength: 200 },
        ],
      },
    });
    const rows = Array.from({ length: 40 }, () => ({ id: randomUUID(), row: { new_name: "n" } }));
    await creation.createEach(plain, [], never);
    const before = (await sandbox.control.counters()).dataverse;
    expect(new Set(await creation.createNew(plain, rows.slice(0, 20), never))).toEqual(new Set(["Created"]));
    expect(new Set(await creation.createNew(plain, rows.slice(20), never))).toEqual(new Set(["Created"]));
    const after = (await sandbox.control.counters()).dataverse;
    expect(after.requests - before.requests).toBeLessThanOrEqual(4); // Two batches, one bulk, and the sign-in.
    const missing = { ...plain, table: "new_gone", entitySet: "new_gones" };
    const gone = await creation.createNew(missing, rows.slice(0, 20), never);
    expect(told(gone.slice(0, 1))).toEqual(["TableMissing"]);
  });

  it("fail by themselves: a missing contact costs its own row", async () => {
    const rows = [click(), click(randomUUID()), click()];
    const creations = await creation.createEach(table, rows, never);
    expect(told(creations)).toEqual(["Created", "Refused", "Created"]);
    expect(creations[1]).toMatchObject({ scope: "Record", outcome: "Refused" });
    expect(String(creations[1])).not.toContain("CMP");
  });

  it("that were never tried are made by one call", async () => {
    const rows = Array.from({ length: 200 }, () => click());
    const before = (await sandbox.control.counters()).dataverse;
    expect(new Set(await creation.createNew(table, rows, never))).toEqual(new Set(["Created"]));
    const after = (await sandbox.control.counters()).dataverse;
    expect(after.requests - before.requests).toBeLessThanOrEqual(2); // One of them may be the sign-in's.
    expect(await rowOf(rows[199]!.id)).toBeDefined();
  });

  it("are found by halves when a bulk is refused: each bad one costs itself", async () => {
    const rows = Array.from({ length: 300 }, (_, index) =>
      click(index % 97 === 5 ? randomUUID() : contacts[index % 20]),
    );
    await creation.createEach(table, [rows[42]!], never);
    const creations = told(await creation.createNew(table, rows, never));
    const bad = creations.flatMap((one, index) => (one === "Refused" ? [index] : []));
    expect(bad).toEqual([5, 102, 199, 296]);
    expect(creations[42]).toBe("There");
    expect(creations.filter((one) => one === "Created")).toHaveLength(295);
    for (const [index, { id }] of rows.entries())
      expect((await rowOf(id)) !== undefined, String(index)).toBe(!bad.includes(index));
  });

  it("are not tried any further when the service itself fails", async () => {
    await sandbox.control.addFault({
      side: "dataverse",
      pathPattern: "CreateMultiple|batch",
      action: { kind: "status", status: 503, body: "" },
    });
    const rows = Array.from({ length: 40 }, () => click());
    const creations = await creation.createNew(table, rows, never);
    expect(new Set(told(creations))).toEqual(new Set(["Outage"]));
    expect(creations[0]).toMatchObject({ outcome: "Unknown" });
    const each = await creation.createEach(table, rows, never);
    expect(new Set(told(each))).toEqual(new Set(["Outage"]));
  });

  it("are left alone behind a failure of the service in the middle of a search for the bad one", async () => {
    await sandbox.control.addFault({
      side: "dataverse",
      pathPattern: "batch",
      action: { kind: "status", status: 503, body: "" },
    });
    const rows = Array.from({ length: 40 }, (_, index) => click(index === 3 ? randomUUID() : undefined));
    const before = await count();
    expect(new Set(told(await creation.createNew(table, rows, never)))).toEqual(new Set(["Outage"]));
    expect(await count()).toBe(before);
  });

  it.each(["truncate", "loseAnswerAfterWrite"] as const)(
    "are in doubt when the answer is lost (%s), and found by their ids at the next try",
    async (kind) => {
      await sandbox.control.addFault({
        side: "dataverse",
        pathPattern: "CreateMultiple|batch",
        times: 1,
        action: { kind },
      });
      for (const count of [10, 40]) {
        const rows = Array.from({ length: count }, () => click());
        const first = await creation.createNew(table, rows, never);
        const lost = count === 10;
        if (lost) for (const one of first) expect(one).toMatchObject({ code: "ConnectionLost", outcome: "Unknown" });
        expect(new Set(await creation.createEach(table, rows, never))).toEqual(new Set(["There"]));
      }
    },
  );
});

describe("the body of a batch", () => {
  const answer = (body: string, type = 'multipart/mixed; boundary="b 1"') => ({
    status: 200,
    headers: { "content-type": type },
    body: Buffer.from(body),
    secondsToAnswer: 0,
  });

  it("is written as Microsoft's page shows it", () => {
    const request = {
      method: "PATCH",
      url: "https://x/api/data/v9.2/tasks(1)",
      headers: { "if-none-match": "*" },
      body: '{"a":"ü"}',
    } as const;
    expect(batchBody([request], "b1").split("\r\n")).toEqual([
      "--b1",
      "Content-Type: application/http",
      "Content-Transfer-Encoding: binary",
      "",
      "PATCH https://x/api/data/v9.2/tasks(1) HTTP/1.1",
      "if-none-match: *",
      "",
      '{"a":"ü"}',
      "--b1--",
      "",
    ]);
  });

  it("is read part by part, as far as it came whole", () => {
    const part = (status: string, body = "") =>
      `--b 1\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 ${status}\r\nOData-Version: 4.0\r\n\r\n${body}\r\n`;
    const whole = `${part("204 No Content")}${part("404 Not Found", '{"error":{"message":"ü\\r\\n"}}')}--b 1--\r\n`;
    const read = (text: string, type?: string) =>
      batchAnswers(answer(text, type)).map(({ status, body }) => [status, body.toString()]);
    expect(read(whole)).toEqual([
      [204, ""],
      [404, '{"error":{"message":"ü\\r\\n"}}'],
    ]);
    expect(read(whole.slice(0, -20))).toEqual([[204, ""]]);
    expect(read(whole, "text/html")).toEqual([]);
    expect(read("")).toEqual([]);
    expect(batchAnswers(answer(whole))[0]?.headers["odata-version"]).toBe("4.0");
  });
});
