import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../src/api/integration-workflow.ts";
import { filterOperators } from "../../../src/api/schema/ingress.ts";
import type { ColumnMetadata, DataverseRow } from "../../../src/worker/dataverse/interface.ts";
import { compileFilter, FilterError } from "../../../src/worker/flows/ingress/filter.ts";

/** Runs the tables of docs/explanation/filters.md, so that they cannot say what is not so. */

type Condition = NonNullable<IngressMapping["filter"]>["conditions"][number];
type Operator = Condition["operator"];

const page = readFileSync("docs/explanation/filters.md", "utf8");

/** The cells of a table, row by row, below a heading. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.match(/^\|.*\|$/gm)?.slice(2) ?? [];
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

const bare = (cell: string) => cell.replaceAll("`", "");

function columnOf(type: string): ColumnMetadata {
  return { name: "column", type: type as ColumnMetadata["type"], property: "column" };
}

function conditionOf(operator: string, values: readonly string[]): Condition {
  const list = operator === "In" || operator === "NotIn";
  const wanted = list ? { values: [...values] } : values.length === 0 ? {} : { value: values[0] ?? "" };
  return { column: "column", operator: operator as Operator, ...wanted };
}

function result(condition: Condition, column: ColumnMetadata, row: DataverseRow): string {
  const filter = { match: "All" as const, conditions: [condition], deleteUnmatched: false };
  return compileFilter(filter, new Map([["column", column]]))(row) ? "passes" : "left out";
}

/** `"Paris"`, `10`, or `2 = Female`: a choice's number with its label. */
function rowWith(cell: string): DataverseRow {
  const [value = "", label] = bare(cell).split(" = ");
  const shown = label === undefined ? {} : { "column@OData.Community.Display.V1.FormattedValue": label };
  return { column: JSON.parse(value), ...shown };
}

const valuesIn = (cell: string) => [...cell.matchAll(/`([^`]*)`/g)].map(([, value = ""]) => value);

describe("the operators of the filters' page", () => {
  const rows = rowsOf("Operators");

  it("are all that there are, in the schema's order", () => {
    expect(rows.map(([operator = ""]) => bare(operator))).toEqual([...filterOperators]);
  });

  it.each(rows)("%s needs %s, passes when the column %s; an empty one: %s", (operator, needs, _, empty) => {
    const name = bare(operator);
    const expected = { In: "values", NotIn: "values", IsEmpty: "nothing", IsNotEmpty: "nothing" }[name] ?? "value";
    expect(needs).toBe(expected);
    for (const type of ["String", "Integer", "Boolean", "Picklist", "DateTime", "Lookup"]) {
      const value = type === "DateTime" ? "2026-11-21" : "1";
      const condition = conditionOf(name, needs === "nothing" ? [] : [value]);
      for (const row of [{ column: null }, { column: "" }, {}])
        expect(result(condition, columnOf(type), row), type).toBe(empty);
    }
  });
});

it.each(rowsOf("What is compared with what"))("a %s %s %s with %s %s", (type, operator, value, row, expected) => {
  expect(result(conditionOf(bare(operator), valuesIn(value)), columnOf(type), rowWith(row))).toBe(expected);
});

it.each(rowsOf("Values that do not fit"))("a %s %s %s is no filter", (type, operator, value) => {
  expect(() => result(conditionOf(bare(operator), valuesIn(value)), columnOf(type), {})).toThrow(FilterError);
});

it("the page's tables are found at all", () => {
  expect(rowsOf("What is compared with what").length).toBeGreaterThan(20);
  expect(rowsOf("Values that do not fit").length).toBeGreaterThan(3);
});
