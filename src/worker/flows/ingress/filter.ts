/**
 * A mapping's filter. Pure.
 *
 * Comparing follows Dataverse: numbers, times and truths by their value, texts without regard to case (filter-rows.md: "All
 * filter conditions for string values are case insensitive"); a choice by its number, or by its label where a value of the
 * condition is no number.
 *
 * An empty column (null or "") equals nothing, is neither greater nor less, contains nothing and is in no list. So
 * NotEquals, DoesNotContain, NotIn and IsEmpty hold for it, and no other operator does.
 */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";
import { compareDecimals, plainDecimal } from "../../decimal.ts";
import { rawText, truthOf } from "./convert.ts";
import { labelOf } from "./labels.ts";
import { instantText, timeOf } from "./time.ts";

type Filter = NonNullable<IngressMapping["filter"]>;
type Condition = Filter["conditions"][number];
type Operator = Condition["operator"];

/** Whether a row passes. */
export type RowFilter = (row: DataverseRow) => boolean;

/** A condition that can never be decided: its value does not fit its column. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  readonly code = "FilterInvalid";
}

/** @throws FilterError that names column, operator and the column's type */
export function compileFilter(filter: Filter | undefined, columns: ReadonlyMap<string, ColumnMetadata>): RowFilter {
  if (filter === undefined) return () => true;
  const conditions = filter.conditions.map((condition) => compileCondition(condition, columns.get(condition.column)));
  return filter.match === "All"
    ? (row) => conditions.every((holds) => holds(row))
    : (row) => conditions.some((holds) => holds(row));
}

/** A condition as it is configured, and whether it holds for a row; the row's value is not in it. */
export type ConditionOutcome = Condition & { readonly holds: boolean };

/** Why a row passes or does not: every condition by itself. @throws FilterError */
export function explainFilter(
  filter: Filter,
  columns: ReadonlyMap<string, ColumnMetadata>,
  row: DataverseRow,
): readonly ConditionOutcome[] {
  return filter.conditions.map((condition) => ({
    ...condition,
    holds: compileCondition(condition, columns.get(condition.column))(row),
  }));
}

/** Whether a filter compares labels, so that they must be read. */
export function needsLabels(filter: Filter | undefined, columns: ReadonlyMap<string, ColumnMetadata>): boolean {
  return (filter?.conditions ?? []).some((condition) => {
    const column = columns.get(condition.column);
    return column !== undefined && isChoice(column) && !wantedValues(condition).every(isNumber);
  });
}

function compileCondition(condition: Condition, column: ColumnMetadata | undefined): RowFilter {
  if (column === undefined) throw new FilterError(`filter: the column ${condition.column} does not exist`);
  const { operator } = condition;
  if (operator === "IsEmpty") return (row) => isEmpty(row[column.property]);
  if (operator === "IsNotEmpty") return (row) => !isEmpty(row[column.property]);
  const values = wantedValues(condition);
  if (!isChoice(column)) return compileValues({ operator, values, column, as: kindOf(column) });
  const numbers = values.filter(isNumber);
  const labels = values.filter((value) => !isNumber(value));
  const byNumber = compileValues({ operator, values: numbers, column, as: "Number" });
  const byLabel = compileValues({ operator, values: labels, column, as: "Label" });
  if (labels.length === 0) return byNumber;
  if (numbers.length === 0) return byLabel;
  return operator === "NotIn" ? (row) => byNumber(row) && byLabel(row) : (row) => byNumber(row) || byLabel(row);
}

interface Comparison {
  readonly operator: Exclude<Operator, "IsEmpty" | "IsNotEmpty">;
  readonly values: readonly string[];
  readonly column: ColumnMetadata;
  readonly as: Kind;
}

/** By what values are compared. Numbers, times and truths as decimals: a number, milliseconds, 0 and 1. */
type Kind = "Number" | "Time" | "Boolean" | "Text" | "Label";

function compileValues({ operator, values, column, as }: Comparison): RowFilter {
  const isText = as === "Text" || as === "Label" || textOperators.has(operator);
  const wanted = values.map((value) => (isText ? fold(value) : parseWanted(value, operator, column, as)));
  const test = testOf(operator, wanted, isText ? compareTexts : compareDecimals);
  return (row) => {
    const raw = row[column.property];
    const read = as === "Label" ? labelOf(row, column) : rawText(raw);
    if (isEmpty(raw) || read === undefined) return test(undefined);
    return test(isText ? fold(read) : decimalOf(read, column, as));
  };
}

/** A test of what a row has; `undefined`: nothing that could be compared. */
function testOf(
  operator: Comparison["operator"],
  wanted: readonly string[],
  compare: (one: string, other: string) => number,
): (value: string | undefined) => boolean {
  const [first] = wanted;
  const holds = (relation: (value: string, other: string) => boolean) => (value: string | undefined) =>
    value !== undefined && first !== undefined && relation(value, first);
  const not = (test: (value: string | undefined) => boolean) => (value: string | undefined) => !test(value);
  const isIn = (value: string | undefined) =>
    value !== undefined && wanted.some((other) => compare(value, other) === 0);
  switch (operator) {
    case "Equals":
    case "In":
      return isIn;
    case "NotEquals":
    case "NotIn":
      return not(isIn);
    case "GreaterThan":
      return holds((value, other) => compare(value, other) > 0);
    case "GreaterThanOrEquals":
      return holds((value, other) => compare(value, other) >= 0);
    case "LessThan":
      return holds((value, other) => compare(value, other) < 0);
    case "LessThanOrEquals":
      return holds((value, other) => compare(value, other) <= 0);
    case "Contains":
      return holds((value, other) => value.includes(other));
    case "DoesNotContain":
      return not(holds((value, other) => value.includes(other)));
    case "StartsWith":
      return holds((value, other) => value.startsWith(other));
    case "EndsWith":
      return holds((value, other) => value.endsWith(other));
  }
}

const textOperators: ReadonlySet<Operator> = new Set(["Contains", "DoesNotContain", "StartsWith", "EndsWith"]);

function wantedValues({ value, values }: Condition): readonly string[] {
  return values ?? (value === undefined ? [] : [value]);
}

function parseWanted(text: string, operator: Operator, column: ColumnMetadata, as: Kind): string {
  const decimal = decimalOf(text.trim(), column, as);
  if (decimal !== undefined) return decimal;
  const wanted = {
    Number: "number",
    Time: "time: write it as 2026-11-21 or 2026-11-21T10:00:00Z",
    Boolean: "truth: write true or false",
    Text: "text",
    Label: "label",
  }[as];
  throw new FilterError(
    `filter: ${operator} compares the column ${column.name} of type ${column.type} with a value that is no ${wanted}`,
  );
}

function decimalOf(text: string, { dateTimeBehavior }: ColumnMetadata, as: Kind): string | undefined {
  if (as === "Number") return plainDecimal(text);
  if (as === "Boolean") {
    const truth = truthOf(text);
    return truth === undefined ? undefined : String(Number(truth));
  }
  const time = timeOf(text, dateTimeBehavior);
  return time === undefined ? undefined : String(Date.parse(instantText(time)));
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Without case. A sigma at a word's end has a letter of its own, which would keep a word from being found in a longer one. */
function fold(text: string): string {
  return text.toLowerCase().replaceAll("ς", "σ");
}

function isEmpty(raw: unknown): boolean {
  return raw === null || raw === undefined || raw === "";
}

function isNumber(text: string): boolean {
  return plainDecimal(text.trim()) !== undefined;
}

function isChoice({ type }: ColumnMetadata): boolean {
  return type === "Picklist" || type === "State" || type === "Status";
}

function kindOf({ type }: ColumnMetadata): Kind {
  switch (type) {
    case "Integer":
    case "BigInt":
    case "Decimal":
    case "Double":
    case "Money":
      return "Number";
    case "DateTime":
      return "Time";
    case "Boolean":
      return "Boolean";
    default:
      return "Text";
  }
}
