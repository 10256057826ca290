import { describe, expect, it, test } from "vitest";
import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import type { CampaignFieldMetadata } from "../../../../../src/worker/campaign/interface.ts";
import type { ColumnMetadata } from "../../../../../src/worker/dataverse/interface.ts";
import { compareUse } from "../../../../../src/worker/flows/ingress/schema-comparison.ts";
import { type SchemaUse, schemaUse } from "../../../../../src/worker/flows/ingress/schema-use.ts";

const genders = { 1: "Male", 2: "Female" };
const columns: Readonly<Record<string, Partial<ColumnMetadata>>> = {
  contactid: { type: "Uniqueidentifier" },
  firstname: { type: "String", metadataId: "a" },
  children: { type: "Integer" },
  income: { type: "Integer" },
  gendercode: { type: "Picklist", options: genders },
  statecode: { type: "State", options: { 0: "Active", 1: "Inactive" } },
  birthdate: { type: "DateTime", dateTimeBehavior: "DateOnly", dateTimeFormat: "DateOnly" },
  parent: { type: "Lookup", targets: ["account", "contact"] },
  unused: { type: "String" },
};
const fields: Readonly<Record<string, Partial<CampaignFieldMetadata>>> = {
  externalId: { type: "string", rawType: "string" },
  firstName: { type: "string", rawType: "string" },
  children: { type: "integer", rawType: "long" },
  income: { type: "number", rawType: "double" },
  gender: { type: "string", rawType: "byte", values: ["male", "female"] },
  birthDate: { type: "date", rawType: "date" },
  company: { type: "link", rawType: "link", target: "cusCompany" },
  unused: { type: "string", rawType: "string" },
};
const field = (column: string, name: string) => ({ column, field: name, applyUpdates: true });
const mapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    field("firstname", "firstName"),
    field("children", "children"),
    field("income", "income"),
    { ...field("gendercode", "gender"), replacements: [{ from: "Male", to: "male" }] },
    field("birthdate", "birthDate"),
    field("parent", "company"),
  ],
  filter: {
    match: "All",
    conditions: [{ column: "statecode", operator: "Equals", value: "active" }],
    deleteUnmatched: true,
  },
  applyDeletes: true,
  picklistValues: "Label",
};

interface Changes {
  readonly table?: Partial<SchemaUse["table"]>;
  readonly column?: readonly [name: string, changes: Partial<ColumnMetadata> | "gone"];
  readonly field?: readonly [name: string, changes: Partial<CampaignFieldMetadata> | "gone"];
}

function changed<T>(
  all: Readonly<Record<string, T>>,
  change: readonly [string, T | "gone"] | undefined,
): Map<string, T> {
  const map = new Map(Object.entries(all));
  if (change === undefined) return map;
  const [name, changes] = change;
  if (changes === "gone") map.delete(name);
  else map.set(name, { ...map.get(name), ...changes } as T);
  return map;
}

function useOf({ table, column, field: one }: Changes, asked = mapping): SchemaUse {
  const found = [...changed(columns, column)].map(([name, rest]) => [name, { name, property: name, ...rest }] as const);
  const named = [...changed(fields, one)].map(([name, rest]) => [name, { name, ...rest }] as const);
  return schemaUse(
    asked,
    {
      table: "contact",
      entitySet: "contacts",
      primaryId: "contactid",
      metadataId: "t",
      changeTracking: true,
      ...table,
      columns: new Map(found as [string, ColumnMetadata][]),
    },
    { resource: "profile", fields: new Map(named as [string, CampaignFieldMetadata][]) },
  );
}

const compare = (changes: Changes, asked = mapping) =>
  compareUse(asked, JSON.parse(JSON.stringify(useOf({}, asked))) as SchemaUse, useOf(changes, asked));

describe("a change of metadata", () => {
  test.each<[string, Changes]>([
    ["nothing changed", {}],
    ["a column that nobody uses is gone", { column: ["unused", "gone"] }],
    ["a field that nobody uses is gone", { field: ["unused", "gone"] }],
    ["a date is shown otherwise", { column: ["birthdate", { dateTimeFormat: "DateAndTime" }] }],
    ["a lookup may point at one more table", { column: ["parent", { targets: ["account", "contact", "lead"] }] }],
    ["a field's values come in another order", { field: ["gender", { values: ["female", "male"] }] }],
    ["an option was added", { column: ["gendercode", { options: { ...genders, 3: "Other" } }] }],
  ])("is none to a mapping when %s", (_what, changes) => {
    expect(compare(changes)).toEqual([]);
  });

  test.each<[string, Changes, "None" | "SinceGood" | "All", RegExp]>([
    ["a text grew", { column: ["firstname", { type: "Memo" }] }, "None", /firstname .* was String, and is Memo/],
    ["a number got decimals that its field takes", { column: ["income", { type: "Decimal" }] }, "None", /Decimal/],
    ["a date's behaviour changed", { column: ["birthdate", { dateTimeBehavior: "UserLocal" }] }, "None", /UserLocal/],
    [
      "an option has another label",
      { column: ["gendercode", { options: { 1: "Male", 2: "Woman" } }] },
      "None",
      /for 2/,
    ],
    ["an option is gone", { column: ["gendercode", { options: { 1: "Male" } }] }, "None", /labels for 2/],
    ["a column was made again", { column: ["firstname", { metadataId: "b" }] }, "None", /dropped and made again/],
    ["the table was made again", { table: { metadataId: "u" } }, "None", /made again/],
    ["the table has another set name", { table: { entitySet: "people" } }, "None", /was contacts, and is people/],
    [
      "a field takes decimals",
      { field: ["children", { type: "number", rawType: "double" }] },
      "All",
      /long, and is double/,
    ],
    ["a field has another width", { field: ["children", { rawType: "int64" }] }, "SinceGood", /long, and is int64/],
    ["a field has another policy", { field: ["firstName", { dataPolicy: "smartCase" }] }, "SinceGood", /data policy/],
    ["a field takes other values", { field: ["gender", { values: ["male"] }] }, "SinceGood", /other values/],
  ])("is followed when %s", (_what, changes, doubt, message) => {
    expect(compare(changes)).toEqual([expect.objectContaining({ means: "Follow", doubt })]);
    expect(compare(changes)[0]?.message).toMatch(message);
  });

  test.each<[string, Changes, "None" | "All", string, RegExp]>([
    [
      "a column is gone",
      { column: ["firstname", "gone"] },
      "None",
      "ColumnMissing",
      /firstname of the table contact is gone.*String/,
    ],
    ["a column of the filter is gone", { column: ["statecode", "gone"] }, "None", "ColumnMissing", /statecode/],
    [
      "a column is of another kind",
      { column: ["firstname", { type: "Integer" }] },
      "None",
      "ColumnChanged",
      /was String, and is Integer/,
    ],
    [
      "a number got decimals that its field does not take",
      { column: ["children", { type: "Decimal" }] },
      "None",
      "ColumnChanged",
      /Decimal/,
    ],
    [
      "a lookup points elsewhere",
      { column: ["parent", { targets: ["lead"] }] },
      "None",
      "ColumnChanged",
      /was account, contact, and is lead/,
    ],
    [
      "the filter names a label that is no more",
      { column: ["statecode", { options: { 0: "Open", 1: "Inactive" } }] },
      "None",
      "ColumnChanged",
      /label active/,
    ],
    [
      "a replacement names a label that is no more",
      { column: ["gendercode", { options: { 1: "Man", 2: "Female" } }] },
      "None",
      "ColumnChanged",
      /label Male/,
    ],
    [
      "the primary column is another",
      { table: { primaryId: "id" } },
      "None",
      "ColumnChanged",
      /was contactid, and is id/,
    ],
    [
      "a field is gone",
      { field: ["firstName", "gone"] },
      "All",
      "FieldMissing",
      /firstName of the Campaign resource profile is gone/,
    ],
    [
      "a field is of another kind",
      { field: ["firstName", { type: "date", rawType: "date" }] },
      "All",
      "FieldChanged",
      /string, and is date/,
    ],
    [
      "a field no longer takes decimals",
      { field: ["income", { type: "integer", rawType: "long" }], column: ["income", { type: "Money" }] },
      "All",
      "FieldChanged",
      /income/,
    ],
    [
      "a link leads elsewhere",
      { field: ["company", { target: "cusStore" }] },
      "All",
      "FieldChanged",
      /cusCompany, and is cusStore/,
    ],
    ["the key field is gone", { field: ["externalId", "gone"] }, "All", "FieldMissing", /externalId/],
  ])("stops the mapping when %s", (_what, changes, doubt, reason, message) => {
    const found = compare(changes).find(({ means, reason: told }) => means === "Stop" && told === reason);
    expect(found).toMatchObject({ doubt });
    expect(found?.message).toMatch(message);
  });

  it("of labels is none to a mapping that writes values and names no label", () => {
    const { filter: _, fields: all, ...rest } = mapping;
    const byValue: IngressMapping = { ...rest, picklistValues: "Value", fields: all };
    expect(compare({ column: ["gendercode", { options: { 1: "Man" } }] }, byValue)).toEqual([]);
  });

  it("keeps nothing but names, types and labels", () => {
    const { columns: used, fields: taken } = useOf({});
    expect(Object.keys(used).sort()).toEqual(
      Object.keys(columns)
        .filter((name) => name !== "unused")
        .sort(),
    );
    expect(used["birthdate"]).toEqual({ type: "DateTime", dateTimeBehavior: "DateOnly" });
    expect(taken).not.toHaveProperty("unused");
  });
});
