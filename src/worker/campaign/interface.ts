/** What the flows may ask of Adobe Campaign. Nothing here knows HTTP. */

/** A record's fields as the REST API gives and takes them; to be written, those inside an item by their paths. */
export type CampaignFields = Readonly<Record<string, unknown>>;

export type CampaignFieldType = "string" | "integer" | "number" | "boolean" | "date" | "datetime" | "link" | "other";

export interface CampaignFieldMetadata {
  /** Of a field inside an item its path: `location.city`. */
  readonly name: string;
  readonly type: CampaignFieldType;
  /** The type by Campaign's own name. */
  readonly rawType: string;
  /** Only for an enumeration: the values it takes. */
  readonly values?: readonly string[];
  /** Only for a link: the resource it points at. */
  readonly target?: string;
  /** What Campaign makes of a value before it stores it: `smartCase`, ... Source: metadata-mechanism.md */
  readonly dataPolicy?: string;
  /** Campaign takes it when a record is made, and not when one is updated. */
  readonly insertOnly?: true;
}

export interface CampaignResourceMetadata {
  readonly resource: string;
  readonly fields: ReadonlyMap<string, CampaignFieldMetadata>;
}

/** Opaque and may change: kept in memory while in use, never stored. Source: must-read.md */
export interface CampaignRecord {
  readonly href: string;
  readonly fields: CampaignFields;
}

export interface CampaignPage {
  readonly records: readonly CampaignRecord[];
  /** Absent on the last page. */
  readonly nextLink?: string;
}

/** How a record is found. `field` is the mapping's key field. */
export interface CampaignKey {
  readonly resource: string;
  readonly field: string;
  readonly value: string;
}

/**
 * Every write resolves only on a definite answer of Campaign's.
 * @throws CampaignError, whose `outcome` says what is known: `NotSent`, `Refused` (definitely not written), `Unknown`
 */
export interface Campaign {
  resourceMetadata(resource: string, signal: AbortSignal): Promise<CampaignResourceMetadata>;
  list(resource: string, pageSize: number, nextLink: string | undefined, signal: AbortSignal): Promise<CampaignPage>;
  /** Every record that has this key: none, one, or (a key is not always unique there) several. */
  findByKey(key: CampaignKey, signal: AbortSignal): Promise<readonly CampaignRecord[]>;
  /**
   * Whether Campaign surely refuses a second record with such a key, so that nobody need look before an insert; false when
   * that is not known.
   */
  refusesDuplicates(key: CampaignKey, signal: AbortSignal): Promise<boolean>;
  insert(resource: string, fields: CampaignFields, signal: AbortSignal): Promise<void>;
  /**
   * Updates by key: one call where the resource allows PATCH by its identification key, else a look-up and a PATCH.
   * @param lookFirst what is missing is never made, also by an instance whose PATCH makes it: where that was not seen to be
   * refused, it is a look-up and a PATCH
   * @returns `Missing` when no record has the key
   */
  updateByKey(
    key: CampaignKey,
    fields: CampaignFields,
    signal: AbortSignal,
    lookFirst?: "LookFirst",
  ): Promise<"Updated" | "Missing">;
  /** @returns `Missing` when no record has the key: as good as deleted. */
  deleteByKey(key: CampaignKey, signal: AbortSignal): Promise<"Deleted" | "Missing">;
}
