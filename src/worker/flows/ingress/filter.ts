/**
 * A mapping's filter. Pure.
 *
 * Comparing follows Dataverse: numbers and times by their value, texts without regard to case (filter-rows.md: "All
 * filter conditions for string values are case insensitive"); a choice by its number, or by its label when the condition's
 * value is no number.
 *
 * An empty column (null or "") equals nothing, is neither greater nor less, contains nothing and is in no list. So
 * NotEquals, DoesNotContain, NotIn and IsEmpty hold for it, and no other operator does.
 */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";
import { labelOf } from "./labels.ts";

type Filter = NonNullable<IngressMapping["filter"]>;
type Condition = Filter["conditions"][number];

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

/** Whether a filter compares labels, so that they must be read. */
export function needsLabels(filter: Filter | undefined, columns: ReadonlyMap<string, ColumnMetadata>): boolean {
  return (filter?.conditions ?? []).some((condition) => {
    const column = columns.get(condition.column);
    return column !== undefined && isChoice(column) && comparesLabels(condition);
  });
}

function compileCondition(condition: Condition, column: ColumnMetadata | undefined): RowFilter {
  if (column === undefined) throw new FilterError(`filter: the column ${condition.column} does not exist`);
  const read = reader(column, condition);
  const wanted = wantedValues(condition).map((text) => parseWanted(text, column, condition));
  const test = testOf(condition.operator, wanted);
  return (row) => {
    const raw = row[column.property];
    const isEmpty = raw === null || raw === undefined || raw === "";
    return test(isEmpty ? undefined : read(row, raw));
  };
}

type Comparable = string | number;

function testOf(operator: Condition["operator"], wanted: readonly Comparable[]): (value?: Comparable) => boolean {
  const [first] = wanted;
  const compared = (holds: (value: Comparable, other: Comparable) => boolean) => (value?: Comparable) =>
    value !== undefined && first !== undefined && holds(value, first);
  const not = (test: (value?: Comparable) => boolean) => (value?: Comparable) => !test(value);
  const text = (holds: (value: string, other: string) => boolean) =>
    compared((value, other) => holds(String(value), String(other)));
  const isIn = (value?: Comparable) => value !== undefined && wanted.includes(value);
  switch (operator) {
    case "Equals":
    case "In":
      return isIn;
    case "NotEquals":
    case "NotIn":
      return not(isIn);
    case "GreaterThan":
      return compared((value, other) => value > other);
    case "GreaterThanOrEquals":
      return compared((value, other) => value >= other);
    case "LessThan":
      return compared((value, other) => value < other);
    case "LessThanOrEquals":
      return compared((value, other) => value <= other);
    case "Contains":
      return text((value, other) => value.includes(other));
    case "DoesNotContain":
      return not(text((value, other) => value.includes(other)));
    case "StartsWith":
      return text((value, other) => value.startsWith(other));
    case "EndsWith":
      return text((value, other) => value.endsWith(other));
    case "IsEmpty":
      return (value) => value === undefined;
    case "IsNotEmpty":
      return (value) => value !== undefined;
  }
}

const textOperators: ReadonlySet<Condition["operator"]> = new Set([
  "Contains",
  "DoesNotContain",
  "StartsWith",
  "EndsWith",
]);

function wantedValues({ value, values }: Condition): readonly string[] {
  return values ?? (value === undefined ? [] : [value]);
}

function reader(column: ColumnMetadata, condition: Condition): (row: DataverseRow, raw: unknown) => Comparable {
  if (isChoice(column) && comparesLabels(condition)) return (row) => (labelOf(row, column) ?? "").toLowerCase();
  if (textOperators.has(condition.operator)) return (_row, raw) => String(raw).toLowerCase();
  switch (kindOf(column)) {
    case "Number":
      return (_row, raw) => Number(raw);
    case "Time":
      return (_row, raw) => Date.parse(String(raw));
    case "Text":
      return (_row, raw) => String(raw).toLowerCase();
  }
}

function parseWanted(text: string, column: ColumnMetadata, condition: Condition): Comparable {
  if (textOperators.has(condition.operator)) return text.toLowerCase();
  if (isChoice(column) && comparesLabels(condition)) return text.toLowerCase();
  const kind = kindOf(column);
  if (kind === "Text") return text.toLowerCase();
  const number = kind === "Time" ? Date.parse(text) : isNumber(text) ? Number(text) : Number.NaN;
  if (!Number.isNaN(number)) return number;
  throw new FilterError(
    `filter: ${condition.operator} compares the column ${column.name} of type ${column.type} with a value that is no ${
      kind === "Time" ? "time: write it as 2026-11-21 or 2026-11-21T10:00:00Z" : "number"
    }`,
  );
}

function isNumber(text: string): boolean {
  return text.trim() !== "" && Number.isFinite(Number(text));
}

function isChoice({ type }: ColumnMetadata): boolean {
  return type === "Picklist" || type === "State" || type === "Status";
}

function comparesLabels(condition: Condition): boolean {
  return wantedValues(condition).some((value) => !isNumber(value));
}

function kindOf({ type }: ColumnMetadata): "Number" | "Time" | "Text" {
  switch (type) {
    case "Integer":
    case "BigInt":
    case "Decimal":
    case "Double":
    case "Money":
    case "Picklist":
    case "State":
    case "Status":
      return "Number";
    case "DateTime":
      return "Time";
    default:
      return "Text"; // A Boolean too: the service writes true and false.
  }
}
