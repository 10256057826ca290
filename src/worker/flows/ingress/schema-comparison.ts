/**
 * What a change of metadata means for a mapping that fitted before it. Pure.
 *
 * A column or field that is gone, or of another kind, stops the mapping: its values are lost, or mean something else. What
 * only changes how values are converted is followed, with everything read again.
 */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { CampaignFieldType } from "../../campaign/interface.ts";
import type { ColumnType } from "../../dataverse/interface.ts";
import type { Doubt } from "../../queue/checkpoint.ts";
import type { SchemaUse, UsedColumn } from "./schema-use.ts";

type DriftReason = "ColumnMissing" | "FieldMissing" | "ColumnChanged" | "FieldChanged";

export interface Difference {
  /** `Follow`: with everything read again; `Stop`: until it is put back, or a person says that it is meant. */
  readonly means: "Follow" | "Stop";
  /** What was written since the last good check may have been ignored; values that are gone put all in doubt. */
  readonly doubt: Doubt;
  /** The Campaign field that is meant; absent: it is of Dataverse's side. */
  readonly field?: string;
  readonly reason: DriftReason;
  /** What changed, where, from what to what: names, types and labels. */
  readonly message: string;
}

/** @returns nothing: what the mapping uses is as it was */
export function compareUse(mapping: IngressMapping, before: SchemaUse, after: SchemaUse): readonly Difference[] {
  const columns = Object.keys(before.columns).flatMap((name) => columnDifferences(mapping, name, before, after));
  const fields = Object.keys(before.fields).flatMap((name) => fieldDifferences(mapping, name, before, after));
  return [...tableDifferences(mapping, before.table, after.table), ...columns, ...fields];
}

function tableDifferences({ table }: IngressMapping, was: SchemaUse["table"], is: SchemaUse["table"]): Difference[] {
  if (was.primaryId !== is.primaryId) {
    const message = `the table ${table} has another primary column: it was ${was.primaryId}, and is ${is.primaryId}`;
    return [{ means: "Stop", doubt: "None", reason: "ColumnChanged", message }];
  }
  if (!isOther(was.metadataId, is.metadataId) && was.entitySet === is.entitySet) return [];
  const message = `the table ${table} was made again, or has another entity set name: it was ${was.entitySet}, and is ${is.entitySet}`;
  return [{ means: "Follow", doubt: "None", reason: "ColumnChanged", message }];
}

function columnDifferences(mapping: IngressMapping, name: string, before: SchemaUse, after: SchemaUse): Difference[] {
  const was = before.columns[name];
  const is = after.columns[name];
  if (was === undefined) return [];
  const column = `the column ${name} of the table ${mapping.table}`;
  const found = (means: Difference["means"], what: string): Difference[] => [
    { means, doubt: "None", reason: "ColumnChanged", message: `${column} ${what}` },
  ];
  if (is === undefined) {
    const message = `${column} is gone, or this user may no longer see it: it was of type ${was.type}`;
    return [{ means: "Stop", doubt: "None", reason: "ColumnMissing", message }];
  }
  if (was.type !== is.type) {
    const fields = [mapping.key, ...mapping.fields].filter((field) => field.column === name);
    const isTaken = fields.every(({ field }) => isStillTaken(was.type, is.type, after.fields[field]?.type));
    const isFollowed = isOneOf(columnFamilies, was.type, is.type) && isTaken;
    return found(isFollowed ? "Follow" : "Stop", `has another type: it was ${was.type}, and is ${is.type}`);
  }
  const lost = (was.targets ?? []).filter((target) => !is.targets?.includes(target));
  if (lost.length > 0) {
    return found("Stop", `points at other tables: it was ${list(was.targets)}, and is ${list(is.targets)}`);
  }
  const unnamed = namedLabels(mapping, name).filter((label) => hasLabel(was, label) && !hasLabel(is, label));
  if (unnamed.length > 0) return found("Stop", `no longer has the label ${list(unnamed)}, which the mapping names`);
  if (was.dateTimeBehavior !== is.dateTimeBehavior) {
    const [from, to] = [was.dateTimeBehavior ?? "unknown", is.dateTimeBehavior ?? "unknown"];
    return found("Follow", `has another date and time behaviour: it was ${from}, and is ${to}`);
  }
  const relabelled = Object.entries(was.options ?? {}).filter(([value, label]) => is.options?.[value] !== label);
  if (is.options !== undefined && relabelled.length > 0) {
    return found("Follow", `has other labels for ${list(relabelled.map(([value]) => value))}`);
  }
  return isOther(was.metadataId, is.metadataId) ? found("Follow", "was dropped and made again") : [];
}

/** In Campaign, what a person changes may have changed the stored values too. */
function fieldDifferences(mapping: IngressMapping, name: string, before: SchemaUse, after: SchemaUse): Difference[] {
  const was = before.fields[name];
  const is = after.fields[name];
  if (was === undefined) return [];
  const field = `the field ${name} of the Campaign resource ${mapping.resource}`;
  const found = (means: Difference["means"], doubt: Doubt, what: string): Difference[] => [
    { means, doubt, field: name, reason: "FieldChanged", message: `${field} ${what}` },
  ];
  if (is === undefined) {
    const message = `${field} is gone: it was of type ${was.rawType}`;
    return [{ means: "Stop", doubt: "All", field: name, reason: "FieldMissing", message }];
  }
  if (was.type !== is.type) {
    const columns = [mapping.key, ...mapping.fields].filter((one) => one.field === name);
    const isTaken = columns.every(({ column }) => takes(is.type, after.columns[column]?.type));
    const isFollowed = isOneOf(fieldFamilies, was.type, is.type) && isTaken;
    return found(
      isFollowed ? "Follow" : "Stop",
      "All",
      `has another type: it was ${was.rawType}, and is ${is.rawType}`,
    );
  }
  if (was.target !== is.target) {
    return found("Stop", "All", `links to another resource: it was ${was.target}, and is ${is.target}`);
  }
  if (was.rawType !== is.rawType) {
    return found("Follow", "SinceGood", `has another type: it was ${was.rawType}, and is ${is.rawType}`);
  }
  if (was.dataPolicy !== is.dataPolicy || !isSameSet(was.values, is.values)) {
    return found("Follow", "SinceGood", "takes other values, or has another data policy");
  }
  return [];
}

const columnFamilies: readonly (readonly ColumnType[])[] = [
  ["String", "Memo"],
  ["Integer", "BigInt", "Decimal", "Double", "Money"],
];

const fieldFamilies: readonly (readonly CampaignFieldType[])[] = [
  ["integer", "number"],
  ["date", "datetime"],
];

function isOneOf<T>(families: readonly (readonly T[])[], a: T, b: T): boolean {
  return families.some((family) => family.includes(a) && family.includes(b));
}

/** Whether no value of a column is too much for a field that took the column as it was. */
function isStillTaken(was: ColumnType, is: ColumnType, field: CampaignFieldType | undefined): boolean {
  return field === undefined || takes(field, is) || !takes(field, was);
}

/** Whether every value of a column can be written to a field; columns of other families depend on their content. */
function takes(field: CampaignFieldType, column: ColumnType | undefined): boolean {
  return field !== "integer" || column === "Integer" || column === "BigInt";
}

/** Labels that the mapping's filter and replacements may mean. */
function namedLabels({ fields, filter }: IngressMapping, column: string): readonly string[] {
  const replaced = fields.flatMap((field) => (field.column === column ? (field.replacements ?? []) : []));
  const conditions = (filter?.conditions ?? []).filter((condition) => condition.column === column);
  const compared = conditions.flatMap(({ value, values = [] }) => (value === undefined ? values : [value, ...values]));
  return [...new Set([...replaced.map(({ from }) => from), ...compared])];
}

/** A filter compares without regard to case. */
function hasLabel({ options = {} }: UsedColumn, label: string): boolean {
  return Object.values(options).some((one) => one.toLowerCase() === label.toLowerCase());
}

/** Nobody promises an order. */
function isSameSet(was: readonly string[] | undefined, is: readonly string[] | undefined): boolean {
  if (was === undefined || is === undefined) return was === is;
  return new Set(was).symmetricDifference(new Set(is)).size === 0;
}

/** Whether both are known, and differ. */
function isOther(was: string | undefined, is: string | undefined): boolean {
  return was !== undefined && is !== undefined && was !== is;
}

function list(names: readonly string[] = []): string {
  return names.length === 0 ? "none" : names.join(", ");
}
