/** Fields that point at another mapping's record: read from a row, and filled in. Pure. */
import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";
import type { FieldValue } from "./convert.ts";
import type { Plan, PlannedField } from "./plan.ts";
import type { PlannedLink } from "./plan-link.ts";

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
