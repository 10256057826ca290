/** Fields that point at another mapping's record: fitted to both systems, read from a row, and filled in. Pure. */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { CampaignFieldMetadata } from "../../campaign/interface.ts";
import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";
import type { FieldValue } from "./convert.ts";
import type { Plan, PlannedField } from "./plan.ts";

export interface PlannedLink {
  readonly mandatory: boolean;
  readonly resource: string;
  /** The key field of that resource. */
  readonly key: string;
  /** The mapping that fills the resource, by its table. */
  readonly parent: string;
}

/** What a lookup column holds, until it is known what Campaign has of it. */
export interface Lookup {
  /** Primary id of the row that it points at, lower case. */
  readonly id: string;
  /** The row's table, when it is not the one whose records the link is for. */
  readonly table?: string;
}

/** Every mapped field of a row; which of them go out is decided at writing. */
export type MappedFields = Readonly<Record<string, FieldValue | Lookup>>;

/** The same with each lookup as the target's key in Campaign, or empty. */
export type LinkedFields = Readonly<Record<string, FieldValue>>;

type Field = IngressMapping["fields"][number];

/** @returns undefined for a field that is no link; what cannot be, and how to mend it, as text */
export function planLink(
  { column, field, link, replacements = [] }: Pick<Field, "column" | "field" | "link" | "replacements">,
  from: ColumnMetadata,
  to: CampaignFieldMetadata,
  mappings: readonly IngressMapping[],
): PlannedLink | undefined | string {
  if (link === undefined) return undefined;
  const { resource, key, mandatory } = link;
  const where = `the link of the field ${field}`;
  if (to.type !== "link") {
    return `${where}: in Campaign the field is no link but of type ${to.rawType}: take link out, or make the field a link to ${resource}`;
  }
  if (to.target !== undefined && to.target !== resource) {
    return `${where} names the resource ${resource}, and in Campaign the field points at ${to.target}: name that one`;
  }
  if (from.type !== "Lookup") return `${where}: the column ${column} is no lookup but of type ${from.type}`;
  if (replacements.length > 0)
    return `${where} takes no replacements: its value is the record that ${column} points at`;
  const parent = mappings.find((mapping) => mapping.resource === resource);
  if (parent === undefined) {
    return `${where}: no mapping of this workflow fills ${resource}, so nothing could ever be linked: add a mapping to it, or take link out`;
  }
  if (parent.key.field !== key) {
    return `${where} has the key ${key}, and the mapping ${parent.table} writes ${resource} by the key ${parent.key.field}: use that one`;
  }
  if (from.targets !== undefined && !from.targets.includes(parent.table)) {
    return `${where}: the column ${column} never points at ${parent.table}, which fills ${resource}; it points at ${from.targets.join(", ")}`;
  }
  return { mandatory, resource, key, parent: parent.table };
}

/** `null`: it is empty; `undefined`: it is no lookup's value. */
export function lookupOf(
  row: DataverseRow,
  { property }: ColumnMetadata,
  link: PlannedLink,
): Lookup | null | undefined {
  const raw = row[property];
  if (raw === null || raw === undefined || raw === "") return null;
  if (typeof raw !== "string") return undefined;
  const table = row[`${property}@Microsoft.Dynamics.CRM.lookuplogicalname`];
  const isForeign = typeof table === "string" && table !== link.parent;
  return { id: raw.toLowerCase(), ...(isForeign ? { table } : {}) };
}

/** A link of one record. */
export interface RecordLink {
  readonly field: PlannedField;
  readonly link: PlannedLink;
  readonly lookup: Lookup | null;
}

export function linksOf({ fields }: Plan, mapped: MappedFields): readonly RecordLink[] {
  return fields.flatMap((field) => {
    const value = mapped[field.field];
    if (field.link === undefined || value === undefined) return [];
    return { field, link: field.link, lookup: isLookup(value) ? value : null };
  });
}

/** @param keys the target's key in Campaign by the link's field; a link that is not among them is empty */
export function linked(mapped: MappedFields, keys: ReadonlyMap<string, string>): LinkedFields {
  return Object.fromEntries(
    Object.entries(mapped).map(([name, value]) => [name, isLookup(value) ? (keys.get(name) ?? null) : value]),
  );
}

function isLookup(value: FieldValue | Lookup): value is Lookup {
  return typeof value === "object" && value !== null;
}
