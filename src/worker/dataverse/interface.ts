/** What the flows may ask of Dataverse. Nothing here knows HTTP. */

/** A row as the Web API gives it: column name → JSON value; lookups as `_name_value`; annotations as `name@...`. */
export type DataverseRow = Readonly<Record<string, unknown>>;

/** Dataverse's attribute types that the flows tell apart; anything else arrives as `Other`. */
export type ColumnType =
  | "Boolean"
  | "Integer"
  | "BigInt"
  | "Decimal"
  | "Double"
  | "Money"
  | "String"
  | "Memo"
  | "DateTime"
  | "Picklist"
  | "State"
  | "Status"
  | "MultiSelectPicklist"
  | "Lookup"
  | "Uniqueidentifier"
  | "Other";

export interface ColumnMetadata {
  readonly name: string;
  readonly type: ColumnType;
  /** The property under which the row carries it: `_name_value` for a lookup, else `name`. */
  readonly property: string;
  /** Only for DateTime: how the value is to be read. */
  readonly dateTimeBehavior?: "UserLocal" | "DateOnly" | "TimeZoneIndependent";
  /** Only for DateTime: whether a time of day is shown. */
  readonly dateTimeFormat?: "DateOnly" | "DateAndTime";
  /** Only for a lookup: the tables it may point at. */
  readonly targets?: readonly string[];
  /** Only for a choice: its options, number → label in the user's language. */
  readonly options?: Readonly<Record<string, string>>;
  /** Another one under the same name is another column: the old one was dropped, with its values. */
  readonly metadataId?: string;
}

export interface TableMetadata {
  readonly table: string;
  readonly entitySet: string;
  readonly primaryId: string;
  /** Another one under the same name is another table. */
  readonly metadataId?: string;
  readonly changeTracking: boolean;
  /** The table has the column `versionnumber`, which stands in where a row comes without an ETag. */
  readonly versionNumber?: boolean;
  /** The columns asked for that exist; one that is missing here does not exist. */
  readonly columns: ReadonlyMap<string, ColumnMetadata>;
}

/** Where a tracked read goes on: a link of the service's own, followed as it is. */
export type ReadCursor =
  | { readonly kind: "snapshot" }
  | { readonly kind: "next"; readonly link: string }
  | { readonly kind: "delta"; readonly link: string };

export interface TrackedRecord {
  /** Primary id, lower case. */
  readonly id: string;
  /** The row version (from the ETag): of one record, the higher is the newer. */
  readonly version: bigint;
  readonly row: DataverseRow;
}

export interface TrackedPage {
  readonly records: readonly TrackedRecord[];
  /** Primary ids, lower case. Only in a delta. */
  readonly deletedIds: readonly string[];
  /** Another page follows. */
  readonly nextLink?: string;
  /** The last page: changes from here on are read by this link. */
  readonly deltaLink?: string;
  /** Of the organization's metadata as the page was read: another one means that something was published. */
  readonly schemaVersion?: string;
}

export interface TrackedRead {
  readonly metadata: TableMetadata;
  /** Logical names; the client turns lookups into `_name_value`. */
  readonly columns: readonly string[];
  readonly cursor: ReadCursor;
  /** At most 5000. */
  readonly pageSize: number;
  /** Whether formatted values (labels) are wanted. */
  readonly labels: boolean;
}

export interface Dataverse {
  /** Who we are: the organisation's id tells two worlds apart. */
  whoAmI(signal: AbortSignal): Promise<{ organizationId: string; userId: string }>;
  /** @throws DataverseError with code `TableMissing` */
  tableMetadata(table: string, columns: readonly string[], signal: AbortSignal): Promise<TableMetadata>;
  /** @throws DataverseError with code `DeltaTokenExpired` when a delta link is no longer honoured */
  readTracked(read: TrackedRead, signal: AbortSignal): Promise<TrackedPage>;
  /** How many records a table has, by a count of the last 24 hours; undefined when Dataverse does not tell. */
  estimatedRecords(table: string, signal: AbortSignal): Promise<number | undefined>;
  /** One record as it is now, or undefined when there is none. */
  readRecord(
    metadata: TableMetadata,
    id: string,
    columns: readonly string[],
    labels: boolean,
    signal: AbortSignal,
  ): Promise<TrackedRecord | undefined>;
}
