import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import type { ColumnMetadata, DataverseRow } from "../../../../../src/worker/dataverse/interface.ts";
import { compileFilter, FilterError, needsLabels } from "../../../../../src/worker/flows/ingress/filter.ts";

type Filter = NonNullable<IngressMapping["filter"]>;
type Condition = Filter["conditions"][number];
type Operator = Condition["operator"];

function columnsOf(type: ColumnMetadata["type"], dateTimeBehavior?: ColumnMetadata["dateTimeBehavior"]) {
  const behavior = dateTimeBehavior === undefined ? {} : { dateTimeBehavior };
  return new Map<string, ColumnMetadata>([["c", { name: "c", property: "c", type, ...behavior }]]);
}

const filter = (conditions: readonly Condition[], match: Filter["match"] = "All"): Filter => ({
  match,
  conditions: [...conditions],
  deleteUnmatched: false,
});
const condition = (operator: Operator, ...values: string[]): Condition => ({
  column: "c",
  operator,
  ...(operator.endsWith("In") ? { values } : operator.endsWith("Empty") ? {} : { value: values[0] ?? "" }),
});
const one = (
  columns: ReadonlyMap<string, ColumnMetadata>,
  row: DataverseRow,
  operator: Operator,
  ...values: string[]
) => compileFilter(filter([condition(operator, ...values)]), columns)(row);
const label = (text: string) => ({ "c@OData.Community.Display.V1.FormattedValue": text });

/** Every operator of order and equality must say what the sign says: negative, zero or positive. */
function expectOrder(
  columns: ReadonlyMap<string, ColumnMetadata>,
  raw: unknown,
  wanted: string,
  sign: bigint | number,
): void {
  const holds = (operator: Operator) => one(columns, { c: raw }, operator, wanted);
  expect({
    Equals: holds("Equals"),
    NotEquals: holds("NotEquals"),
    GreaterThan: holds("GreaterThan"),
    GreaterThanOrEquals: holds("GreaterThanOrEquals"),
    LessThan: holds("LessThan"),
    LessThanOrEquals: holds("LessThanOrEquals"),
    In: holds("In"),
    NotIn: holds("NotIn"),
    IsEmpty: holds("IsEmpty"),
    IsNotEmpty: holds("IsNotEmpty"),
  }).toEqual({
    Equals: sign === 0 || sign === 0n,
    NotEquals: !(sign === 0 || sign === 0n),
    GreaterThan: sign > 0,
    GreaterThanOrEquals: sign >= 0,
    LessThan: sign < 0,
    LessThanOrEquals: sign <= 0,
    In: sign === 0 || sign === 0n,
    NotIn: !(sign === 0 || sign === 0n),
    IsEmpty: false,
    IsNotEmpty: true,
  });
}

describe("numbers", () => {
  /** Of a small range and of a large one, in steps of 10^-4. */
  const units = fc.oneof(
    fc.bigInt({ min: -50_000n, max: 50_000n }),
    fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n }),
    fc.constantFrom(0n, 90071992547409930000n, 90071992547409920000n),
  );
  const textOf = (unit: bigint): string => {
    const size = unit < 0n ? -unit : unit;
    return `${unit < 0n ? "-" : ""}${size / 10_000n}.${(size % 10_000n).toString().padStart(4, "0")}`;
  };

  it("are compared by their digits, however they are written", () => {
    fc.assert(
      fc.property(
        units,
        units,
        fc.bigInt({ min: -1n, max: 1n }),
        fc.constantFrom<ColumnMetadata["type"]>("Integer", "BigInt", "Decimal", "Double", "Money", "Picklist"),
        fc.constantFrom("", "0", "e0"),
        (unit, other, near, type, tail) => {
          for (const wanted of [other, unit + near]) {
            expectOrder(columnsOf(type), textOf(unit), `${textOf(wanted)}${tail}`, unit - wanted);
            const isExact = Math.abs(Number(unit)) < 1e14 && Math.abs(Number(wanted)) < 1e14;
            if (isExact) expectOrder(columnsOf(type), Number(textOf(unit)), textOf(wanted), unit - wanted);
          }
        },
      ),
    );
  });

  it("of any size a double has are compared as doubles are", () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(double, double, (number, wanted) => {
        const sign = number === wanted ? 0 : number < wanted ? -1 : 1;
        expectOrder(columnsOf("Double"), number, String(wanted), sign);
      }),
    );
  });
});

it("the digits that are searched for in a number are those that people write", () => {
  expect(one(columnsOf("Decimal"), { c: 0.0000001 }, "EndsWith", "001")).toBe(true);
  expect(one(columnsOf("Decimal"), { c: 0.0000001 }, "Contains", "e")).toBe(false);
});

describe("times", () => {
  const ms = fc.oneof(
    fc.integer({ min: Date.UTC(1753, 0, 2), max: Date.UTC(9998, 0, 1) }),
    fc.integer({ min: Date.UTC(2026, 2, 29), max: Date.UTC(2026, 2, 29) + 20 }),
  );
  const offset = fc.integer({ min: -840, max: 840 });
  const written = (at: number, minutes: number): string => {
    const local = new Date(at + minutes * 60_000).toISOString().slice(0, -1);
    const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    return `${local}${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
  };

  it("are compared as instants, whatever offset they are written with, on a machine in any zone", () => {
    const before = process.env["TZ"];
    try {
      for (const zone of ["UTC", "America/New_York", "Australia/Lord_Howe"]) {
        process.env["TZ"] = zone;
        fc.assert(
          fc.property(ms, ms, offset, fc.integer({ min: -1, max: 1 }), (at, other, minutes, near) => {
            for (const wanted of [other, at + near]) {
              const row = new Date(at).toISOString();
              expectOrder(columnsOf("DateTime", "UserLocal"), row, written(wanted, minutes), at - wanted);
              // Without an offset it is UTC, as on the wire, and not the machine's own time.
              expectOrder(
                columnsOf("DateTime", "UserLocal"),
                row,
                new Date(wanted).toISOString().slice(0, -1),
                at - wanted,
              );
            }
          }),
        );
      }
    } finally {
      if (before === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before;
    }
  });

  it("without a zone are compared by their digits, and days by the day alone", () => {
    fc.assert(
      fc.property(ms, ms, offset, (at, other, minutes) => {
        const [row, wanted] = [new Date(at).toISOString(), new Date(other).toISOString()];
        const withOffset = `${wanted.slice(0, -1)}${written(0, minutes).slice(-6)}`;
        expectOrder(columnsOf("DateTime", "TimeZoneIndependent"), row, withOffset, at - other);
        const days = Math.floor(at / 86_400_000) - Math.floor(other / 86_400_000);
        for (const day of [wanted.slice(0, 10), wanted, withOffset])
          expectOrder(columnsOf("DateTime", "DateOnly"), row.slice(0, 10), day, days);
      }),
    );
  });

  it.each(["soon", "1", "2026", "2026-02-30", "Nov 21 2026", "21/11/2026", ""])("%j is none, and refused", (value) => {
    expect(() => compileFilter(filter([condition("LessThan", value)]), columnsOf("DateTime"))).toThrow(FilterError);
  });
});

describe("texts", () => {
  /** Letters with one capital each, a capital with a letter of its own at a word's end among them. */
  const letters = fc.string({
    unit: fc.constantFrom("a", "z", "é", "ж", "σ", "ς", "ß", "0", " ", "😀", "\u0000", "%"),
  });
  const otherCase = (text: string, mask: number): string =>
    [...text]
      .map((letter, index) => ((mask >> (index % 30)) & 1 && letter !== "ß" ? letter.toUpperCase() : letter))
      .join("");
  const type = fc.constantFrom<ColumnMetadata["type"]>("String", "Memo", "Uniqueidentifier", "Lookup", "Other");

  it("are found, wherever they stand, whatever their case", () => {
    fc.assert(
      fc.property(letters, letters, letters, fc.nat(), type, (before, middle, after, mask, of) => {
        fc.pre(before + middle + after !== "");
        const columns = columnsOf(of);
        const row = { c: before + otherCase(middle, mask) + after };
        expect(one(columns, row, "Contains", otherCase(middle, ~mask))).toBe(true);
        expect(one(columns, row, "DoesNotContain", middle)).toBe(false);
        expect(one(columns, row, "StartsWith", otherCase(before + middle, ~mask))).toBe(true);
        expect(one(columns, row, "EndsWith", otherCase(middle + after, ~mask))).toBe(true);
        expect(one(columns, row, "Equals", otherCase(before + middle + after, ~mask))).toBe(true);
        expect(one(columns, row, "NotEquals", otherCase(row.c, ~mask))).toBe(false);
        expect(one(columns, row, "In", "§", otherCase(row.c, ~mask))).toBe(true);
        expect(one(columns, row, "NotIn", "§", otherCase(row.c, ~mask))).toBe(false);
      }),
    );
  });

  it("are not found where they are not, and are ordered by their small letters", () => {
    const small = fc.string({ unit: fc.constantFrom("a", "b", "é", "0", " "), minLength: 1 });
    fc.assert(
      fc.property(small, small, type, (text, wanted, of) => {
        const columns = columnsOf(of);
        const row = { c: text.toUpperCase() };
        expect(one(columns, row, "Contains", wanted)).toBe(text.indexOf(wanted) >= 0);
        expect(one(columns, row, "DoesNotContain", wanted)).toBe(text.indexOf(wanted) < 0);
        expect(one(columns, row, "StartsWith", wanted)).toBe(text.slice(0, wanted.length) === wanted);
        expect(one(columns, row, "EndsWith", wanted)).toBe(text.slice(-wanted.length) === wanted);
        expectOrder(columns, row.c, wanted, text === wanted ? 0 : text < wanted ? -1 : 1);
      }),
    );
  });
});

describe("truths", () => {
  it("are compared as what they are, however they are written", () => {
    for (const [raw, wanted, sign] of [
      [true, "TRUE", 0],
      [true, "1", 0],
      [true, " false ", 1],
      [false, "0", 0],
      [false, "true", -1],
    ] as const)
      expectOrder(columnsOf("Boolean"), raw, wanted, sign);
  });

  it("what is none is refused, and does not silently match nothing", () => {
    for (const value of ["yes", "2", ""])
      expect(() => compileFilter(filter([condition("Equals", value)]), columnsOf("Boolean"))).toThrow(/true or false/);
  });
});

describe("choices", () => {
  const choice = fc.integer({ min: 0, max: 3 });
  const names = ["Red", "Green", "0x2", "2 stars"] as const;

  it("are matched by number or by label, each value of a list by its own kind", () => {
    fc.assert(
      fc.property(
        choice,
        fc.array(fc.oneof(choice.map(String), fc.constantFrom(...names), fc.constantFrom("RED", "7", "Blue")), {
          minLength: 1,
        }),
        (number, wanted) => {
          const row = { c: number, ...label(names[number] ?? "") };
          const expected = wanted.some(
            (value) => value === String(number) || value.toLowerCase() === names[number]?.toLowerCase(),
          );
          const columns = columnsOf("Picklist");
          expect(one(columns, row, "In", ...wanted)).toBe(expected);
          expect(one(columns, row, "NotIn", ...wanted)).toBe(!expected);
          const needed = wanted.some((value) => !/^\d$/.test(value));
          expect(needsLabels(filter([condition("In", ...wanted)]), columns)).toBe(needed);
        },
      ),
    );
  });

  it("without a label have no label that could be compared", () => {
    expect(one(columnsOf("Status"), { c: 1 }, "Equals", "Red")).toBe(false);
    expect(one(columnsOf("Status"), { c: 1 }, "NotEquals", "Red")).toBe(true);
    expect(one(columnsOf("Status"), { c: 1 }, "LessThan", "Red")).toBe(false);
  });
});

describe("any filter", () => {
  const columns = new Map<string, ColumnMetadata>([
    ["text", { name: "text", property: "text", type: "String" }],
    ["number", { name: "number", property: "number", type: "Integer" }],
  ]);
  const opposites: Readonly<Partial<Record<Operator, Operator>>> = {
    Equals: "NotEquals",
    NotEquals: "Equals",
    Contains: "DoesNotContain",
    DoesNotContain: "Contains",
    In: "NotIn",
    NotIn: "In",
    IsEmpty: "IsNotEmpty",
    IsNotEmpty: "IsEmpty",
  };
  const opposed = fc
    .record({
      column: fc.constantFrom("text", "number"),
      operator: fc.constantFrom(...(Object.keys(opposites) as Operator[])),
      values: fc.array(fc.integer({ min: 0, max: 3 }).map(String), { minLength: 1, maxLength: 3 }),
    })
    .map(({ column, operator, values }): Condition => ({ ...condition(operator, ...values), column }));
  const row = fc.record({
    text: fc.oneof(fc.integer({ min: 0, max: 3 }).map(String), fc.constantFrom(null, "", undefined)),
    number: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(null, undefined)),
  });
  const list = fc.array(opposed, { minLength: 1, maxLength: 4 });
  const passes = (conditions: readonly Condition[], match: Filter["match"], of: DataverseRow) =>
    compileFilter(filter(conditions, match), columns)(of);

  it("is the opposite of the other match of the opposite conditions", () => {
    fc.assert(
      fc.property(list, row, (conditions, of) => {
        const others = conditions.map((each) => ({ ...each, operator: opposites[each.operator] ?? each.operator }));
        expect(passes(conditions, "All", of)).toBe(!passes(others, "Any", of));
      }),
    );
  });

  it("does not care for the order of its conditions, nor for one that is there twice", () => {
    fc.assert(
      fc.property(list, row, fc.constantFrom("All", "Any"), (conditions, of, match) => {
        const same = passes(conditions, match, of);
        expect(passes([...conditions].reverse(), match, of)).toBe(same);
        expect(passes([...conditions, ...conditions], match, of)).toBe(same);
        const each = conditions.map((single) => passes([single], "All", of));
        expect(same).toBe(match === "All" ? !each.includes(false) : each.includes(true));
      }),
    );
  });

  it("never throws on a row, whatever it holds", () => {
    const raw = fc.oneof(fc.jsonValue(), fc.constant({ toString: 1 }), fc.string({ unit: "binary" }));
    const types = ["String", "Integer", "DateTime", "Boolean", "Picklist", "MultiSelectPicklist", "Other"] as const;
    const operators = ["Equals", "NotEquals", "LessThan", "Contains", "IsEmpty", "In"] as const;
    fc.assert(
      fc.property(raw, fc.constantFrom(...types), fc.constantFrom(...operators), (value, type, operator) => {
        const wanted = type === "DateTime" ? "2026-11-21" : "1";
        expect(typeof one(columnsOf(type), { c: value }, operator, wanted)).toBe("boolean");
      }),
    );
  });
});
