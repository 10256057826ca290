/** Contacts linked to their companies, by the worker as a process against the sandbox. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { contactMapping, Ground, type WorkerProcess } from "./harness.ts";

const companies: IngressMapping = {
  table: "account",
  resource: "cusCompany",
  key: { column: "accountid", field: "crmId" },
  fields: [
    { column: "name", field: "label", applyUpdates: true },
    {
      column: "parentaccountid",
      field: "parent",
      applyUpdates: true,
      link: { resource: "cusCompany", key: "crmId", mandatory: false },
    },
  ],
  filter: {
    match: "All",
    conditions: [{ column: "statecode", operator: "Equals", value: "0" }],
    deleteUnmatched: true,
  },
  applyDeletes: true,
  picklistValues: "Label",
};

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

describe.each([false, true])("contacts that point at companies, mandatory: %s", (mandatory) => {
  let ground: Ground;
  let control: SandboxControl;
  const mappings: readonly IngressMapping[] = [
    {
      ...contactMapping,
      fields: [
        ...contactMapping.fields,
        {
          column: "parentcustomerid",
          field: "employer",
          applyUpdates: true,
          link: { resource: "cusCompany", key: "crmId", mandatory },
        },
      ],
    },
    companies,
  ];
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 0 });
    control = ground.sandbox.control;
    await control.addResource({
      resource: {
        name: "cusCompany",
        label: "Companies",
        schema: "cus:company",
        endpoints: ["profileAndServicesExt"],
        keys: ["crmId"],
        fields: [
          { name: "crmId", type: "string" },
          { name: "label", type: "string" },
          { name: "parent", type: "link", target: "cusCompany" },
        ],
      },
    });
    await control.setField({
      resource: "profile",
      field: { name: "employer", type: "link", target: "cusCompany", mandatory, extended: true },
    });
  });
  afterEach(() => ground.end());

  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 30_000, interval: 50 });
  const value = async (resource: string, n: number, field: string) =>
    (await control.findRecords({ resource, key: idOf(n) }))[0]?.values[field];
  const employer = (n: number) => value("profile", n, "employer");
  /** Contacts whose company is there and that are not linked to it. */
  const wrong = async () => {
    const found: number[] = [];
    for (let n = 0; n < 60; n++) if (n % 20 !== 19 && (await employer(n)) !== idOf(n % 20)) found.push(n);
    return found;
  };
  const figures = async (worker: WorkerProcess) =>
    Object.fromEntries((await worker.status()).mappings.map(({ name, ...rest }) => [name, rest]));

  it("links each when both are there, and again when a company left the filter and came back", async () => {
    await control.insertRows({
      table: "contact",
      rows: Array.from({ length: 60 }, (_, n) => ({
        id: idOf(n),
        cells: { lastname: `Contact ${n}`, parentcustomerid: { table: "account", id: idOf(n % 20) } },
      })),
    });
    // Nobody makes the last one; each points at the next, and the last of them at the first.
    const company = (n: number) => ({
      id: idOf(n),
      cells: { name: `Company ${n}`, parentaccountid: { table: "account", id: idOf((n + 1) % 19) } },
    });
    await control.insertRows({ table: "account", rows: Array.from({ length: 10 }, (_, n) => company(n)) });
    const worker = ground.start(mappings);
    await poll(() => control.countRecords({ resource: "cusCompany" })).toBe(10);
    await poll(() => employer(45)).toBe(idOf(5));
    await poll(async () => (await worker.status()).backlog).toBe(0);
    await poll(async () => (await figures(worker))["contact"]?.deadLettered).toBe(mandatory ? 30 : 0);

    await worker.kill();
    await control.insertRows({ table: "account", rows: Array.from({ length: 9 }, (_, n) => company(n + 10)) });
    const next = ground.start(mappings);
    await poll(() => employer(58)).toBe(idOf(18));
    await poll(() => value("cusCompany", 18, "parent")).toBe(idOf(0));
    await poll(async () => (await figures(next))["contact"]?.deadLettered).toBe(mandatory ? 3 : 0);
    await poll(wrong).toEqual([]);
    expect(await control.countRecords({ resource: "profile" })).toBe(mandatory ? 57 : 60);

    await control.updateRows({ table: "account", rows: [{ id: idOf(3), cells: { statecode: 1 } }] });
    // Campaign would hide its contacts for good.
    await poll(async () => (await figures(next))["account"]?.deadLettered).toBe(mandatory ? 1 : 0);
    await poll(() => control.countRecords({ resource: "cusCompany" })).toBe(mandatory ? 19 : 18);
    await poll(() => employer(43)).toBe(mandatory ? idOf(3) : undefined);
    await control.updateRows({ table: "account", rows: [{ id: idOf(3), cells: { statecode: 0 } }] });
    await poll(wrong).toEqual([]);
    await poll(() => value("cusCompany", 2, "parent")).toBe(idOf(3));
    await poll(async () => (await figures(next))["account"]?.deadLettered).toBe(0);

    await control.deleteRows({ table: "account", ids: [idOf(3)] });
    await control.deleteRows({ table: "contact", ids: [3, 23, 43].map(idOf) });
    await poll(() => control.countRecords({ resource: "cusCompany" })).toBe(18);
    await poll(() => control.countRecords({ resource: "profile" })).toBe(mandatory ? 54 : 57);
    await poll(async () => (await next.status()).backlog).toBe(0);
    expect(
      next.logged("record.refused").filter(({ reason }) => reason !== "ParentMissing" && reason !== "StillLinked"),
    ).toEqual([]);
  });
});
