import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Table } from "../../../../src/sandbox/dataverse/schema.ts";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { type Caller, campaignCaller, dataverseCaller } from "../../../sandbox/callers.ts";
import { type Exchange, readExchanges, replay } from "./exchange.ts";

const account = "00000000-0000-0000-0000-000000000001";
let sandbox: RunningSandbox;

beforeEach(async () => {
  sandbox = await startSandbox({ contacts: 0 }, silentLogger);
});

afterEach(() => sandbox.close());

/** A standard or custom table of which the pages use a little. */
function table(
  name: string,
  entitySet: string,
  more: Pick<Table, "primaryId" | "primaryName" | "columns" | "keys">,
): Table {
  return { name, entitySet, changeTracking: true, ...more };
}

const tables: readonly Table[] = [
  table("task", "tasks", {
    primaryId: "activityid",
    primaryName: "subject",
    keys: [],
    columns: [
      { name: "subject", type: "String", maxLength: 200 },
      {
        name: "regardingobjectid",
        type: "Lookup",
        targets: ["account", "contact"],
        navigation: { account: { property: "regardingobjectid_account_task", collection: "Account_Tasks" } },
      },
    ],
  }),
  table("lead", "leads", {
    primaryId: "leadid",
    primaryName: "lastname",
    keys: [],
    columns: [
      { name: "firstname", type: "String" },
      { name: "lastname", type: "String" },
    ],
  }),
  table("sample_example", "sample_examples", {
    primaryId: "sample_exampleid",
    primaryName: "sample_name",
    keys: [["sample_keyattribute"]],
    columns: [
      { name: "sample_name", type: "String" },
      { name: "sample_keyattribute", type: "String" },
    ],
  }),
];

const addAccount = (cells: Readonly<Record<string, string>>, id = account) =>
  sandbox.control.insertRows({ table: "account", rows: [{ id, cells }] });

/** What has to be there before an exchange, by the file and a word of the exchange's name. */
async function prepare(file: string, exchange: Exchange, caller: Caller): Promise<void> {
  const { control } = sandbox;
  if (file === "change-tracking.http") {
    if (exchange.name.startsWith("a first read"))
      return void (await addAccount({ name: "Monte Orton", telephone1: "555000" }));
    await addAccount({ name: "New" }, account.replace(/1$/, "2"));
    return void (await control.deleteRows({ table: "account", ids: [account] }));
  }
  if ((await control.row({ table: "account", id: account })) === undefined)
    await addAccount({ name: "Sample", fax: "1" });
  if (file === "batch.http") {
    for await (const { id } of control.rows({ table: "task" })) await control.deleteRows({ table: "task", ids: [id] });
  }
  if (file === "paging-and-counting.http" && (await control.countRows({ table: "contact" })) === 0) {
    const rows = Array.from({ length: 5 }, (_, n) => ({ cells: { firstname: `F${n}`, lastname: "(sample)" } }));
    await control.insertRows({ table: "contact", rows });
  }
  expect(caller.token).not.toBe("");
}

/** `{a.0.b}` → what stands at this path in the answer before. */
function filler(places: Readonly<Record<string, string>>, before: unknown): (text: string) => string {
  return (text) => {
    let filled = text;
    for (const [name, value] of Object.entries(places)) filled = filled.replaceAll(name, value);
    return filled.replace(/\{([@\w][\w.@]*)\}/g, (whole, path: string) => {
      const names = path.startsWith("@") ? [path] : path.split(".");
      const found = names.reduce<unknown>((at, name) => Object(at)[name], before);
      return found === undefined ? whole : String(found);
    });
  };
}

describe.each([
  "batch.http",
  "conditional-operations.http",
  "update-delete.http",
  "bulk-operations.http",
  "change-tracking.http",
  "paging-and-counting.http",
  "schema.http",
])("Microsoft's examples in %s", (file) => {
  it("are answered in their documented shapes", async () => {
    const caller = await dataverseCaller(sandbox);
    for (const one of tables) await sandbox.control.addTable({ table: one });
    await sandbox.control.setColumn({
      table: "account",
      column: { name: "originatingleadid", type: "Lookup", targets: ["lead"] },
    });
    let before: unknown;
    for (const exchange of readExchanges(file)) {
      await prepare(file, exchange, caller);
      const etag = (await caller.call("GET", `accounts(${account})?$select=name`)).json?.["@odata.etag"] ?? "";
      const fill = filler({ "[Organization URI]": sandbox.dataverseUrl, "{etag}": etag }, before);
      before = await replay(caller, exchange, fill).catch((error) => {
        throw new Error(`${file}, ${exchange.name}: ${error.message}`, { cause: error });
      });
    }
  });
});

describe("Adobe's examples in campaign.http", () => {
  it("are answered in their documented shapes", async () => {
    const caller = await campaignCaller(sandbox);
    const { control } = sandbox;
    const names = ["tombinder", "timross", "john.smith"];
    await control.insertRecords({
      resource: "profile",
      records: names.map((name, n) => ({ externalId: `g${n}`, firstName: name, email: `${name}@example.com` })),
    });
    await control.insertRecords({
      resource: "service",
      records: [
        { name: "SVC6", label: "Texts", messageType: "sms" },
        { name: "SVC13", label: "sport", messageType: "email" },
      ],
    });
    let before: unknown;
    for (const exchange of readExchanges("campaign.http")) {
      const base = sandbox.campaignUrl.replace(/\/campaign$/, "");
      const fill = filler({ "https://mc.adobe.io/<ORGANIZATION>": base }, before);
      const answered = await replay(caller, exchange, fill).catch((error) => {
        throw new Error(`campaign.http, ${exchange.name}: ${error.message}`, { cause: error });
      });
      before = answered ?? before;
    }
  });
});

describe("Adobe's table of what differs on Campaign v8, in campaign-v8.http", () => {
  it("is what the sandbox answers in that dialect", async () => {
    const caller = await campaignCaller(sandbox);
    const { control } = sandbox;
    await control.setCampaignBehaviour({ dialect: "V8", errorShape: "json" });
    await control.insertRecords({ resource: "service", records: [{ name: "SVC3" }, { name: "SVC4" }] });
    const fields = [
      { name: "vehicleNumber", type: "string" },
      { name: "vehicleName", type: "string" },
      { name: "vehicleOwner", type: "link", target: "profile" },
    ] as const;
    const endpoints = ["profileAndServicesExt"] as const;
    const shape = { name: "cusVehicle", label: "Vehicles", schema: "cus:vehicle", endpoints, fields, keys: [] };
    await control.addResource({ resource: shape });
    let before: unknown;
    for (const exchange of readExchanges("campaign-v8.http")) {
      const fill = filler(
        { "https://mc.adobe.io/<ORGANIZATION>": sandbox.campaignUrl.replace(/\/campaign$/, "") },
        before,
      );
      before = await replay(caller, exchange, fill).catch((error) => {
        throw new Error(`campaign-v8.http, ${exchange.name}: ${error.message}`, { cause: error });
      });
    }
    // "Campaign v8 does not support PATCH with an empty request body: it returns a 204 No Content status."
    const href = `${sandbox.campaignUrl}/profileAndServices/service/SVC3`;
    expect((await caller.call("PATCH", href, { body: "{}" })).status).toBe(204);
  });
});
