import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { controlClient } from "../../sandbox/control-client.ts";

let sandbox: RunningSandbox;
let control: SandboxControl;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 3000, controlAddress: { host: "127.0.0.1", port: 0 } }, silentLogger);
  control = controlClient(sandbox.controlUrl ?? "");
});

afterAll(() => sandbox.close());

describe("the control API over HTTP", () => {
  it("streams all rows, the same as in process", async () => {
    const remote: unknown[] = [];
    const local: unknown[] = [];
    for await (const row of control.rows({ table: "contact" })) remote.push(row);
    for await (const row of sandbox.control.rows({ table: "contact" })) local.push(row);
    expect(remote).toHaveLength(3000);
    expect(remote).toEqual(local);
  });

  it("inserts, updates and deletes rows", async () => {
    const [id = ""] = await control.insertRows({ table: "contact", rows: [{ cells: { lastname: "A" } }] });
    await control.updateRows({ table: "contact", rows: [{ id, cells: { firstname: "B" } }] });
    expect((await control.row({ table: "contact", id }))?.cells).toMatchObject({ lastname: "A", fullname: "B A" });
    expect(await control.deleteRows({ table: "contact", ids: [id, id] })).toBe(1);
    expect(await control.row({ table: "contact", id })).toBeUndefined();
  });

  it("changes many rows at once, numbered", async () => {
    const ids = await control.changeMany({
      table: "contact",
      count: 2000,
      operation: "update",
      cells: { lastname: "N{n}" },
    });
    expect((await control.row({ table: "contact", id: ids[1999] ?? "" }))?.cells["lastname"]).toBe("N1999");
  });

  it("keeps Campaign's records and their writes", async () => {
    await control.insertRecords({ resource: "profile", records: [{ externalId: "c", firstName: "1" }] });
    await control.updateRecord({ resource: "profile", key: "c", values: { firstName: "2" } });
    const records: unknown[] = [];
    for await (const record of control.records({ resource: "profile" })) records.push(record);
    expect(records).toMatchObject([{ values: { externalId: "c", firstName: "2" } }]);
    const writes: string[] = [];
    for await (const { key, entries } of control.allWrites({ resource: "profile" }))
      writes.push(`${key} ${entries.length}`);
    expect(writes).toEqual(["c 2"]);
    expect(await control.deleteRecords({ resource: "profile", keys: ["c", "none"] })).toBe(1);
    expect(await control.countRecords({ resource: "profile" })).toBe(0);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      "a table that is not there",
      () => control.countRows({ table: "lead" }),
      'there is no table "lead"; tables: systemuser, account, contact',
    ],
    [
      "a column that is not there",
      () => control.insertRows({ table: "contact", rows: [{ cells: { nosuch: 1 } }] }),
      '"contact" has no column "nosuch"',
    ],
    ["an id that is none", () => control.deleteRows({ table: "contact", ids: ["1"] }), "/ids/0 must match pattern"],
    [
      "a lookup as text",
      () => control.insertRows({ table: "contact", rows: [{ cells: { parentcustomerid: "x" } }] }),
      '"contact.parentcustomerid" is a Customer',
    ],
    [
      "more rows than there are",
      () => control.changeMany({ table: "account", count: 9999, operation: "delete" }),
      "has only 150 rows",
    ],
    [
      "a side that does not exist",
      () => control.setGate({ side: "moon" as "campaign", state: "open" }),
      '/side must be one of "dataverse","campaign"',
    ],
    [
      "an action without its figure",
      () => control.addFault({ side: "campaign", action: { kind: "slow" } as never }),
      "/action must have required properties milliseconds",
    ],
    [
      "a pattern that is none",
      () => control.addFault({ side: "campaign", pathPattern: "(", action: { kind: "reset" } }),
      "pathPattern is not a regular expression",
    ],
    ["dropping a key", () => control.dropField({ resource: "profile", field: "externalId" }), "identification key"],
    [
      "a custom resource without its prefix",
      () =>
        control.addResource({
          resource: { name: "company", label: "x", schema: "y", endpoints: ["customResources"], fields: [], keys: [] },
        }),
      "/resource/name must match pattern",
    ],
  ])("says what is wrong with %s", async (_, call, message) => {
    await expect(call()).rejects.toThrow(message);
  });

  it("names its methods to whom asks for another", async () => {
    const response = await fetch(`${sandbox.controlUrl}/control/nosuch`, { method: "POST" });
    expect(response.status).toBe(400);
    expect(await response.json()).toHaveProperty("error", expect.stringContaining("methods: tables,"));
  });
});
