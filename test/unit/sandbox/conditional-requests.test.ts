import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

const missing = "contacts(00000000-0000-4000-8000-00000000dead)";
let sandbox: RunningSandbox;
let caller: Caller;
let target: string;
let etag: string;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

beforeEach(async () => {
  const { headers } = await caller.call("POST", "contacts", { body: { lastname: "Before" } });
  target = headers.get("odata-entityid") ?? "";
  etag = (await caller.call("GET", target)).json["@odata.etag"];
});

afterAll(() => sandbox.close());

const stale = 'W/"1"';
const patch = (url: string, headers: Readonly<Record<string, string>>) =>
  caller.call("PATCH", url, { headers, body: { lastname: "After" } });
const lastname = async () => (await caller.call("GET", target)).json.lastname;

describe("a conditional write", () => {
  it.each([
    ["If-Match: *", () => ({ "if-match": "*" }), 204],
    ["the newest ETag", () => ({ "if-match": etag }), 204],
    ["a stale ETag", () => ({ "if-match": stale }), 412],
    ["If-None-Match: *", () => ({ "if-none-match": "*" }), 412],
    ["If-None-Match: null, as every request should have it", () => ({ "if-none-match": "null" }), 204],
  ])("of a row that is there, with %s", async (_, headers, status) => {
    expect((await patch(target, headers())).status).toBe(status);
    expect(await lastname()).toBe(status === 204 ? "After" : "Before");
  });

  it.each([
    ["If-Match: *", { "if-match": "*" }, 404, "0x80040217"],
    ["an ETag", { "if-match": stale }, 404, "0x80040217"],
  ])("of a row that is not there, with %s, makes none", async (_, headers, status, code) => {
    expect(await patch(missing, headers)).toMatchObject({ status, json: { error: { code } } });
    expect((await caller.call("GET", missing)).status).toBe(404);
  });

  it("with If-None-Match: * makes a row once", async () => {
    const url = "contacts(00000000-0000-4000-8000-00000000beef)";
    expect((await patch(url, { "if-none-match": "*" })).status).toBe(204);
    expect(await patch(url, { "if-none-match": "*" })).toMatchObject({
      status: 412,
      json: { error: { code: "0x80040237", message: "A record with matching key values already exists." } },
    });
  });

  it("by an alternate key knows the same conditions", async () => {
    const url = "contacts(accountnumber='COND')";
    expect((await patch(url, { "if-match": "*" })).status).toBe(404);
    expect((await patch(url, { "if-none-match": "*" })).status).toBe(204);
    expect((await patch(url, { "if-none-match": "*" })).status).toBe(412);
    expect((await patch(url, { "if-match": stale })).status).toBe(412);
    expect((await patch(url, { "if-match": "*" })).status).toBe(204);
  });

  it("is decided by the ETag that the last write left", async () => {
    await patch(target, {});
    expect((await patch(target, { "if-match": etag })).status).toBe(412);
    expect((await caller.call("DELETE", target, { headers: { "if-match": etag } })).status).toBe(412);
    const { json } = await caller.call("GET", target);
    const headers = { "if-match": json["@odata.etag"] };
    expect((await caller.call("DELETE", target, { headers })).status).toBe(204);
    expect((await caller.call("DELETE", target, { headers: { "if-match": "*" } })).status).toBe(404);
  });
});

describe("a conditional read", () => {
  it("is 304 without a body while the row has not changed, and 200 after that", async () => {
    const headers = { "if-none-match": etag };
    expect(await caller.call("GET", target, { headers })).toMatchObject({ status: 304, text: "" });
    await patch(target, {});
    expect(await caller.call("GET", target, { headers })).toMatchObject({ status: 200, json: { lastname: "After" } });
  });

  it("is never 304 with annotations", async () => {
    const headers = { "if-none-match": etag, prefer: 'odata.include-annotations="*"' };
    expect((await caller.call("GET", target, { headers })).status).toBe(200);
  });
});

describe("rows that change between the pages of an ordinary query", () => {
  it("come with their newest values if their page is still to come; none comes twice, and a deleted one not at all", async () => {
    const prefix = "Page";
    const ids = await sandbox.control.insertRows({
      table: "contact",
      rows: Array.from({ length: 6 }, (_, n) => ({ cells: { firstname: prefix, lastname: `${n}` } })),
    });
    const headers = { prefer: "odata.maxpagesize=2" };
    const first = await caller.call("GET", `contacts?$select=lastname&$filter=firstname eq '${prefix}'`, { headers });
    const [seen = "", , , changed = "", deleted = ""] = ids;
    for (const id of [seen, changed]) {
      await sandbox.control.updateRows({ table: "contact", rows: [{ id, cells: { lastname: "changed" } }] });
    }
    await sandbox.control.deleteRows({ table: "contact", ids: [deleted] });
    const second = await caller.call("GET", first.json["@odata.nextLink"], { headers });
    const third = await caller.call("GET", second.json["@odata.nextLink"], { headers });
    const names = [first, second, third].flatMap(({ json }) =>
      json.value.map((one: { lastname: string }) => one.lastname),
    );
    expect(names).toEqual(["0", "1", "2", "changed", "5"]);
    expect(third.json).not.toHaveProperty(["@odata.nextLink"]);
  });
});

describe("a change of metadata", () => {
  it("refuses delta tokens of its table when it is told to, and not otherwise", async () => {
    const { json } = await caller.call("GET", "contacts?$select=fax", { headers: { prefer: "odata.track-changes" } });
    const follow = () => caller.call("GET", json["@odata.deltaLink"]);
    await sandbox.control.setColumn({ table: "contact", column: { name: "new_one", type: "String" } });
    expect((await follow()).status).toBe(200);
    await sandbox.control.setColumn({
      table: "contact",
      column: { name: "new_two", type: "String" },
      expireTokens: true,
    });
    expect(await follow()).toMatchObject({ status: 400, json: { error: { code: "0x80044352" } } });
  });
});
