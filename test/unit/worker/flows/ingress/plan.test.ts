import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import type { DataverseRow } from "../../../../../src/worker/dataverse/interface.ts";
import { columnsOf, isSameIdentity, mappingHash, planMapping } from "../../../../../src/worker/flows/ingress/plan.ts";
import { mapRow } from "../../../../../src/worker/flows/ingress/record.ts";
import { baseMapping, planOf, resourceWith, table } from "./plans.ts";

const field = { column: "firstname", field: "firstName", applyUpdates: true };
const mapping = { ...baseMapping, fields: [field] };

describe("a mapping's hash", () => {
  it("does not change with what acts from the next record on, nor with the order of writing", () => {
    const hash = mappingHash(mapping);
    expect(mappingHash({ ...mapping, applyDeletes: true })).toBe(hash);
    expect(mappingHash({ ...mapping, replay: "2" })).toBe(hash);
    expect(mappingHash({ ...mapping, constants: [{ field: "a", value: "b" }] })).toBe(hash);
    expect(mappingHash({ ...mapping, fields: [{ applyUpdates: true, field: "firstName", column: "firstname" }] })).toBe(
      hash,
    );
  });

  it("changes with fields, filter, replacements and how choices are written", () => {
    const filter = {
      match: "All",
      conditions: [{ column: "statecode", operator: "Equals", value: "0" }],
      deleteUnmatched: false,
    } as const;
    const edits = [
      { ...mapping, fields: [{ ...field, applyUpdates: false }] },
      { ...mapping, fields: [{ ...field, replacements: [{ from: "a", to: "b" }] }] },
      { ...mapping, picklistValues: "Value" as const },
      { ...mapping, filter: { ...filter, conditions: [...filter.conditions] } },
    ];
    const hashes = new Set([mapping, ...edits].map(mappingHash));
    expect(hashes.size).toBe(5);
    for (const edit of edits) expect(isSameIdentity(mappingHash(edit), mappingHash(mapping))).toBe(true);
  });

  it("tells other records by resource and key", () => {
    expect(isSameIdentity(mappingHash({ ...mapping, resource: "cusContact" }), mappingHash(mapping))).toBe(false);
    const key = { column: "firstname", field: "externalId" };
    expect(isSameIdentity(mappingHash({ ...mapping, key }), mappingHash(mapping))).toBe(false);
  });
});

it("a filter's columns are read though they are not mapped", () => {
  const conditions = [{ column: "statecode", operator: "Equals" as const, value: "0" }];
  expect(columnsOf({ ...mapping, filter: { match: "All", conditions, deleteUnmatched: false } })).toEqual([
    "contactid",
    "firstname",
    "statecode",
  ]);
});

it("labels are asked for only when something needs them", () => {
  expect(planOf({ fields: [field] }, { firstName: "string" }).labels).toBe(false);
  const gender = { column: "gendercode", field: "gender", applyUpdates: true };
  expect(planOf({ fields: [gender] }, { gender: "string" }).labels).toBe(true);
  expect(planOf({ fields: [gender], picklistValues: "Value" }, { gender: "string" }).labels).toBe(false);
});

it("everything that does not fit is named at once", () => {
  const broken = {
    ...mapping,
    fields: [field, { column: "nickname", field: "nick", applyUpdates: true }],
    constants: [{ field: "level", value: "high" }],
    filter: {
      match: "All" as const,
      conditions: [{ column: "children", operator: "Equals" as const, value: "x" }],
      deleteUnmatched: false,
    },
  };
  const untracked = { ...table, changeTracking: false };
  const misfits = planMapping(
    broken,
    untracked,
    resourceWith({ externalId: "string", firstName: "string", level: "integer" }),
    [broken],
  );
  expect("mapping" in misfits ? [] : misfits.map(({ reason }) => reason).sort()).toEqual([
    "ChangeTrackingOff",
    "ColumnMissing",
    "ConstantInvalid",
    "FieldMissing",
    "FilterInvalid",
  ]);
});

describe("a link", () => {
  const account = { ...baseMapping, table: "account", resource: "cusCompany", key: { column: "id", field: "crmId" } };
  const link = { resource: "cusCompany", key: "crmId", mandatory: false };
  const linked: IngressMapping["fields"][number] = { column: "owner", field: "company", applyUpdates: true, link };
  const plan = (
    changes: Partial<IngressMapping["fields"][number]> = {},
    {
      targets = ["account", "contact"],
      target = "cusCompany",
      type = "link" as "link" | "string",
      mappings = [account],
    } = {},
  ) => {
    const asked = { ...baseMapping, fields: [{ ...linked, ...changes }] };
    const column = { name: "owner", type: "Lookup", property: "_owner_value", targets } as const;
    const from = { ...table, columns: new Map([...table.columns, ["owner", column]]) };
    const { fields } = resourceWith({ externalId: "string" });
    const company = { name: "company", type, rawType: type, ...(type === "link" ? { target } : {}) };
    const to = { resource: "profile", fields: new Map([...fields, ["company", company]]) };
    const planned = planMapping(asked, from, to, [asked, ...mappings]);
    return "mapping" in planned ? planned : planned.map(({ message }) => message).join();
  };

  it("is read as the row that it points at, with that row's table if it is another's", () => {
    const planned = plan();
    if (typeof planned === "string") throw new Error(planned);
    expect(planned.labels).toBe(false);
    const annotation = "_owner_value@Microsoft.Dynamics.CRM.lookuplogicalname";
    const read = (row: DataverseRow) => mapRow(planned, { contactid: "c", ...row });
    expect(read({ _owner_value: "A1" })).toMatchObject({ fields: { company: { id: "a1" } } });
    expect(read({ _owner_value: "a1", [annotation]: "account" })).toMatchObject({ fields: { company: { id: "a1" } } });
    expect(read({ _owner_value: "c1", [annotation]: "contact" })).toMatchObject({
      fields: { company: { id: "c1", table: "contact" } },
    });
    expect(read({ _owner_value: null })).toMatchObject({ fields: { company: null } });
    expect(read({ _owner_value: 7 })).toMatchObject({ kind: "Refused" });
  });

  it.each([
    [
      "of a field that is none",
      {},
      { type: "string" as const },
      /company: in Campaign the field is no link but of type string/,
    ],
    ["to another resource", {}, { target: "cusShop" }, /names the resource cusCompany, and .* points at cusShop/],
    ["of a column that is no lookup", { column: "firstname" }, {}, /column firstname is no lookup but of type String/],
    ["that nothing fills", {}, { mappings: [] }, /no mapping of this workflow fills cusCompany/],
    [
      "by another key",
      { link: { ...link, key: "name" } },
      {},
      /has the key name, and the mapping account writes cusCompany by the key crmId/,
    ],
    [
      "to a table that the column never points at",
      {},
      { targets: ["contact"] },
      /never points at account.*it points at contact/,
    ],
    ["with replacements", { replacements: [{ from: "a", to: "b" }] }, {}, /takes no replacements/],
  ])("%s is refused, with the way out", (_what, changes, systems, message) => {
    expect(plan(changes, systems)).toMatch(message);
  });
});
