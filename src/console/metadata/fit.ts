/** Whether the values of a column can be written to a field, as the worker converts them. Pure. */
import type { ColumnTold, FieldTold } from "../../api/worker-metadata.ts";
import { columnType, fieldType, metadataTexts as texts } from "../metadata-texts.ts";

export interface Mapped {
  /** Choices and lookups by what people see; otherwise by number and id. */
  readonly byLabel: boolean;
  /** Values that are replaced on the way. */
  readonly replaced: ReadonlySet<string>;
}

/** What a column gives: `Id` is a text that is never a number or a date. */
type Source = "Boolean" | "Whole" | "Number" | "Text" | "Id" | "Time";

const sources: Readonly<Record<string, Source>> = {
  Boolean: "Boolean",
  Integer: "Whole",
  BigInt: "Whole",
  Decimal: "Number",
  Double: "Number",
  Money: "Number",
  DateTime: "Time",
  Uniqueidentifier: "Id",
};

const choices: ReadonlySet<string> = new Set(["Picklist", "State", "Status"]);

function sourceOf({ type }: ColumnTold, byLabel: boolean): Source {
  if (choices.has(type)) return byLabel ? "Text" : "Whole";
  if (type === "Lookup") return byLabel ? "Text" : "Id";
  return sources[type] ?? "Text";
}

/** By source and field: `None` fits, or why only some do. */
const some: Readonly<Record<string, Readonly<Partial<Record<Source, string>>>>> = {
  boolean: { Whole: texts.onlyYesNo, Number: texts.onlyYesNo, Text: texts.onlyYesNo, Id: "None", Time: "None" },
  integer: { Number: texts.onlyWhole, Text: texts.onlyNumbers, Id: "None", Time: "None" },
  number: { Text: texts.onlyNumbers, Id: "None", Time: "None" },
  date: { Boolean: "None", Whole: "None", Number: "None", Text: texts.onlyDates, Id: "None" },
  datetime: { Boolean: "None", Whole: "None", Number: "None", Text: texts.onlyDates, Id: "None" },
};

/** @returns undefined: every value fits, as far as types tell */
export function misfit(column: ColumnTold, field: FieldTold, { byLabel, replaced }: Mapped): string | undefined {
  if (field.readOnly === true) return texts.readOnly;
  if (field.values !== undefined) return enumerationMisfit(column, field.values, byLabel, replaced);
  const found = some[field.type]?.[sourceOf(column, byLabel)];
  // What is replaced is another value: nobody can tell here what is left.
  if (found === "None") return replaced.size > 0 ? undefined : texts.never(columnType(column), fieldType(field));
  if (found !== undefined) return found;
  if (field.type !== "string" || field.maxLength === undefined) return undefined;
  const { maxLength } = field;
  return (column.maxLength ?? 0) > maxLength ? texts.longer(maxLength) : undefined;
}

function enumerationMisfit(
  column: ColumnTold,
  values: readonly string[],
  byLabel: boolean,
  replaced: ReadonlySet<string>,
): string | undefined {
  const known = new Set(values);
  const missing = (column.choices ?? []).filter(
    ({ value, label }) => !replaced.has(value) && !replaced.has(label) && !known.has(byLabel ? label : value),
  );
  return missing.length === 0 ? undefined : texts.choicesMissing(missing.map(({ label, value }) => label || value));
}
