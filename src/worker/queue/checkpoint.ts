/** Where the reading of a mapping stands, and what is known of its metadata: what the store keeps of each. */

/** Why a table is read from its beginning. */
export type SnapshotPurpose = "FirstLoad" | "Resync" | "Replay";

/** How far the reading of a table has come. */
export interface SnapshotProgress {
  readonly readRecords: number;
  /** How many records the table has, by a count that Dataverse makes once a day; absent when it did not tell. */
  readonly estimatedRecords?: number;
}

/** Where the reading of one mapping stands. */
export interface Checkpoint {
  readonly mapping: string;
  /** Of the configuration that made the queued rows. */
  readonly mappingHash: string;
  /** Counts the complete readings: what was not seen in the newest one is gone at its source. */
  readonly generation: number;
  /** The last value of `replay` that was handled. */
  readonly replay?: string;
  readonly delta?: {
    readonly link: string;
    /** Milliseconds since 1970, by the store's clock. */
    readonly issuedAt: number;
    /** The next page of a round that is half read. */
    readonly nextLink?: string;
  };
  readonly snapshot?: {
    readonly purpose: SnapshotPurpose;
    readonly nextLink?: string;
    readonly sweeping: boolean;
    readonly progress?: SnapshotProgress;
  };
  /** Only until everything that Campaign has at the first load is listed. */
  readonly listing?: { readonly nextLink?: string };
  readonly pause?: Pause;
  readonly checks?: SchemaChecks;
}

/** Which hashes may no longer tell what Campaign holds: none; of what was written since the last good check; all. */
export type Doubt = "None" | "SinceGood" | "All";

/** What is known of how a mapping's metadata was, and of what was written meanwhile. */
export interface SchemaChecks {
  /** What the mapping used of both systems' metadata when it last fitted, as text; absent: this mapping never did. */
  readonly use?: string;
  /** The number of the newest check: hashes carry the one at which they were stored. */
  readonly epoch: number;
  /** What was written up to this one was in Campaign before a check that found nothing. */
  readonly good: number;
  /** First and last epochs, ascending, whose hashes are not believed. */
  readonly doubted: readonly (readonly [number, number])[];
  /** The metadata does not fit, or did not for a time and it was not gone on yet. */
  readonly drift?: Doubt;
  /** Fields that lost their values in Campaign: of records stored up to this epoch. */
  readonly lost?: Readonly<Record<string, number>>;
}

export interface Pause {
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The mapping's value of `replay` when it was paused: only another one ends the pause. */
  readonly replay?: string;
}
