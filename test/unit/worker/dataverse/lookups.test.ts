import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { DataverseClient } from "../../../../src/worker/dataverse/client.ts";
import type { Lookups } from "../../../../src/worker/dataverse/lookups.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

const never = new AbortController().signal;
const contactTable = { table: "contact", entitySet: "contacts", primaryId: "contactid" };
const byMail = { name: "emailaddress1", type: "String" } as const;
let sandbox: RunningSandbox;
let clients: Workspace;
let lookups: Lookups;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  clients = await workspace({
    dataverseUrl: sandbox.dataverseUrl,
    dynamics: { ...sandbox.credentials, tokenUrl: sandbox.dataverseTokenUrl },
    campaign: {},
  });
  lookups = (clients.dataverse as DataverseClient).lookups; // What `connect` makes.
});
afterAll(async () => {
  await clients?.close();
  await sandbox?.close();
});

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const make = (...mails: readonly string[]) =>
  sandbox.control.insertRows({
    table: "contact",
    rows: mails.map((emailaddress1, n) => ({ id: id(n), cells: { emailaddress1, lastname: "L" } })),
  });
const requests = async () => (await sandbox.control.counters()).dataverse.requests;
const find = async (keys: readonly string[]) =>
  Object.fromEntries(await lookups.idsByKey(contactTable, byMail, keys, never));

describe("lookups", () => {
  it("find rows by the values of a column, whatever characters they have, a hundred with one question", async () => {
    await make("anna@example.com", "o'neil+a&b=c#@example.com", "twice@example.com", "TWICE@example.com", "ünal 1");
    const before = await requests();
    const strangers = Array.from({ length: 95 }, (_, n) => `nobody${n}@example.com`);
    const found = await find([
      "ANNA@example.com",
      "o'neil+a&b=c#@example.com",
      "twice@example.com",
      "ünal 1",
      "anna@example.com",
      ...strangers,
    ]);
    expect(found).toMatchObject({
      "ANNA@example.com": [id(0)],
      "anna@example.com": [id(0)],
      "o'neil+a&b=c#@example.com": [id(1)],
      "twice@example.com": [id(2), id(3)],
      "ünal 1": [id(4)],
      "nobody0@example.com": [],
    });
    expect((await requests()) - before).toBeLessThanOrEqual(2); // One of them may be the sign-in's.
    expect(Object.keys(await find(Array.from({ length: 250 }, (_, n) => `${n}@example.com`)))).toHaveLength(250);
  });

  it("take no row for one of a like value that Dataverse does not take for the same", async () => {
    const rows = [{ id: id(50), cells: { emailaddress1: "jose@example.com", lastname: "L" } }];
    await sandbox.control.insertRows({ table: "contact", rows });
    const found = await find(["josé@example.com", "jose@example.com", "JOSE@example.com"]);
    expect(found).toEqual({
      "josé@example.com": [],
      "jose@example.com": [id(50)],
      "JOSE@example.com": [id(50)],
    });
  });

  it("tell the one value that Dataverse refuses, and find the others", async () => {
    await sandbox.control.addFault({
      side: "dataverse",
      pathPattern: "bad%40example",
      action: {
        kind: "status",
        status: 400,
        body: JSON.stringify({ error: { code: "0x80048d19", message: "The value is too large." } }),
      },
    });
    const some = Array.from({ length: 40 }, (_, n) => `${n}@example.com`);
    const found = await find([...some, "bad@example.com", "ANNA@example.com"]);
    await sandbox.control.clearFaults();
    expect(Object.keys(found)).toHaveLength(42);
    expect(found["ANNA@example.com"]).toEqual([id(0)]);
    expect(found["bad@example.com"]).toMatchObject({ code: "Refused", message: expect.not.stringContaining("bad@") });
  });

  it("ask nothing about values that the column cannot hold", async () => {
    const before = await requests();
    for (const type of ["Integer", "Uniqueidentifier"] as const) {
      const found = await lookups.idsByKey(contactTable, { name: "n", type }, ["x) or (1 eq 1", ""], never);
      expect(found.size).toBe(0);
    }
    expect((await requests()) - before).toBe(0);
  });

  it("name the property that leads from a row to its target, and say when there is none", async () => {
    const property = (table: string, target: string) =>
      lookups.navigationProperty(table, "parentcustomerid", target, never);
    expect(await property("contact", "account")).toBe("parentcustomerid_account");
    expect(await property("contact", "systemuser")).toBeUndefined();
    await expect(property("nothing", "account")).rejects.toMatchObject({ code: "TableMissing", scope: "Mapping" });
  });
});
