import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CampaignFieldType } from "../../../../../src/worker/campaign/interface.ts";
import type { DataverseRow } from "../../../../../src/worker/dataverse/interface.ts";
import { linked } from "../../../../../src/worker/flows/ingress/links.ts";
import { adoptionBody, insertBody, mapRow, updateBody } from "../../../../../src/worker/flows/ingress/record.ts";
import { columns, planOf, planOne } from "./plans.ts";

const label = (property: string, text: string) => ({
  [`${property}@OData.Community.Display.V1.FormattedValue`]: text,
});

/** The value that the field gets; undefined: the record is refused. */
function converted(
  column: string,
  type: CampaignFieldType,
  row: DataverseRow,
  picklistValues: "Label" | "Value" = "Label",
) {
  const mapped = mapRow(planOne(column, type, {}, { picklistValues }), { contactid: "id", ...row });
  return mapped.kind === "Mapped" ? mapped.fields["target"] : undefined;
}

describe("a value of a column as a value of a field", () => {
  it.each<[string, CampaignFieldType, unknown, unknown]>([
    ["firstname", "string", "Zoë", "Zoë"],
    ["firstname", "string", null, ""],
    ["firstname", "integer", null, null],
    ["firstname", "integer", "42", 42],
    ["firstname", "integer", "4.5", undefined],
    ["firstname", "number", "1e3", 1000],
    ["firstname", "number", "1,5", undefined],
    ["firstname", "boolean", "TRUE", true],
    ["firstname", "boolean", "yes", undefined],
    ["firstname", "date", "2026-11-21", "2026-11-21"],
    ["firstname", "date", "21/11/2026", undefined],
    ["firstname", "datetime", "2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00Z"],
    ["donotemail", "boolean", true, true],
    ["donotemail", "integer", false, 0],
    ["donotemail", "string", false, "false"],
    ["children", "integer", 3, 3],
    ["children", "string", 3, "3"],
    ["children", "boolean", 1, true],
    ["children", "boolean", 2, undefined],
    ["children", "date", 3, undefined],
    ["income", "number", 1234.5, 1234.5],
    ["income", "integer", 1234.5, undefined],
    ["income", "integer", 2 ** 60, undefined],
    ["birthdate", "date", "1980-02-29", "1980-02-29"],
    ["birthdate", "datetime", "1980-02-29", "1980-02-29T00:00:00Z"],
    ["birthdate", "string", "1980-02-29", "1980-02-29"],
    ["lastcall", "datetime", "2026-11-21T23:30:00Z", "2026-11-21T23:30:00Z"],
    ["lastcall", "date", "2026-11-21T23:30:00Z", "2026-11-21"],
    ["alarm", "datetime", "2026-11-21T07:00:00Z", "2026-11-21T07:00:00Z"],
    ["birthdate", "date", "not a date", undefined],
    ["donotemail", "boolean", "maybe", undefined],
  ])("%s to %s", (column, type, raw, expected) => {
    expect(converted(column, type, { [column]: raw })).toEqual(expected);
  });

  it("writes a choice by its label or by its number, as the mapping says", () => {
    const row = { gendercode: 2, ...label("gendercode", "Female") };
    expect(converted("gendercode", "string", row)).toBe("Female");
    expect(converted("gendercode", "integer", row, "Value")).toBe(2);
    expect(converted("gendercode", "string", row, "Value")).toBe("2");
    expect(converted("gendercode", "integer", row)).toBeUndefined();
  });

  it("writes several choices as a list", () => {
    const row = { interests: "1,3", ...label("interests", "Sailing; Chess") };
    expect(converted("interests", "string", row)).toBe("Sailing,Chess");
    expect(converted("interests", "string", row, "Value")).toBe("1,3");
  });

  it("writes a lookup by its label or by its id", () => {
    const row = { _owner_value: "guid-1", ...label("_owner_value", "Jane Doe") };
    expect(converted("owner", "string", row)).toBe("Jane Doe");
    expect(converted("owner", "string", row, "Value")).toBe("guid-1");
  });

  it("any text, number and boolean arrives whole where the types agree, and never as something else", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        (text, number, flag) => {
          expect(converted("firstname", "string", { firstname: text })).toBe(text);
          expect(converted("income", "number", { income: number })).toBe(number);
          expect(converted("donotemail", "boolean", { donotemail: flag })).toBe(flag);
          const integer = converted("income", "integer", { income: number });
          expect(integer === undefined || integer === number).toBe(true);
        },
      ),
    );
  });

  it("a refusal names column, field and types, and no value", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...columns.map(({ name }) => name)),
        fc.constantFrom<CampaignFieldType>("integer", "number", "boolean", "date", "datetime"),
        fc.string({ minLength: 12 }).map((text) => `§${text}§`),
        (column, type, secret) => {
          const property = column === "owner" ? "_owner_value" : column;
          const mapped = mapRow(planOne(column, type), {
            contactid: "id",
            [property]: secret,
            ...label(property, secret),
          });
          if (mapped.kind !== "Refused") return;
          expect(mapped.refusal.message).toContain(column);
          expect(mapped.refusal.message).not.toContain(secret);
        },
      ),
    );
  });
});

describe("replacements", () => {
  const replacements = [
    { from: "1", to: "male" },
    { from: "Female", to: "female" },
    { from: "", to: "unknown" },
  ];
  const plan = planOne("gendercode", "string", { replacements });
  const gender = (row: DataverseRow) => mapRow(plan, { contactid: "id", ...row });

  it("replace by exact value as it is read, by the label too where labels are written, and what is empty", () => {
    expect(gender({ gendercode: 1, ...label("gendercode", "Male") })).toMatchObject({ fields: { target: "male" } });
    expect(gender({ gendercode: 2, ...label("gendercode", "Female") })).toMatchObject({ fields: { target: "female" } });
    expect(gender({ gendercode: null })).toMatchObject({ fields: { target: "unknown" } });
    expect(gender({ gendercode: 11, ...label("gendercode", "Other") })).toMatchObject({ fields: { target: "Other" } });
  });
});

describe("bodies", () => {
  const plan = planOf(
    {
      fields: [
        { column: "firstname", field: "firstName", applyUpdates: true },
        { column: "children", field: "children", applyUpdates: false },
      ],
      constants: [{ field: "level", value: "3" }],
    },
    { firstName: "string", children: "integer", level: "integer" },
  );
  const mapped = mapRow(plan, { contactid: "id", firstname: null, children: 2 });
  const fields = mapped.kind === "Mapped" ? linked(mapped.fields, new Map()) : {};

  it("an insert has the key, the constants and what has a value", () => {
    expect(insertBody(plan, "id", fields)).toEqual({ externalId: "id", children: 2, level: 3 });
  });

  it("the first update of a record that was there has every field and the constants", () => {
    expect(adoptionBody(plan, fields)).toEqual({ firstName: "", children: 2, level: 3 });
  });

  it("an update has the fields that follow updates, and clears what is empty", () => {
    expect(updateBody(plan, fields)).toEqual({ firstName: "" });
  });
});

it("a row without a key value is refused", () => {
  const plan = planOf({ key: { column: "firstname", field: "externalId" } }, {});
  expect(mapRow(plan, { contactid: "id", firstname: "" })).toMatchObject({
    kind: "Refused",
    refusal: { reason: "KeyMissing" },
  });
});
