import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, campaignCaller } from "../../sandbox/callers.ts";

let sandbox: RunningSandbox;
let caller: Caller;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  caller = await campaignCaller(sandbox);
});

afterEach(() => sandbox.close());

/** developing/using/uc-calling-resource-id-key.md, with a custom resource in the profile's place. */
describe("a resource with a composite identification key", () => {
  const members = "profileAndServicesExt/cusMember";
  const filter = "byidentification_key?category_parameter=spring&crm_id_parameter=123456";

  beforeEach(async () => {
    const parameters = [
      { name: "category_parameter", field: "category" },
      { name: "crm_id_parameter", field: "crmId" },
    ];
    await sandbox.control.addResource({
      resource: {
        name: "cusMember",
        label: "Members",
        schema: "cus:member",
        endpoints: ["profileAndServicesExt"],
        fields: [
          { name: "crmId", type: "string" },
          { name: "category", type: "string" },
          { name: "name", type: "string" },
        ],
        keys: [],
        filters: [{ name: "identification_key", parameters }],
      },
    });
    const records = [
      { crmId: "123456", category: "spring", name: "wanted" },
      { crmId: "123456", category: "autumn", name: "other category" },
      { crmId: "654321", category: "spring", name: "other id" },
    ];
    await sandbox.control.insertRecords({ resource: "cusMember", records });
  });

  it("is called by its filter with both parameters, and by no key in the URL", async () => {
    const { json } = await caller.call("GET", `${members}/${filter}`);
    expect(json.content.map(({ name }: { name: string }) => name)).toEqual(["wanted"]);
    const none = await caller.call("GET", `${members}/${filter.replace("123456", "0")}`);
    expect(none.json.content).toEqual([]);
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const refused = await caller.call(method, `${members}/123456`, method === "PATCH" ? { body: { name: "x" } } : {});
      expect(refused.status).toBe(500);
    }
    const href = json.content[0].href;
    expect((await caller.call("PATCH", href, { body: { name: "changed" } })).status).toBe(200);
    expect((await caller.call("GET", `${members}/${filter}`)).json.content[0].name).toBe("changed");
  });

  it("tells the filter with its parameters in its filters' metadata", async () => {
    const { json } = await caller.call("GET", "profileAndServicesExt/resourceType/cusMember");
    const filters = (await caller.call("GET", json.filters.href)).json;
    expect(filters.byidentification_key.data).toBe(
      "/profileAndServicesExt/cusMember/byidentification_key?category_parameter=$value&crm_id_parameter=$value",
    );
  });
});

/** api/using/retrieving-profiles.md, "Searching for profiles based on a field" */
it("finds profiles by the beginning of one field, a custom one by its name without prefix, with regard to case", async () => {
  await sandbox.control.setField({ resource: "profile", field: { name: "cusHobby", type: "string", extended: true } });
  const records = [
    { externalId: "1", firstName: "John", lastName: "Miller", cusHobby: "Dancing" },
    { externalId: "2", firstName: "Miller", lastName: "Johnson", cusHobby: "Ballroom Dancing" },
  ];
  await sandbox.control.insertRecords({ resource: "profile", records });
  const found = async (query: string) => {
    const { json } = await caller.call("GET", `profileAndServicesExt/profile/byText?${query}`);
    return json.content.map(({ externalId }: { externalId: string }) => externalId);
  };
  expect(await found("text=John&filterType=firstName")).toEqual(["1"]);
  expect(await found("text=Miller&filterType=lastName")).toEqual(["1"]);
  expect(await found("text=john&filterType=firstName")).toEqual([]);
  expect(await found("text=ohn&filterType=firstName")).toEqual([]);
  expect(await found("cusHobby=Dancing&filterType=Hobby")).toEqual(["1"]);
});
