import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type BatchRequestItem, type BatchResponsePart, batchBody, readBatch } from "../../sandbox/batch-message.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let caller: Caller;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 10 }, silentLogger);
  caller = await dataverseCaller(sandbox);
});

afterAll(() => sandbox.close());

async function batch(items: readonly BatchRequestItem[], headers: Readonly<Record<string, string>> = {}) {
  const answer = await caller.call("POST", "$batch", {
    headers: { "content-type": 'multipart/mixed; boundary="batch_1"', ...headers },
    body: batchBody("batch_1", items),
  });
  const type = answer.headers.get("content-type") ?? "";
  return { ...answer, parts: type.startsWith("multipart") ? readBatch(type, answer.text) : [] };
}

const create = (cells: Record<string, unknown>, contentId?: string) => ({
  method: "POST",
  url: "/api/data/v9.2/contacts",
  ...(contentId === undefined ? {} : { contentId }),
  body: cells,
});
const tooLong = { firstname: "x".repeat(51) };
const count = () => sandbox.control.countRows({ table: "contact" });
const statuses = (parts: (BatchResponsePart | BatchResponsePart[])[]) =>
  parts.map((part) => (Array.isArray(part) ? part.map((one) => one.status) : part.status));

describe("a batch", () => {
  it("answers every operation in order, with 200 for the whole", async () => {
    const { status, parts, headers } = await batch([
      create({ lastname: "One" }),
      {
        method: "GET",
        url: "/api/data/v9.2/contacts?$select=lastname&$filter=lastname eq 'One'".replaceAll(" ", "%20"),
      },
      { method: "GET", url: "contacts/$count" },
    ]);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^multipart\/mixed; boundary=batchresponse_/);
    const [made, found] = parts as BatchResponsePart[];
    expect(made).toMatchObject({ status: 204, json: undefined });
    expect(made?.headers["odata-entityid"]).toBe(made?.headers["location"]);
    expect(found?.json.value).toMatchObject([{ lastname: "One" }]);
  });

  it("stops at the first error and has its status; what went before it stays", async () => {
    const before = await count();
    const { status, parts } = await batch([
      create({ lastname: "Stays" }),
      create(tooLong),
      create({ lastname: "Not" }),
    ]);
    expect(status).toBe(400);
    expect(statuses(parts)).toEqual([204, 400]);
    expect((parts[1] as BatchResponsePart).json.error.code).toBe("0x80044331");
    expect(await count()).toBe(before + 1);
  });

  it("goes on after an error with odata.continue-on-error, and is 200", async () => {
    const { status, parts, headers } = await batch([create(tooLong), create({ lastname: "Done" })], {
      prefer: "odata.continue-on-error",
    });
    expect(status).toBe(200);
    expect(statuses(parts)).toEqual([400, 204]);
    expect(headers.get("preference-applied")).toBe("odata.continue-on-error");
  });

  it("hears the headers of every operation", async () => {
    const url = "contacts(accountnumber='AW00000001')";
    const { parts } = await batch(
      [
        { method: "PATCH", url, headers: { "If-None-Match": "*" }, body: { fax: "1" } },
        { method: "PATCH", url, headers: { Prefer: "return=representation" }, body: { fax: "2" } },
      ],
      { prefer: "odata.continue-on-error" },
    );
    expect(statuses(parts)).toEqual([412, 200]);
    expect((parts[1] as BatchResponsePart).json.fax).toBe("2");
  });

  it("takes 1000 operations, and refuses 1001 as a whole", async () => {
    const reads = Array.from({ length: 1000 }, () => ({ method: "GET", url: "WhoAmI" }));
    expect((await batch(reads)).parts).toHaveLength(1000);
    const { status, json } = await batch([...reads, create({ lastname: "x" })]);
    expect(status).toBe(400);
    expect(json.error.message).toContain("maximum number of '1000'");
  });

  it.each([
    ["another batch in it", [{ method: "POST", url: "/api/data/v9.2/$batch", body: {} }]],
    ["a GET in a change set", [[{ method: "GET", url: "WhoAmI" }]]],
  ])("is refused with %s", async (_, items) => {
    expect((await batch(items)).status).toBe(400);
  });

  it.each([
    ["no boundary", "multipart/mixed", batchBody("b", [])],
    ["another boundary", "multipart/mixed; boundary=other", batchBody("b", [create({})])],
    ["line feeds alone", "multipart/mixed; boundary=b", batchBody("b", [create({})]).replaceAll("\r", "")],
    ["JSON", "application/json", "{}"],
  ])("is refused as JSON, with nothing done, when it has %s", async (_, type, body) => {
    const before = await count();
    const { status, json } = await caller.call("POST", "$batch", { headers: { "content-type": type }, body });
    expect({ status, code: json.error.code }).toEqual({ status: 400, code: "0x80060888" });
    expect(await count()).toBe(before);
  });

  it("takes an address with spaces, as Microsoft's Python client writes it, and refuses a line without HTTP/1.1", async () => {
    const url = "/api/data/v9.2/contacts?$select=lastname&$filter=lastname eq 'No one'&$orderby=lastname asc";
    const part = (line: string) =>
      `--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n${line}\r\n\r\n\r\n--b--\r\n`;
    const send = (line: string) =>
      caller.call("POST", "$batch", { headers: { "content-type": "multipart/mixed; boundary=b" }, body: part(line) });
    const { headers, text } = await send(`GET ${url} HTTP/1.1`);
    const [found] = readBatch(headers.get("content-type") ?? "", text);
    expect(found).toMatchObject({ status: 200, json: { value: [] } });
    expect((await send(`GET ${url}`)).status).toBe(400);
  });

  it("counts as one request, and its operations as execution time", async () => {
    await sandbox.control.setServiceProtection({ requestCostMilliseconds: 1, rowCostMilliseconds: 2 });
    const { headers } = await batch(Array.from({ length: 50 }, () => create({ lastname: "Cost" })));
    expect(headers.get("x-ms-ratelimit-burst-remaining-xrm-requests")).toBe("5999");
    expect(Number(headers.get("x-ms-ratelimit-time-remaining-xrm-requests"))).toBeLessThanOrEqual(1199.9);
    await sandbox.control.setServiceProtection({ requestCostMilliseconds: 0, rowCostMilliseconds: 0 });
  });
});

describe("a change set", () => {
  it("is done wholly, and answers each operation under its Content-ID", async () => {
    const { status, parts } = await batch([[create({ lastname: "A" }, "1"), create({ lastname: "B" }, "2")]]);
    expect(status).toBe(200);
    expect(parts).toMatchObject([
      [
        { status: 204, contentId: "1" },
        { status: 204, contentId: "2" },
      ],
    ]);
  });

  it("leaves no trace when one operation fails: no row, no change, no deletion, nothing in the delta", async () => {
    const tracked = await caller.call("GET", "contacts?$select=lastname", {
      headers: { prefer: "odata.track-changes" },
    });
    const { json: kept } = await caller.call("GET", "contacts(accountnumber='AW00000002')");
    const { json: deleted } = await caller.call("GET", "contacts(accountnumber='AW00000003')");
    const before = await count();
    const { status, parts } = await batch([
      [
        create({ accountnumber: "ROLLED", lastname: "Back" }, "1"),
        { method: "PATCH", url: `contacts(${kept.contactid})`, body: { accountnumber: "MOVED" } },
        { method: "DELETE", url: `contacts(${deleted.contactid})` },
        create(tooLong, "4"),
      ],
    ]);
    expect(status).toBe(400);
    expect(parts).toMatchObject([[{ status: 400, contentId: "4" }]]);
    expect(await count()).toBe(before);
    expect((await caller.call("GET", "contacts(accountnumber='AW00000002')")).json).toEqual(kept);
    expect((await caller.call("GET", "contacts(accountnumber='AW00000003')")).json).toEqual(deleted);
    expect((await caller.call("GET", "contacts(accountnumber='ROLLED')")).status).toBe(404);
    expect((await caller.call("GET", "contacts(accountnumber='MOVED')")).status).toBe(404);
    expect((await caller.call("GET", tracked.json["@odata.deltaLink"])).json.value).toEqual([]);
  });

  it("fails alone: the one before it stays, and with continue-on-error the one after it is done", async () => {
    const { parts } = await batch(
      [
        [create({ lastname: "First" })],
        [create({ lastname: "Gone" }), create(tooLong)],
        [create({ lastname: "Third" })],
      ],
      { prefer: "odata.continue-on-error" },
    );
    expect(statuses(parts)).toEqual([[204], [400], [204]]);
    const { json } = await caller.call("GET", "contacts?$filter=lastname eq 'Gone'");
    expect(json.value).toEqual([]);
  });

  it("binds to a row that it has just made, by $1, in a body and in a URL", async () => {
    const { parts } = await batch([
      [
        { method: "POST", url: "accounts", contentId: "1", body: { name: "Reference" } },
        create({ lastname: "Child", "parentcustomerid_account@odata.bind": "$1" }, "2"),
        { method: "PATCH", url: "$1", contentId: "3", body: { fax: "7" } },
        { method: "PUT", url: "$2/firstname", contentId: "4", body: { value: "Given" } },
        { method: "PUT", url: "$1/primarycontactid/$ref", contentId: "5", body: { "@odata.id": "$2" } },
      ],
    ]);
    expect(statuses(parts)).toEqual([[204, 204, 204, 204, 204]]);
    const [account, contact] = parts[0] as BatchResponsePart[];
    const accountJson = (await caller.call("GET", account?.headers["location"] ?? "")).json;
    const contactJson = (await caller.call("GET", contact?.headers["location"] ?? "")).json;
    expect(contactJson).toMatchObject({ _parentcustomerid_value: accountJson.accountid, firstname: "Given" });
    expect(accountJson).toMatchObject({ fax: "7", _primarycontactid_value: contactJson.contactid });
  });

  it("is refused with a Content-ID that comes later, or stands in another change set", async () => {
    const child = create({ "parentcustomerid_account@odata.bind": "$1" });
    const account = { method: "POST", url: "accounts", contentId: "1", body: { name: "Late" } };
    for (const items of [[[child, account]], [[account], [child]]]) {
      const { status, text } = await batch(items);
      expect(status).toBe(400);
      expect(text).toContain("Content-ID Reference: '$1' does not exist in the batch context.");
    }
  });
});
