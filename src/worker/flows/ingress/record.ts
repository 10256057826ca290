/** One row of a mapped table as Campaign is to have it. Pure. */
import type { CampaignFields } from "../../campaign/interface.ts";
import type { DataverseRow } from "../../dataverse/interface.ts";
import { convert, type FieldValue, rawText, readValue, type SourceValue, textSource } from "./convert.ts";
import { labelOf } from "./labels.ts";
import { type LinkedFields, type Lookup, lookupOf, type MappedFields } from "./links.ts";
import type { Plan, PlannedField } from "./plan.ts";

export type MappedRow =
  | { readonly kind: "Mapped"; readonly targetKey: string; readonly fields: MappedFields }
  | { readonly kind: "FilteredOut" }
  | {
      readonly kind: "Refused";
      readonly refusal: { readonly reason: "ConversionFailed" | "KeyMissing"; readonly message: string };
    };

/** Filters, replaces and converts. A refusal names column, field and types, never the value. */
export function mapRow(plan: Plan, row: DataverseRow): MappedRow {
  if (!plan.passes(row)) return { kind: "FilteredOut" };
  const key = fieldValue(plan, plan.key, row);
  if (key === undefined) return notConverted(plan.key);
  if (key === null || key === "") {
    const message = `the key column ${plan.key.column.name} is empty: a record without a key is not written`;
    return { kind: "Refused", refusal: { reason: "KeyMissing", message } };
  }
  const fields: Record<string, FieldValue | Lookup> = {};
  for (const field of plan.fields) {
    const { column, link } = field;
    const value = link === undefined ? fieldValue(plan, field, row) : lookupOf(row, column, link);
    if (value === undefined) return notConverted(field);
    fields[field.field] = value;
  }
  const targetKey = String(key);
  // Half a character is stored as the sign for any such half: two keys would become one.
  return targetKey.isWellFormed() ? { kind: "Mapped", targetKey, fields } : notConverted(plan.key);
}

/** The body of an insert: all that has a value, the constants and the key. */
export function insertBody(plan: Plan, targetKey: string, fields: LinkedFields): CampaignFields {
  const filled = Object.entries(fields).filter(([, value]) => value !== null && value !== "");
  return { ...Object.fromEntries(filled), ...plan.constants, [plan.key.field]: keyValue(plan, targetKey) };
}

/** The body of a first update of a record that was there already: all fields and the constants. */
export function adoptionBody(plan: Plan, fields: LinkedFields): CampaignFields {
  return { ...fields, ...plan.constants };
}

/** The body of an update. */
export function updateBody(plan: Plan, fields: LinkedFields): CampaignFields {
  const updated = plan.fields.filter(({ applyUpdates, field }) => applyUpdates && field in fields);
  return Object.fromEntries(updated.map(({ field }) => [field, fields[field]]));
}

function keyValue({ key }: Plan, targetKey: string): FieldValue {
  const source = textSource(targetKey);
  return (source === undefined ? undefined : convert(source, key.type)) ?? targetKey;
}

/** `undefined`: the value cannot be converted. */
function fieldValue(plan: Plan, field: PlannedField, row: DataverseRow): FieldValue | undefined {
  const source = sourceOf(plan, field, row);
  return source === undefined ? undefined : convert(source, field.type);
}

function sourceOf(plan: Plan, field: PlannedField, row: DataverseRow): SourceValue | undefined {
  const { column, replacements } = field;
  const raw = row[column.property];
  const label = labelOf(row, column);
  const byLabel = plan.mapping.picklistValues === "Label" && field !== plan.key;
  if (replacements.size > 0) {
    const read = raw === null || raw === undefined ? "" : rawText(raw);
    const replaced = replacements.get(read) ?? (byLabel && label !== undefined ? replacements.get(label) : undefined);
    if (replaced !== undefined) return textSource(replaced);
  }
  return readValue(raw, column, { label, byLabel });
}

function notConverted({ column, field, type }: PlannedField): MappedRow {
  const message = `the value of the column ${column.name} (${column.type}) cannot be written to the field ${field} (${type})`;
  return { kind: "Refused", refusal: { reason: "ConversionFailed", message } };
}
