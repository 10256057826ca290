import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import { filterOperators } from "../../../../../src/api/schema/ingress.ts";
import type { DataverseRow } from "../../../../../src/worker/dataverse/interface.ts";
import { compileFilter, FilterError } from "../../../../../src/worker/flows/ingress/filter.ts";
import { table } from "./plans.ts";

type Condition = NonNullable<IngressMapping["filter"]>["conditions"][number];

function passes(row: DataverseRow, conditions: readonly Condition[], match: "All" | "Any" = "All"): boolean {
  return compileFilter({ match, conditions: [...conditions], deleteUnmatched: false }, table.columns)(row);
}

const text = (operator: Condition["operator"], value: string): Condition => ({ column: "firstname", operator, value });
const list = (operator: Condition["operator"], ...values: string[]): Condition => ({
  column: "firstname",
  operator,
  values,
});

describe("a condition", () => {
  it.each<[Condition, DataverseRow, boolean]>([
    [text("Equals", "anna"), { firstname: "Anna" }, true],
    [text("Equals", "ann"), { firstname: "Anna" }, false],
    [text("NotEquals", "anna"), { firstname: "Bob" }, true],
    [text("Contains", "NN"), { firstname: "Anna" }, true],
    [text("DoesNotContain", "nn"), { firstname: "Anna" }, false],
    [text("StartsWith", "an"), { firstname: "Anna" }, true],
    [text("EndsWith", "an"), { firstname: "Anna" }, false],
    [text("GreaterThan", "b"), { firstname: "Carl" }, true],
    [list("In", "anna", "bob"), { firstname: "Bob" }, true],
    [list("NotIn", "anna", "bob"), { firstname: "Bob" }, false],
    [{ column: "children", operator: "GreaterThan", value: "9" }, { children: 10 }, true],
    [{ column: "children", operator: "LessThanOrEquals", value: "10" }, { children: 10 }, true],
    [{ column: "statecode", operator: "Equals", value: "0" }, { statecode: 0 }, true],
    [
      { column: "statecode", operator: "Equals", value: "Active" },
      { statecode: 0, "statecode@OData.Community.Display.V1.FormattedValue": "Active" },
      true,
    ],
    [{ column: "donotemail", operator: "Equals", value: "true" }, { donotemail: true }, true],
    [
      { column: "lastcall", operator: "LessThan", value: "2026-11-21T10:00:00Z" },
      { lastcall: "2026-11-21T09:59:59Z" },
      true,
    ],
    [
      { column: "lastcall", operator: "Equals", value: "2026-11-21T12:00:00+02:00" },
      { lastcall: "2026-11-21T10:00:00Z" },
      true,
    ],
    [{ column: "owner", operator: "Equals", value: "GUID-1" }, { _owner_value: "guid-1" }, true],
  ])("%o on %o", (condition, row, expected) => {
    expect(passes(row, [condition])).toBe(expected);
  });

  it.each(filterOperators)("on an empty column: %s", (operator) => {
    const holds = ["NotEquals", "DoesNotContain", "NotIn", "IsEmpty"].includes(operator);
    const condition: Condition = operator.endsWith("In")
      ? list(operator, "a")
      : operator.endsWith("Empty")
        ? { column: "firstname", operator }
        : text(operator, "a");
    for (const firstname of [null, undefined, ""]) expect(passes({ firstname }, [condition])).toBe(holds);
  });

  it("whose value does not fit its column is refused before anything is read", () => {
    expect(() => passes({}, [{ column: "children", operator: "Equals", value: "many" }])).toThrow(FilterError);
    expect(() => passes({}, [{ column: "lastcall", operator: "LessThan", value: "soon" }])).toThrow(/lastcall/);
  });

  it("and its opposite never hold together, and one of them always does", () => {
    const opposites = [
      ["Equals", "NotEquals"],
      ["Contains", "DoesNotContain"],
    ] as const;
    fc.assert(
      fc.property(
        fc.option(fc.string()),
        fc.string({ minLength: 1 }),
        fc.constantFrom(...opposites),
        (firstname, value, [one, other]) => {
          expect(passes({ firstname }, [text(one, value)])).not.toBe(passes({ firstname }, [text(other, value)]));
        },
      ),
    );
  });
});

it("All needs every condition, Any needs one", () => {
  const conditions = [text("StartsWith", "a"), text("EndsWith", "z")];
  expect(passes({ firstname: "az" }, conditions, "All")).toBe(true);
  expect(passes({ firstname: "ab" }, conditions, "All")).toBe(false);
  expect(passes({ firstname: "ab" }, conditions, "Any")).toBe(true);
  expect(passes({ firstname: "bc" }, conditions, "Any")).toBe(false);
});

it("without a filter every row passes", () => {
  expect(compileFilter(undefined, table.columns)({})).toBe(true);
});
