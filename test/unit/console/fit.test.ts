/** What the form says of a column and a field is what the worker does with their values. */
import { describe, expect, test } from "vitest";
import type { FieldTold } from "../../../src/api/worker-metadata.ts";
import { misfit } from "../../../src/console/metadata/fit.ts";
import type { CampaignFieldType } from "../../../src/worker/campaign/interface.ts";
import type { ColumnType } from "../../../src/worker/dataverse/interface.ts";
import { convert, readValue } from "../../../src/worker/flows/ingress/convert.ts";

/** Values as Dataverse gives them, with the label that people see. */
const samples: Readonly<Record<ColumnType, readonly (readonly [raw: unknown, label?: string])[]>> = {
  Boolean: [[true], [false]],
  Integer: [[0], [7], [-3]],
  BigInt: [[12], ["9007199254740"]],
  Decimal: [[1.5], [2]],
  Double: [[0.25], [3]],
  Money: [[19.99], [20]],
  String: [["Ann"], ["12"], ["1.5"], ["true"], ["2026-11-22"]],
  Memo: [["some words"], ["0"], ["2026-11-22T10:00:00Z"]],
  DateTime: [["2026-11-22T10:00:00Z"]],
  Picklist: [
    [1, "Male"],
    [2, "12"],
  ],
  State: [
    [0, "Active"],
    [2, "Waiting"],
  ],
  Status: [
    [1, "Active"],
    [7, "Closed"],
  ],
  MultiSelectPicklist: [
    ["1,2", "Red; Blue"],
    ["3", "3"],
  ],
  Lookup: [["8a2f2d0e-6c1b-4d0e-9d7e-0d5b6c1b4d0e", "Contoso"]],
  Uniqueidentifier: [["8a2f2d0e-6c1b-4d0e-9d7e-0d5b6c1b4d0e"]],
  Other: [["anything"], ["5"]],
};
const fields: readonly CampaignFieldType[] = ["string", "integer", "number", "boolean", "date", "datetime"];

const pairs = Object.keys(samples).flatMap((column) =>
  fields.flatMap((field) => [true, false].map((byLabel) => [column as ColumnType, field, byLabel] as const)),
);

describe.each(pairs)("a column of type %s, a field of type %s, by label: %s", (type, fieldType, byLabel) => {
  const field: FieldTold = { name: "f", type: fieldType, rawType: fieldType };
  const said = misfit({ name: "c", type }, field, { byLabel, replaced: new Set() });
  const written = samples[type].map(([raw, label]) => {
    const value = readValue(raw, { name: "c", type, property: "c" }, { label, byLabel });
    return value === undefined ? undefined : convert(value, fieldType);
  });

  test("is said to fit never, always or in part as it does", () => {
    const fits = written.filter((value) => value !== undefined).length;
    if (said === undefined) expect(fits).toBe(written.length);
    else if (said.startsWith("No value")) expect(fits).toBe(0);
    else expect(fits).toBeLessThan(written.length);
  });
});

test("choices that an enumeration does not have are named, but for those that are replaced", () => {
  const column = {
    name: "gendercode",
    type: "Picklist",
    choices: [
      { value: "1", label: "Male" },
      { value: "2", label: "Female" },
      { value: "3", label: "unknown" },
    ],
  };
  const gender: FieldTold = { name: "gender", type: "string", rawType: "byte", values: ["male", "female", "unknown"] };
  expect(misfit(column, gender, { byLabel: true, replaced: new Set(["1"]) })).toContain("does not have Female");
  expect(misfit(column, gender, { byLabel: true, replaced: new Set(["1", "Female"]) })).toBeUndefined();
  expect(misfit(column, gender, { byLabel: false, replaced: new Set(["1", "2"]) })).toContain("does not have unknown");
});

test("texts that may be too long, and fields that nobody writes, are said", () => {
  const text: FieldTold = { name: "f", type: "string", rawType: "string", maxLength: 30 };
  const options = { byLabel: true, replaced: new Set<string>() };
  expect(misfit({ name: "c", type: "String", maxLength: 50 }, text, options)).toContain("more than 30 characters");
  expect(misfit({ name: "c", type: "String", maxLength: 30 }, text, options)).toBeUndefined();
  expect(misfit({ name: "c", type: "String" }, { ...text, readOnly: true }, options)).toContain(
    "sets this field itself",
  );
});
