import { describe, expect, it } from "vitest";
import { columnsOf, isSameIdentity, mappingHash, planMapping } from "../../../../../src/worker/flows/ingress/plan.ts";
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
