/** A mapping fitted to both systems' metadata: what is read, how a value is converted, what fits nowhere. Pure. */
import { createHash } from "node:crypto";
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { CampaignFieldMetadata, CampaignFieldType, CampaignResourceMetadata } from "../../campaign/interface.ts";
import type { ColumnMetadata, TableMetadata } from "../../dataverse/interface.ts";
import { convert, type FieldValue, textSource } from "./convert.ts";
import { compileFilter, FilterError, needsLabels, type RowFilter } from "./filter.ts";
import { hasLabel } from "./labels.ts";
import { type PlannedLink, planLink } from "./plan-link.ts";

export interface PlannedField {
  readonly column: ColumnMetadata;
  readonly field: string;
  readonly type: CampaignFieldType;
  readonly applyUpdates: boolean;
  /** By exact value. */
  readonly replacements: ReadonlyMap<string, string>;
  readonly link?: PlannedLink;
}

export interface Plan {
  readonly mapping: IngressMapping;
  readonly table: TableMetadata;
  /** Logical names of all columns that are read. */
  readonly columns: readonly string[];
  readonly labels: boolean;
  readonly key: PlannedField;
  readonly fields: readonly PlannedField[];
  readonly constants: Readonly<Record<string, FieldValue>>;
  readonly passes: RowFilter;
}

/** Why a mapping cannot run as it is: what does not fit, and where. */
export interface Misfit {
  readonly reason:
    | "ColumnMissing"
    | "FieldMissing"
    | "ChangeTrackingOff"
    | "FilterInvalid"
    | "ConstantInvalid"
    | "LinkInvalid"
    | "FieldNotUpdatable";
  readonly message: string;
}

/** Logical names of the columns that a mapping reads: its key's, its fields' and its filter's. */
export function columnsOf(mapping: IngressMapping): readonly string[] {
  const names = [
    mapping.key.column,
    ...mapping.fields.map(({ column }) => column),
    ...(mapping.filter?.conditions ?? []).map(({ column }) => column),
  ];
  return [...new Set(names)].sort();
}

/**
 * `identity`: another one means another set of records, so the mapping begins anew. `content`: of what decides which
 * fields get which values from which rows; another one means that everything is read again. `applyDeletes`, `constants`
 * and `replay` are in neither: they act from the next record on.
 */
export function mappingHash({ table, resource, key, fields, filter, picklistValues }: IngressMapping): string {
  return `${digest({ table, resource, key })}.${digest({ fields, filter, picklistValues })}`;
}

/** Whether two hashes speak of the same records in both systems. */
export function isSameIdentity(hash: string, other: string): boolean {
  return hash.split(".")[0] === other.split(".")[0];
}

function digest(content: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(content)))
    .digest("hex")
    .slice(0, 16);
}

/** @param mappings all of the workflow: links point from one to another */
export function planMapping(
  mapping: IngressMapping,
  table: TableMetadata,
  resource: CampaignResourceMetadata,
  mappings: readonly IngressMapping[],
): Plan | readonly Misfit[] {
  const misfits: Misfit[] = [];
  const add = (reason: Misfit["reason"], message: string) => void misfits.push({ reason, message });
  if (!table.changeTracking) {
    add(
      "ChangeTrackingOff",
      `the table ${table.table} does not track changes: switch on "Track changes" in Dynamics 365`,
    );
  }
  const columns = columnsOf(mapping);
  for (const name of columns.filter((column) => !table.columns.has(column))) {
    add("ColumnMissing", `the table ${table.table} has no column ${name} that this user may see`);
  }
  for (const name of fieldNames(mapping).filter((field) => !resource.fields.has(field))) {
    add("FieldMissing", `the Campaign resource ${resource.resource} has no field ${name}`);
  }
  for (const { field, applyUpdates } of mapping.fields) {
    if (!applyUpdates || resource.fields.get(field)?.insertOnly === undefined) continue;
    const remedy = "set applyUpdates: false on it, or take it out";
    add(
      "FieldNotUpdatable",
      `Campaign v8 takes ${field} when a record is made, and refuses it in an update: ${remedy}`,
    );
  }
  const constants = constantsOf(mapping, resource.fields, add);
  const passes = filterOf(mapping, table.columns, add);
  const invalidLink = (message: string) => add("LinkInvalid", message);
  const planned = (field: IngressMapping["fields"][number]) => planField(field, table, resource, mappings, invalidLink);
  const key = planned({ ...mapping.key, applyUpdates: false });
  const fields = mapping.fields.flatMap((field) => planned(field) ?? []);
  if (misfits.length > 0 || key === undefined || passes === undefined) return misfits;
  const usesLabels =
    mapping.picklistValues === "Label" && fields.some(({ column, link }) => link === undefined && hasLabel(column));
  return {
    mapping,
    table,
    columns,
    labels: usesLabels || needsLabels(mapping.filter, table.columns),
    key,
    fields,
    constants,
    passes,
  };
}

function planField(
  mapped: IngressMapping["fields"][number],
  table: TableMetadata,
  resource: CampaignResourceMetadata,
  mappings: readonly IngressMapping[],
  invalidLink: (message: string) => void,
): PlannedField | undefined {
  const { column, field, applyUpdates, replacements = [] } = mapped;
  const from = table.columns.get(column);
  const to = resource.fields.get(field);
  if (from === undefined || to === undefined) return undefined;
  const link = planLink(mapped, from, to, mappings);
  if (typeof link === "string") {
    invalidLink(link);
    return undefined;
  }
  return {
    column: from,
    field,
    type: to.type,
    applyUpdates,
    replacements: new Map(replacements.map((replacement) => [replacement.from, replacement.to])),
    ...(link === undefined ? {} : { link }),
  };
}

function fieldNames({ key, fields, constants = [] }: IngressMapping): readonly string[] {
  return [key.field, ...fields.map(({ field }) => field), ...constants.map(({ field }) => field)];
}

function constantsOf(
  { constants = [] }: IngressMapping,
  fields: ReadonlyMap<string, CampaignFieldMetadata>,
  add: (reason: "ConstantInvalid", message: string) => void,
): Readonly<Record<string, FieldValue>> {
  const converted: Record<string, FieldValue> = {};
  for (const { field, value } of constants) {
    const type = fields.get(field)?.type ?? "other";
    const source = textSource(value);
    const result = source === undefined ? undefined : convert(source, type);
    if (result === undefined) add("ConstantInvalid", `constants: the value for ${field} cannot be read as ${type}`);
    else converted[field] = result;
  }
  return converted;
}

function filterOf(
  { filter }: IngressMapping,
  columns: ReadonlyMap<string, ColumnMetadata>,
  add: (reason: "FilterInvalid", message: string) => void,
): RowFilter | undefined {
  if ((filter?.conditions ?? []).some(({ column }) => !columns.has(column))) return undefined; // Said already.
  try {
    return compileFilter(filter, columns);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    add("FilterInvalid", error.message);
    return undefined;
  }
}

/** The same content in the same order of names, however it was written. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) => [name, sorted(entry)]),
  );
}
