import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let caller: Caller;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 6 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

afterAll(() => sandbox.close());

const typed = { "@odata.type": "Microsoft.Dynamics.CRM.contact" };
const call = (message: string, targets: unknown, table = "contacts") =>
  caller.call("POST", `${table}/Microsoft.Dynamics.CRM.${message}`, { body: { Targets: targets } });
const count = () => sandbox.control.countRows({ table: "contact" });
const idOf = async (key: string): Promise<string> =>
  (await caller.call("GET", `contacts(accountnumber='${key}')`)).json.contactid;

describe("CreateMultiple", () => {
  it("gives the ids of the new rows in order", async () => {
    const { status, json } = await call("CreateMultiple", [
      { ...typed, accountnumber: "C1" },
      { ...typed, accountnumber: "C2" },
    ]);
    expect(status).toBe(200);
    expect(json.Ids).toEqual([await idOf("C1"), await idOf("C2")]);
  });

  it("makes no row when one is refused: a value, a taken key, an id twice", async () => {
    const before = await count();
    const id = "00000000-0000-4000-8000-000000000001";
    const good = { ...typed, accountnumber: "C3" };
    expect((await call("CreateMultiple", [good, { ...typed, gendercode: 9 }])).status).toBe(400);
    expect((await call("CreateMultiple", [good, { ...typed, accountnumber: "C1" }])).status).toBe(412);
    expect((await call("CreateMultiple", [good, good])).status).toBe(412);
    const twice = await call("CreateMultiple", [
      { ...typed, contactid: id },
      { ...typed, contactid: id },
    ]);
    expect(twice).toMatchObject({ status: 412, json: { error: { message: "Cannot insert duplicate key." } } });
    expect(await count()).toBe(before);
    expect((await call("CreateMultiple", [good])).status).toBe(200);
  });

  it.each([
    ["an item without @odata.type", [{ lastname: "x" }]],
    ["an item of another type", [{ "@odata.type": "Microsoft.Dynamics.CRM.account" }]],
    ["no items", []],
    ["what is no list", {}],
  ])("refuses %s", async (_, targets) => {
    expect((await call("CreateMultiple", targets)).status).toBe(400);
  });
});

describe("UpdateMultiple", () => {
  it("changes what is named, by primary key and by alternate key", async () => {
    const id = await idOf("AW00000001");
    const { status, text } = await call("UpdateMultiple", [
      { ...typed, contactid: id, fax: "1" },
      { ...typed, "@odata.id": "contacts(accountnumber='AW00000002')", fax: "2" },
    ]);
    expect({ status, text }).toEqual({ status: 204, text: "" });
    const { json } = await caller.call("GET", "contacts?$select=fax&$filter=fax ne null&$orderby=fax");
    expect(json.value.map((one: { fax: string }) => one.fax)).toEqual(["1", "2"]);
  });

  it("changes nothing when one row is missing", async () => {
    const id = await idOf("AW00000001");
    const gone = "00000000-0000-4000-8000-00000000dead";
    const { status, json } = await call("UpdateMultiple", [
      { ...typed, contactid: id, fax: "3" },
      { ...typed, contactid: gone, fax: "3" },
    ]);
    expect({ status, message: json.error.message }).toEqual({
      status: 404,
      message: `contact With Ids = ${gone} Do Not Exist`,
    });
    expect((await caller.call("GET", `contacts(${id})`)).json.fax).toBe("1");
  });
});

describe("UpsertMultiple", () => {
  it("makes and changes rows by their alternate keys, and answers 204", async () => {
    const target = (key: string, lastname: string) => ({
      ...typed,
      lastname,
      "@odata.id": `contacts(accountnumber='${key}')`,
    });
    const { status } = await call("UpsertMultiple", [target("AW00000003", "Changed"), target("U1", "Made")]);
    expect(status).toBe(204);
    for (const [key, lastname] of [
      ["AW00000003", "Changed"],
      ["U1", "Made"],
    ]) {
      expect((await caller.call("GET", `contacts(accountnumber='${key}')`)).json.lastname).toBe(lastname);
    }
  });
});

describe("a table without bulk messages", () => {
  it("refuses them, and says so beforehand through sdkmessagefilters", async () => {
    const has = async (table: string, message: string) => {
      const query = `$filter=sdkmessageid/name eq @message and primaryobjecttypecode eq @table&@message='${message}'&@table='${table}'`;
      const { json } = await caller.call("GET", `sdkmessagefilters?$select=sdkmessagefilterid&${query}`);
      return json.value.length;
    };
    expect(await has("contact", "CreateMultiple")).toBe(1);
    expect(await has("contact", "DeleteMultiple")).toBe(0);
    expect(await has("systemuser", "CreateMultiple")).toBe(0);
    const refused = await call(
      "CreateMultiple",
      [{ "@odata.type": "Microsoft.Dynamics.CRM.systemuser" }],
      "systemusers",
    );
    expect(refused).toMatchObject({ status: 400, json: { error: { code: "0x80040800" } } });
  });
});

it("DeleteMultiple is not there for standard tables", async () => {
  const { json } = await call("DeleteMultiple", [typed]);
  expect(json.error.message).toBe("DeleteMultiple has not yet been implemented.");
});
