/**
 * What a mapping makes of a row, told from the contract of the resource. Written apart from the worker: nothing of
 * src/worker is used, so that a fault there is not a fault here too.
 */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Cells, CellValue } from "../../src/sandbox/dataverse/schema.ts";

export type Values = Readonly<Record<string, unknown>>;

/** A row at some time. */
export interface RowState {
  readonly id: string;
  readonly cells: Cells;
}

/** What people see for a choice's number; undefined for a column that is no choice. */
export type Labels = (table: string, column: string, value: number) => string | undefined;

type Mapped = IngressMapping["fields"][number];
type Condition = NonNullable<IngressMapping["filter"]>["conditions"][number];

/** The key of a row's record; null: it has none. */
export function keyOf({ table, key }: IngressMapping, { id, cells }: RowState): string | null {
  if (key.column === `${table}id`) return id;
  const value = cells[key.column];
  return value === undefined || value === null || value === "" ? null : String(value);
}

/** Whether the filter lets a row through. */
export function passes({ filter }: IngressMapping, { cells }: RowState): boolean {
  if (filter === undefined) return true;
  const held = filter.conditions.map((condition) => holds(condition, cells[condition.column] ?? null));
  return filter.match === "All" ? !held.includes(false) : held.includes(true);
}

/** Of the operators that the storm uses. */
function holds({ operator, value = "", values = [] }: Condition, cell: CellValue): boolean {
  const isEmpty = cell === null || cell === "";
  const text = String(cell).toLowerCase();
  switch (operator) {
    case "Equals":
      return !isEmpty && text === value.toLowerCase();
    case "NotEquals":
      return isEmpty || text !== value.toLowerCase();
    case "LessThanOrEquals":
      return !isEmpty && Number(cell) <= Number(value);
    case "Contains":
      return !isEmpty && text.includes(value.toLowerCase());
    case "In":
      return !isEmpty && values.some((one) => one.toLowerCase() === text);
    case "IsEmpty":
      return isEmpty;
    case "IsNotEmpty":
      return !isEmpty;
    default:
      throw new RangeError(`the storm's ledger does not know the operator ${operator}`);
  }
}

/** Every mapped field of a row's record but links; what is empty is undefined. */
export function expectedFields(mapping: IngressMapping, row: RowState, labels: Labels): Values {
  const fields = mapping.fields.filter(({ link }) => link === undefined);
  return Object.fromEntries(fields.map((field) => [field.field, expectedValue(mapping, field, row, labels)]));
}

function expectedValue({ table, picklistValues }: IngressMapping, field: Mapped, row: RowState, labels: Labels) {
  const cell = row.cells[field.column] ?? null;
  const label = typeof cell === "number" ? labels(table, field.column, cell) : undefined;
  const read = cell === null ? "" : String(cell);
  const byLabel = picklistValues === "Label" && label !== undefined;
  const replacement =
    field.replacements?.find(({ from }) => from === read) ??
    (byLabel ? field.replacements?.find(({ from }) => from === label) : undefined);
  if (replacement !== undefined) return replacement.to;
  if (cell === null || cell === "") return undefined;
  if (byLabel) return label;
  return label === undefined ? cell : String(cell); // The storm writes choices to texts.
}

/** What Campaign's enumeration `emailFormat` takes. */
const emailFormats = ["unknown", "text", "html"];

/** Whether Campaign refuses a row's record, or a row has no key to be written by. */
export function isRefused(mapping: IngressMapping, row: RowState, labels: Labels): boolean {
  if (keyOf(mapping, row) === null) return true;
  const format = expectedFields(mapping, row, labels)["emailFormat"];
  return format !== undefined && !emailFormats.includes(String(format));
}

/** An empty field is left out, or "", or null. */
export function isSame(expected: unknown, found: unknown): boolean {
  return (expected ?? "") === (found ?? "");
}

/** The row that a link's column points at, if its table is the one that fills the link's resource. */
export function linkTarget({ column }: Mapped, { cells }: RowState, target: IngressMapping | undefined): string | null {
  const cell = cells[column] ?? null;
  return typeof cell === "object" && cell !== null && cell.table === target?.table ? cell.id : null;
}
