/** Table and column definitions, in the terms of Dataverse's metadata. */

export const columnTypes = [
  "Uniqueidentifier",
  "String",
  "Memo",
  "Integer",
  "BigInt",
  "Decimal",
  "Double",
  "Money",
  "Boolean",
  "DateTime",
  "Picklist",
  "State",
  "Status",
  "MultiSelectPicklist",
  "Lookup",
  "Customer",
  "Owner",
] as const;
type ColumnType = (typeof columnTypes)[number];

export interface Choice {
  readonly value: number;
  readonly label: string;
}

interface Navigation {
  /** From the row to its target: `regardingobjectid_account_task`. */
  readonly property?: string;
  /** From the target to the rows that point at it: `Account_Tasks`. */
  readonly collection?: string;
}

export interface Column {
  /** Logical name, lower case. */
  readonly name: string;
  readonly type: ColumnType;
  readonly label?: string;
  /** String and Memo. */
  readonly maxLength?: number;
  /** Picklist, State, Status, MultiSelectPicklist; and Boolean's two labels. */
  readonly options?: readonly Choice[];
  /** DateTime. */
  readonly dateTimeBehavior?: "UserLocal" | "DateOnly" | "TimeZoneIndependent";
  readonly dateTimeFormat?: "DateOnly" | "DateAndTime";
  /** Lookup, Customer, Owner: logical names of tables. */
  readonly targets?: readonly string[];
  /** Lookup: the navigation properties of a target where they are not the usual ones. */
  readonly navigation?: Readonly<Record<string, Navigation>>;
  /** The service sets it; a write that names it is ignored or refused as Dataverse does. */
  readonly readOnly?: boolean;
  /** How many of this name there were before, dropped since. The organisation sets it; the MetadataId follows it. */
  readonly predecessors?: number;
}

export interface Table {
  /** Logical name. */
  readonly name: string;
  readonly entitySet: string;
  readonly primaryId: string;
  readonly primaryName: string;
  readonly changeTracking: boolean;
  /** Alternate keys: each a list of column names. */
  readonly keys: readonly (readonly string[])[];
  readonly columns: readonly Column[];
  /** Its rows are activities: what activitypointer declares, they have too. */
  readonly isActivity?: boolean;
  /** Whether it has CreateMultiple, UpdateMultiple and UpsertMultiple; it has when left out (bulk-operations.md, Availability). */
  readonly bulkMessages?: boolean;
  /** As a column's. */
  readonly predecessors?: number;
}

interface LookupValue {
  readonly table: string;
  readonly id: string;
}

/** null: empty. A multi-select list is a comma-separated string, as on the wire. */
export type CellValue = string | number | boolean | null | LookupValue;

/** Column logical name → value; a column left out is null. */
export type Cells = Readonly<Record<string, CellValue>>;

export function isLookup(column: Column): boolean {
  return column.type === "Lookup" || column.type === "Customer" || column.type === "Owner";
}

/** The property under which a row carries the column: `_name_value` for lookups. */
export function propertyOf(column: Column): string {
  return isLookup(column) ? `_${column.name}_value` : column.name;
}

/** The single-valued navigation property for one target: `parentcustomerid_account`, or the bare name with one target. */
export function navigationProperty(column: Column, target: string): string {
  return column.navigation?.[target]?.property ?? usualNavigationProperty(column, target);
}

/**
 * Whether a property leads from a row to the column's target. An activity has the properties of its own table
 * (`regardingobjectid_contact_task`) and those that it inherits from activitypointer (`regardingobjectid_contact`).
 */
export function navigatesTo(table: Table, column: Column, target: string, property: string): boolean {
  if (navigationProperty(column, target) === property) return true;
  return table.isActivity === true && usualNavigationProperty(column, target) === property;
}

function usualNavigationProperty(column: Column, target: string): string {
  return (column.targets?.length ?? 1) > 1 && column.type !== "Owner" ? `${column.name}_${target}` : column.name;
}
