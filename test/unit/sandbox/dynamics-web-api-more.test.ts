/**
 * The sandbox's Dataverse, judged by dynamics-web-api: batches and change sets, alternate keys, single properties,
 * references, functions and actions, and a whole synchronisation by delta links.
 */
import { DynamicsWebApi } from "dynamics-web-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { signIn } from "../../sandbox/callers.ts";

const collection = "contacts";
let sandbox: RunningSandbox;
let api: DynamicsWebApi;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 5 }, silentLogger);
  const { clientId, clientSecret } = sandbox.credentials;
  const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
  const scope = `${sandbox.dataverseUrl}/.default`;
  api = new DynamicsWebApi({
    serverUrl: sandbox.dataverseUrl,
    dataApi: { version: "9.2" },
    propagateErrors: true,
    onTokenRefresh: () => signIn(sandbox.dataverseTokenUrl, { ...form, scope }),
  });
});

afterEach(() => sandbox.close());

const made = (lastname: string): Promise<string> => api.create<string>({ collection, data: { lastname } as never });
const named = async (lastname: string): Promise<number> =>
  (await api.retrieveMultiple({ collection, filter: `lastname eq '${lastname}'` })).value.length;

interface Failure {
  readonly status: number;
  readonly code?: string;
  /** Where the client leaves the service's words when the whole batch was answered with an error. */
  readonly error?: { readonly code: string };
}

/** Ends a batch of which something fails: the client throws what it has, ids of what was made among the failures. */
const statuses = async (options?: { continueOnError: boolean }) => {
  const parts: readonly (Failure | string)[] = await api.executeBatch(options).catch((thrown) => thrown);
  return parts.map((one) => (typeof one === "string" ? "made" : `${one.status} ${one.error?.code ?? one.code}`));
};

describe("dynamics-web-api in a batch", () => {
  it("has its operations done in order, change sets and reads", async () => {
    const key = await made("Before");
    api.startBatch();
    api.update({ collection, key, data: { lastname: "After" }, inChangeSet: false });
    api.retrieve({ collection, key, select: ["lastname"] });
    api.create({ collection, data: { lastname: "One" } });
    api.create({ collection, data: { lastname: "Two" } });
    api.count({ collection });
    const answers = await api.executeBatch();
    expect(answers).toHaveLength(5);
    expect(answers[1]).toMatchObject({ lastname: "After" });
    expect(answers[2]).toMatch(/^[0-9a-f-]{36}$/);
    expect(answers[4]).toBe(8);
  });

  it("refers within a change set to what an earlier operation made", async () => {
    api.startBatch();
    api.create({ collection: "accounts", data: { name: "Parent" }, contentId: "1" });
    api.create({ collection, data: { lastname: "Child", "parentcustomerid_account@odata.bind": "$1" } });
    const [account, contact] = await api.executeBatch();
    const read = await api.retrieve({ collection, key: contact, select: ["_parentcustomerid_value"] });
    expect(read._parentcustomerid_value).toBe(account);
  });

  it("loses a change set whole when one of its operations fails, and goes on after an error if told to", async () => {
    const bad = { firstname: "x".repeat(51) };
    api.startBatch();
    api.create({ collection, data: { lastname: "Rolled" } });
    api.create({ collection, data: bad });
    expect(await statuses()).toEqual(["400 0x80044331"]);
    expect(await named("Rolled")).toBe(0);

    api.startBatch();
    api.create({ collection, data: bad, inChangeSet: false });
    api.create({ collection, data: { lastname: "Went on" }, inChangeSet: false });
    expect(await statuses({ continueOnError: true })).toEqual(["400 0x80044331", "made"]);
    expect(await named("Went on")).toBe(1);

    api.startBatch();
    api.create({ collection, data: bad, inChangeSet: false });
    api.create({ collection, data: { lastname: "Never" }, inChangeSet: false });
    expect(await statuses()).toEqual(["400 0x80044331"]);
    expect(await named("Never")).toBe(0);
  });
});

describe("dynamics-web-api by an alternate key", () => {
  it("upserts, reads, updates and deletes, under the same conditions as by id", async () => {
    const key = "accountnumber='ALT 1'";
    await api.upsert({ collection, key, data: { lastname: "Made" }, ifnonematch: "*" });
    await expect(api.upsert({ collection, key, data: {}, ifnonematch: "*" })).rejects.toMatchObject({ status: 412 });
    const read = await api.retrieve({ collection, key, select: ["lastname", "accountnumber"] });
    expect(read).toMatchObject({ lastname: "Made", accountnumber: "ALT 1" });
    await api.update({ collection, key, data: { lastname: "Changed" } });
    await expect(api.update({ collection, key, data: {}, ifmatch: read["@odata.etag"] })).rejects.toMatchObject({
      status: 412,
      code: "0x80060882",
    });
    const again = await api.upsert<{ lastname: string }>({
      collection,
      key,
      data: { lastname: "Returned" },
      returnRepresentation: true,
      select: ["lastname"],
    });
    expect(again).toMatchObject({ lastname: "Returned" });
    await api.deleteRecord({ collection, key });
    await expect(api.update({ collection, key, data: { lastname: "x" } })).rejects.toMatchObject({ status: 404 });
    await expect(api.retrieve({ collection, key: "lastname='Made'" })).rejects.toMatchObject({ status: 400 });
  });
});

describe("dynamics-web-api on single values", () => {
  it("sets and empties one property, and one reference", async () => {
    const key = await made("Single");
    await api.updateSingleProperty({ collection, key, fieldValuePair: { fax: "123" } });
    expect(await api.retrieve({ collection, key, select: ["fax"] })).toMatchObject({ fax: "123" });
    await api.deleteRecord({ collection, key, fieldName: "fax" });
    expect(await api.retrieve({ collection, key, select: ["fax"] })).toMatchObject({ fax: null });

    const account = await api.create<string>({ collection: "accounts", data: { name: "Parent" } as never });
    const reference = { collection, primaryKey: key, navigationProperty: "parentcustomerid_account" };
    await api.associateSingleValued({ ...reference, relatedCollection: "accounts", relatedKey: account });
    const select = ["_parentcustomerid_value"];
    expect(await api.retrieve({ collection, key, select })).toMatchObject({ _parentcustomerid_value: account });
    await api.disassociateSingleValued(reference);
    expect(await api.retrieve({ collection, key, select })).toMatchObject({ _parentcustomerid_value: null });
  });
});

describe("dynamics-web-api's functions and actions", () => {
  it("call functions with and without parameters", async () => {
    const parameters = { EntityNames: ["contact", "account"] };
    const counted = await api.callFunction({ name: "RetrieveTotalRecordCount", parameters });
    expect(counted.EntityRecordCountCollection).toMatchObject({ Keys: ["contact", "account"], Values: [5, 1] });
    expect((await api.callFunction({ name: "RetrieveTimestamp" })).Timestamp).toMatch(/^\d+$/);
    await expect(api.callFunction({ name: "NoSuchFunction" })).rejects.toMatchObject({ status: 404 });
  });

  it("call CreateMultiple, UpdateMultiple and UpsertMultiple on a collection", async () => {
    const actionOf = (name: string) => `Microsoft.Dynamics.CRM.${name}`;
    const type = { "@odata.type": "Microsoft.Dynamics.CRM.contact" };
    const call = (name: string, Targets: readonly object[]) =>
      api.callAction({ collection, actionName: actionOf(name), action: { Targets } });
    const { Ids: ids } = await call("CreateMultiple", [
      { ...type, lastname: "Bulk", accountnumber: "B1" },
      { ...type, lastname: "Bulk", accountnumber: "B2" },
    ]);
    expect(ids).toHaveLength(2);
    await call("UpdateMultiple", [{ ...type, contactid: ids[0], lastname: "Bulk 1" }]);
    await call("UpsertMultiple", [
      { ...type, "@odata.id": "contacts(accountnumber='B2')", lastname: "Bulk 2" },
      { ...type, "@odata.id": "contacts(accountnumber='B3')", lastname: "Bulk 3" },
    ]);
    for (const n of [1, 2, 3]) expect(await named(`Bulk ${n}`)).toBe(1);
    await expect(call("DeleteMultiple", [{ ...type, contactid: ids[0] }])).rejects.toMatchObject({ status: 501 });
    await expect(call("CreateMultiple", [{ lastname: "untyped" }])).rejects.toMatchObject({ status: 400 });
  });
});

describe("dynamics-web-api, following delta links", () => {
  it("holds the table's rows after every round, whatever was changed, until its token is refused", async () => {
    const held = new Map<string, string>();
    const take = (rows: readonly { contactid?: string; lastname?: string; id?: string; reason?: string }[]) => {
      for (const { contactid = "", lastname = "", id, reason } of rows) {
        if (reason === "deleted" && id !== undefined) held.delete(id);
        else held.set(contactid, lastname);
      }
    };
    const request = { collection, select: ["lastname"], trackChanges: true, maxPageSize: 2 };
    let page = await api.retrieveMultiple(request);
    take(page.value);
    while (page.oDataNextLink !== undefined) {
      page = await api.retrieveMultiple(request, page.oDataNextLink);
      take(page.value);
    }
    for (let round = 0; round < 4; round += 1) {
      const [oldest = ""] = held.keys();
      await api.update({ collection, key: oldest, data: { lastname: `Round ${round}` } });
      await made(`New ${round}`);
      if (round % 2 === 1) await api.deleteRecord({ collection, key: oldest });
      let link = page.oDataDeltaLink;
      do {
        page = await api.retrieveMultiple({ collection, maxPageSize: 2 }, link);
        take(page.value);
        link = page.oDataNextLink;
      } while (link !== undefined);
      const { value } = await api.retrieveMultiple({ collection, select: ["lastname"] });
      expect(new Map(value.map((row) => [row.contactid, row.lastname ?? ""]))).toEqual(held);
    }
    await sandbox.control.expireDeltaTokens({});
    await expect(api.retrieveMultiple({ collection }, page.oDataDeltaLink)).rejects.toMatchObject({
      status: 400,
      code: "0x80044352",
    });
  });

  it("is refused what a tracked read does not take", async () => {
    const tracked = { collection, select: ["lastname"], trackChanges: true };
    for (const more of [{ filter: "statecode eq 0" }, { orderBy: ["lastname"] }, { top: 3 }]) {
      await expect(api.retrieveMultiple({ ...tracked, ...more })).rejects.toMatchObject({ status: 400 });
    }
    await expect(api.retrieveMultiple({ ...tracked, select: ["nosuch"] })).rejects.toMatchObject({
      status: 400,
      message: "Could not find a property named 'nosuch' on type 'Microsoft.Dynamics.CRM.contact'.",
    });
  });
});
