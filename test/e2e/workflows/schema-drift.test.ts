import { afterAll, beforeAll, expect, test } from "vitest";
import type { RowUpdate } from "../../../src/sandbox/control/interface.ts";
import { differences, loadContacts } from "./contacts.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { contactFields, untilState, untilStatus, workflow } from "./workflow.ts";

const namespace = "schema-drift";
const name = "crm";
const recordsOfEach = 5000;
let ground: Ground;
const seconds = (count: number) => ({ timeout: count * 1000, interval: 200 });

/** Contacts into profiles and accounts into companies; the metadata is looked at every few seconds, not every minute. */
function twoMappings({ dynamicsUrl, campaignUrl }: Ground): object {
  return {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name },
    spec: {
      state: "Running",
      type: "Ingress",
      dynamics: { url: dynamicsUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: { url: campaignUrl, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond: 200 },
      ingress: {
        mappings: [
          {
            table: "contact",
            resource: "profile",
            key: { column: "contactid", field: "externalId" },
            fields: contactFields,
            picklistValues: "Value",
            applyDeletes: true,
          },
          {
            table: "account",
            resource: "cusCompany",
            key: { column: "accountid", field: "crmId" },
            fields: [{ column: "name", field: "name" }],
          },
        ],
      },
      worker: { template: { env: [{ name: "INTEGRATION_WORKFLOW_CHECK_SECONDS", value: "5" }] } },
    },
  };
}

beforeAll(async () => {
  ground = await prepareGround(namespace);
  const { sandbox } = ground;
  await loadContacts(sandbox, recordsOfEach);
  const accounts = Array.from({ length: recordsOfEach }, (_, n) => ({ cells: { name: `Company ${n}` } }));
  for (let from = 0; from < accounts.length; from += 1000) {
    await sandbox.insertRows({ table: "account", rows: accounts.slice(from, from + 1000) });
  }
  await sandbox.addResource({
    resource: {
      name: "cusCompany",
      label: "Company",
      schema: "cus:company",
      endpoints: ["customResources"],
      fields: [
        { name: "crmId", type: "string" },
        { name: "name", type: "string" },
      ],
      keys: ["crmId"],
    },
  });
});
afterAll(() => ground.close());

const drift = async () => {
  const { conditions = [] } = (await workflow(ground.kubectl, name)).status;
  return conditions.find(({ type }) => type === "SchemaDrift");
};

/** Accounts that Campaign does not have as Dataverse has them, once each. */
async function companyDifferences(): Promise<readonly string[]> {
  const names = new Map<string, unknown[]>();
  for await (const { values } of ground.sandbox.records({ resource: "cusCompany" })) {
    const key = String(values["crmId"]);
    names.set(key, [...(names.get(key) ?? []), values["name"]]);
  }
  const found: string[] = [];
  for await (const { id, cells } of ground.sandbox.rows({ table: "account" })) {
    const [company, ...more] = names.get(id) ?? [];
    if (company !== cells["name"] || more.length > 0) found.push(`${id}: ${company}, ${more.length} more`);
  }
  return found;
}

test("a column that is dropped pauses its mapping alone, and everything arrives when it is back", async () => {
  const { kubectl, sandbox } = ground;
  const lastNames: RowUpdate[] = [];
  for await (const { id, cells } of sandbox.rows({ table: "contact" })) {
    const { lastname } = cells;
    if (lastname !== undefined) lastNames.push({ id, cells: { lastname } });
  }
  await kubectl.apply(twoMappings(ground));
  await untilState(kubectl, name, "RUNNING");
  await expect.poll(() => sandbox.countRecords({ resource: "profile" }), seconds(60)).toBeGreaterThan(200);

  await sandbox.dropColumn({ table: "contact", column: "lastname" });
  await kubectl.run(["wait", "--for=condition=SchemaDrift", `iw/${name}`, "--timeout=60s"]);
  // Just after a check, Dataverse's own words come first.
  await expect
    .poll(async () => (await drift())?.message, seconds(30))
    .toMatch(/contact: the column lastname of the table contact is gone/);
  expect(await kubectl.run(["describe", "iw", name])).toMatch(/column lastname of the table contact is gone/);
  const profiles = await sandbox.countRecords({ resource: "profile" });
  expect(profiles).toBeLessThan(recordsOfEach);

  await expect.poll(() => sandbox.countRecords({ resource: "cusCompany" }), seconds(120)).toBe(recordsOfEach);
  expect(await sandbox.countRecords({ resource: "profile" })).toBe(profiles);
  const paused = await workflow(kubectl, name);
  expect(paused.status.state).toBe("RUNNING");
  expect(paused.status.backlog).toBeGreaterThan(0);

  await sandbox.setColumn({ table: "contact", column: { name: "lastname", type: "String", label: "Last Name" } });
  for (let from = 0; from < lastNames.length; from += 1000) {
    await sandbox.updateRows({ table: "contact", rows: lastNames.slice(from, from + 1000) });
  }
  await expect.poll(async () => (await drift())?.status, seconds(60)).toBe("False");
  await expect.poll(() => sandbox.countRecords({ resource: "profile" }), seconds(180)).toBe(recordsOfEach);
  await untilStatus(kubectl, name, "no backlog", ({ backlog }) => backlog === 0);
  await expect.poll(() => differences(sandbox), seconds(60)).toEqual([]);
  expect(await companyDifferences()).toEqual([]);
  const { mappings = [] } = (await workflow(kubectl, name)).status;
  expect(mappings.map(({ deadLettered }) => deadLettered)).toEqual([0, 0]);
});
