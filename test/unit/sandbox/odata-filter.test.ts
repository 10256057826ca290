import { describe, expect, it } from "vitest";
import { parseFilter } from "../../../src/sandbox/dataverse/odata-filter.ts";

type Row = Readonly<Record<string, string | number | boolean | null>>;

const row: Row = {
  name: "O'Brien",
  city: "Berlin",
  age: 30,
  active: true,
  note: null,
  born: "1996-05-04",
  id: "5db5b9ed-9138-4433-94a1-bd30ea8316ea",
};
const test = (filter: string) => parseFilter<Row>(filter, (of, property) => of[property] ?? null)(row);

describe("$filter", () => {
  it.each([
    ["name eq 'O''Brien'", true],
    ["name eq 'o''brien'", true],
    ["name ne 'x' and age gt 29", true],
    ["age lt 30 or age ge 30", true],
    ["not (age le 30)", false],
    ["active eq true", true],
    ["note eq null", true],
    ["note ne null", false],
    ["note ne 'x'", true],
    ["note gt 'a'", false],
    ["contains(city,'ERL')", true],
    ["startswith(city,'Ber') and endswith(city,'lin')", true],
    ["not contains(city,'z')", true],
    ["age eq 1 or age eq 30 and active eq false", false],
    ["(age eq 1 or age eq 30) and active eq true", true],
    ["born ge 1996-05-04 and born lt 1996-05-05", true],
    ["id eq 5db5b9ed-9138-4433-94a1-bd30ea8316ea", true],
  ])("%s is %s", (filter, expected) => {
    expect(test(filter)).toBe(expected);
  });

  it.each([
    "",
    "age",
    "age eq",
    "age eq 30 and",
    "(age eq 30",
    "age like 30",
    "contains(city)",
    "age eq 30 name eq 'x'",
  ])("'%s' is a syntax error", (filter) => {
    expect(() => test(filter)).toThrow(/Syntax error/);
  });
});
