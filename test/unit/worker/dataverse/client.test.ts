import { afterEach, describe, expect, test } from "vitest";
import type { ReadCursor, TableMetadata } from "../../../../src/worker/dataverse/interface.ts";
import { json } from "../http/http-server.ts";
import { type Answer, type Organization, organization, refusal } from "./documented-exchanges.ts";

const never = new AbortController().signal;
let org: Organization;
afterEach(() => org.close());

const accounts: TableMetadata = {
  table: "account",
  entitySet: "accounts",
  primaryId: "accountid",
  changeTracking: true,
  columns: new Map([
    ["name", { name: "name", type: "String", property: "name" }],
    ["parentaccountid", { name: "parentaccountid", type: "Lookup", property: "_parentaccountid_value" }],
  ]),
};
const id = "60C4E274-0D87-E711-80E5-00155DB19E6D";
const row = { "@odata.etag": 'W/"915244"', name: "Monte Orton", accountid: id };
const page = (value: unknown[], links: Record<string, string> = {}) => ({ "@odata.context": "c", value, ...links });

async function read(
  answer: Answer,
  cursor: (url: string) => ReadCursor = () => ({ kind: "snapshot" }),
  labels = false,
) {
  org = await organization(answer);
  const columns = ["name", "parentaccountid", "gone"];
  return org.dataverse.readTracked(
    { metadata: accounts, columns, cursor: cursor(org.url), pageSize: 9000, labels },
    never,
  );
}

const reading = (value: unknown, cursor?: (url: string) => ReadCursor) =>
  read((_, response) => json(response, 200, value), cursor);
const deltaLink = (url: string) => `${url}/api/data/v9.2/accounts?$select=name&$deltatoken=919042%2108%2f22%2f2017`;
const delta = (url: string): ReadCursor => ({ kind: "delta", link: deltaLink(url) });
const next = (url: string): ReadCursor => ({
  kind: "next",
  link: `${url}/api/data/v9.2/accounts?$skiptoken=%3Ca%20b=%22`,
});

describe("a tracked read", () => {
  test("asks as the documentation says, for columns that exist and no page above 5000", async () => {
    await reading(page([row], { "@odata.deltaLink": "d" }));
    expect(org.requests[0]).toMatchObject({
      path: "/api/data/v9.2/accounts?$select=accountid,name,_parentaccountid_value",
      headers: {
        accept: "application/json",
        authorization: "Bearer t",
        "odata-version": "4.0",
        "odata-maxversion": "4.0",
        "if-none-match": "null",
        prefer:
          'odata.track-changes,odata.maxpagesize=5000,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname,Microsoft.Dynamics.CRM.globalmetadataversion"',
      },
    });
  });

  test("gives rows with lower-case ids and their version, deletions, and the link that follows", async () => {
    const deleted = {
      "@odata.context": "https://contoso.crm.dynamics.com/api/data/v9.0/$metadata#accounts/$deletedEntity",
      id: "2E451703-C686-E711-80E5-00155DB19E6D",
      reason: "deleted",
    };
    const read = await reading(page([row, deleted], { "@odata.deltaLink": "https://later" }), delta);
    expect(read).toEqual({
      records: [{ id: id.toLowerCase(), version: 915244n, row }],
      deletedIds: ["2e451703-c686-e711-80e5-00155db19e6d"],
      deltaLink: "https://later",
    });
  });

  test("gives a number that a double does not hold as its own text, and any other as a number", async () => {
    const numbers =
      '"a":9007199254740993,"b":123456789012.12345678,"c":-9223372036854775808,"d":100.0000000000000000,"e":7';
    const body = `{"value":[{"@odata.etag":"W/\\"1\\"","accountid":"${id}",${numbers}}],"@odata.deltaLink":"d"}`;
    const { records } = await read((_, response) => response.end(body));
    const exact = { a: "9007199254740993", b: "123456789012.12345678", c: "-9223372036854775808", d: 100, e: 7 };
    expect(records[0]?.row).toMatchObject(exact);
  });

  test("follows a link exactly as it is, with the same preferences", async () => {
    await reading(page([], { "@odata.nextLink": "n" }), next);
    expect(org.requests[0]?.path).toBe('/api/data/v9.2/accounts?$skiptoken=<a b="');
    expect(org.requests[0]?.headers["prefer"]).toContain("odata.track-changes,odata.maxpagesize=5000");
  });

  test.each([
    { name: "an empty object", value: {} },
    { name: "no changes and no link", value: page([]) },
  ])("keeps the delta link in hand when nothing changed and the answer is $name", async ({ value }) => {
    expect(await reading(value, delta)).toEqual({ records: [], deletedIds: [], deltaLink: deltaLink(org.url) });
  });

  test("takes the version from versionnumber where a row has no ETag, and refuses a row with neither", async () => {
    const { "@odata.etag": _, ...bare } = row;
    const links = { "@odata.deltaLink": "d" };
    const read = await reading(page([{ ...bare, versionnumber: 915245 }], links));
    expect(read.records[0]?.version).toBe(915245n);
    await org.close();
    await expect(reading(page([bare], links))).rejects.toMatchObject({ code: "BadResponse" });
  });

  test("does not follow a link to another host, nor send anything there", async () => {
    const away = () => ({ kind: "next", link: "https://evil.example.com/api/data/v9.2/accounts" }) as const;
    await expect(reading(page([]), away)).rejects.toMatchObject({ code: "ForeignLink", outcome: "NotSent" });
    expect(org.requests).toHaveLength(0);
  });

  test("says that change tracking is off when the last page has no delta link, or Dataverse says so", async () => {
    const off = { name: "DataverseError", code: "ChangeTrackingOff", scope: "Mapping" };
    await expect(reading(page([row]))).rejects.toMatchObject(off);
    await org.close();
    await expect(
      read(refusal(400, "0x80044353", "Entity: account is not enabled for change tracking.")),
    ).rejects.toMatchObject(off);
  });

  test.each([
    { name: "cut in the middle", body: '{"value":[{"name":"jane.doe@example.com' },
    { name: "a page of a proxy", body: "<html>jane.doe@example.com</html>" },
    { name: "without rows", body: '{"name":"jane.doe@example.com"}' },
  ])("an answer that is $name is an error that quotes nothing of it", async ({ body }) => {
    const error = await read((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(body);
    }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "BadResponse", scope: "Service" });
    expect(JSON.stringify([error, String(error), (error as Error).cause])).not.toContain("jane");
  });
});

describe("a delta token that is not honoured any longer", () => {
  const message = "Version stamp associated with the client has expired. Please perform a full sync.";
  test.each([
    { name: "as documented", answer: refusal(400, "0x80044352", message), cursor: delta },
    { name: "within a round", answer: refusal(400, "0x80044352", message), cursor: next },
    { name: "with a decimal code in the message", answer: refusal(400, "", `-2147204270: ${message}`), cursor: delta },
    { name: "by its message alone", answer: refusal(400, "0x0", message), cursor: delta },
    { name: "as OData prescribes", answer: refusal(410, "", "Gone"), cursor: delta },
    { name: "that cannot be read", answer: refusal(400, "0x80040203", "Invalid deltatoken"), cursor: delta },
  ])("is DeltaTokenExpired: $name", async ({ answer, cursor }) => {
    await expect(read(answer, cursor)).rejects.toMatchObject({ code: "DeltaTokenExpired", outcome: "Refused" });
  });

  test.each([
    {
      name: "a refusal for another reason",
      answer: refusal(400, "0x80040203", "Invalid argument."),
      cursor: delta,
      code: "Refused",
    },
    { name: "an outage that speaks of it", answer: refusal(503, "", message), cursor: delta, code: "Outage" },
    { name: "a snapshot that speaks of it", answer: refusal(400, "0x0", message), cursor: undefined, code: "Refused" },
  ])("is told from $name", async ({ answer, cursor, code }) => {
    await expect(read(answer, cursor)).rejects.toMatchObject({ code });
  });
});

describe("a row", () => {
  const one = async (answer: Answer) => {
    org = await organization(answer);
    return org.dataverse.readRecord(accounts, id.toLowerCase(), ["name"], true, never);
  };

  test("is read with its labels", async () => {
    expect(await one((_, response) => json(response, 200, row))).toMatchObject({ version: 915244n });
    expect(org.requests[0]?.path).toBe(`/api/data/v9.2/accounts(${id.toLowerCase()})?$select=accountid,name`);
    expect(org.requests[0]?.headers["prefer"]).toBe(
      'odata.include-annotations="OData.Community.Display.V1.FormattedValue"',
    );
  });

  test("is gone only when Dataverse says so of the row", async () => {
    expect(await one(refusal(404, "0x80040217", "account With Id = ... Does Not Exist"))).toBeUndefined();
    await org.close();
    const noTable = one(refusal(404, "0x8006088a", "Resource not found for the segment 'accounts'."));
    await expect(noTable).rejects.toMatchObject({ code: "TableMissing" });
    await org.close();
    await expect(one((_, response) => json(response, 404, {}))).rejects.toMatchObject({ code: "BadResponse" });
  });
});

describe("an error", () => {
  const failing = async (answer: Answer) => {
    org = await organization(answer);
    return org.dataverse.whoAmI(never);
  };

  test("carries status, code and request id, and no value that the server quotes", async () => {
    const message = "A record with the same value for Email 'jane.doe@example.com' already exists.";
    const error = await failing(refusal(412, "0x80060892", message)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      name: "DataverseError",
      code: "Refused",
      outcome: "Refused",
      scope: "Record",
      status: 412,
      serviceCode: "0x80060892",
      requestId: "req-1",
    });
    expect(String(error)).toContain("already exists");
    expect(String(error)).not.toContain("jane");
  });

  test.each([
    {
      status: 400,
      message: "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.contact'.",
      code: "ColumnMissing",
    },
    { status: 403, message: "Principal user is missing prvReadContact", code: "Forbidden" },
    { status: 500, message: "x", code: "Outage" },
    { status: 302, message: "x", code: "BadResponse" },
  ])("$status is $code", async ({ status, message, code }) => {
    await expect(failing(refusal(status, "0x80040220", message))).rejects.toMatchObject({ code });
  });

  test.each([
    { name: "a proxy's page", status: 400, body: "<html></html>", code: "BadResponse" },
    { name: "a proxy's 404", status: 404, body: "<html></html>", code: "BadResponse" },
    { name: "a request timeout", status: 408, body: "", code: "Outage" },
    { name: "a misdirected request", status: 421, body: "", code: "Outage" },
    { name: "too early", status: 425, body: "", code: "Outage" },
  ])("$name ($status) says nothing of any row", async ({ status, body, code }) => {
    const answer = failing((_, response) => response.writeHead(status).end(body));
    await expect(answer).rejects.toMatchObject({ code, scope: "Service" });
  });

  test("429 pauses every call, says for how long, and is not repeated by the client", async () => {
    const throttled = failing((_, response) =>
      json(
        response,
        429,
        { error: { code: "0x80072322", message: "Number of requests exceeded" } },
        { "retry-after": "37" },
      ),
    );
    await expect(throttled).rejects.toMatchObject({ code: "Throttled", outcome: "Refused", retryAfterSeconds: 37 });
    expect(org.governorState("Dataverse").pausedSeconds).toBeGreaterThan(36);
    expect(org.requests).toHaveLength(1);
  });

  test("a call that waits out its time for room is NotSent, and says how long the pause still is", async () => {
    org = await organization((_, response) => json(response, 429, {}, { "retry-after": "37" }), {
      callTimeoutSeconds: 0.2,
    });
    await expect(org.dataverse.whoAmI(never)).rejects.toMatchObject({ code: "Throttled" });
    const waiting = org.dataverse.whoAmI(never);
    await expect(waiting).rejects.toMatchObject({ code: "NoGrant", outcome: "NotSent" });
    await expect(waiting).rejects.toSatisfy((error: { retryAfterSeconds: number }) => error.retryAfterSeconds > 36);
    expect(org.requests).toHaveLength(1);
  });

  test("401 is tried once more with a token just issued, then it is the user's trouble", async () => {
    await expect(
      failing(refusal(401, "0x80072560", "The user is not a member of the organization.")),
    ).rejects.toMatchObject({
      code: "Unauthorized",
      outcome: "Refused",
    });
    expect(org.requests).toHaveLength(2);
  });
});

test("hints of the service reach the governor", async () => {
  org = await organization((_, response) =>
    json(
      response,
      200,
      { UserId: id, OrganizationId: id },
      { "x-ms-dop-hint": "11", "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.95" },
    ),
  );
  expect(await org.dataverse.whoAmI(never)).toEqual({ userId: id.toLowerCase(), organizationId: id.toLowerCase() });
  expect(org.governorState("Dataverse")).toMatchObject({ parallelism: 11, inFlight: 0, pausedSeconds: 0 });
});
