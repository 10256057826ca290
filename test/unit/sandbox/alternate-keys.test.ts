import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

/** Sources: use-alternate-key-reference-record.md, define-alternate-keys-entity.md. */

const account = "00000000-0000-4000-8000-00000000000a";
let sandbox: RunningSandbox;
let caller: Caller;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await dataverseCaller(sandbox);
  await sandbox.control.insertRows({ table: "account", rows: [{ id: account, cells: { name: "Contoso" } }] });
  await sandbox.control.addTable({
    table: {
      name: "new_seat",
      entitySet: "new_seats",
      primaryId: "new_seatid",
      primaryName: "new_row",
      changeTracking: true,
      keys: [["new_row", "new_number"], ["new_number"], ["new_owner"]],
      columns: [
        { name: "new_row", type: "String", maxLength: 50 },
        { name: "new_number", type: "Integer" },
        { name: "new_owner", type: "Lookup", targets: ["account"] },
        { name: "new_note", type: "String", maxLength: 50 },
      ],
    },
  });
  await sandbox.control.insertRows({
    table: "new_seat",
    rows: [{ cells: { new_row: "O'Neill", new_number: 7, new_owner: { table: "account", id: account } } }],
  });
});

afterAll(() => sandbox.close());

const syntax = { error: { message: "Bad Request - Error in query syntax." } };
const notAKey = {
  error: {
    message:
      "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.new_seat'. Ensure that the names and " +
      "number of key properties match the declared or alternate key properties for the resource 'Microsoft.Dynamics.CRM.new_seat'.",
  },
};

describe("an alternate key in an address", () => {
  it.each([
    ["of several columns, in any order, a quote written twice", "new_number=7,new_row='O''Neill'"],
    ["of a number", "new_number=7"],
    ["of a lookup, by its property", `_new_owner_value=${account}`],
    ["with its quote encoded", "new_row=%27O%27%27Neill%27,new_number=7"],
  ])("%s names the row", async (_, key) => {
    expect(await caller.call("GET", `new_seats(${key})?$select=new_number`)).toMatchObject({
      status: 200,
      json: { new_number: 7 },
    });
  });

  it.each([
    ["a text without quotes", "new_row=Neill,new_number=7", syntax],
    ["a number in quotes", "new_number='7'", syntax],
    ["an unfinished text", "new_row='O'Neill',new_number=7", syntax],
    ["something behind the key", "new_number=7x", syntax],
    ["a lookup by no id", "_new_owner_value='Contoso'", syntax],
    ["a column that is no key", "new_note='x'", notAKey],
    ["half of a key", "new_row='O''Neill'", notAKey],
    ["a lookup by its column's name", `new_owner=${account}`, notAKey],
  ])("is refused for %s", async (_, key, json) => {
    expect(await caller.call("GET", `new_seats(${key})`)).toMatchObject({ status: 400, json });
  });

  it.each(["/", "<", ">", "*", "%", "&", ":", "\\", "?", "+"])(
    "does not work when the value holds %s, for reads and upserts alike, though rows may have such values",
    async (sign) => {
      const value = `A${sign}1`;
      await sandbox.control.insertRows({ table: "new_seat", rows: [{ cells: { new_row: value, new_number: 1 } }] });
      const address = `new_seats(new_row='${encodeURIComponent(value)}',new_number=1)`;
      expect((await caller.call("GET", address)).status).toBe(400);
      expect((await caller.call("PATCH", address, { body: { new_note: "x" } })).status).toBe(400);
      const rows = await caller.call("GET", "new_seats?$select=new_note&$filter=new_number eq 1");
      expect(rows.json.value).toMatchObject([{ new_note: null }]);
      await sandbox.control.deleteRows({ table: "new_seat", ids: [rows.json.value[0].new_seatid] });
    },
  );

  it("gives a row that an upsert makes its values, each of its column's type", async () => {
    const address = "new_seats(new_row='Upserted',new_number=9)";
    expect((await caller.call("PATCH", address, { body: { new_note: "first" } })).status).toBe(204);
    const { json } = await caller.call("GET", `${address}?$select=new_row,new_number,new_note`);
    expect(json).toMatchObject({ new_row: "Upserted", new_number: 9, new_note: "first" });
    expect((await caller.call("GET", "new_seats?$filter=new_number gt 8")).json.value).toHaveLength(1);
  });

  it("may not be the named primary key of a user, who is a principal", async () => {
    const { UserId: id } = (await caller.call("GET", "WhoAmI")).json;
    expect((await caller.call("GET", `systemusers(${id})`)).status).toBe(200);
    expect((await caller.call("GET", `systemusers(systemuserid=${id})`)).status).toBe(400);
    expect((await caller.call("GET", `accounts(accountid=${account})`)).status).toBe(200);
  });
});
