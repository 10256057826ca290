/** What a reader hands to the store: records as it found them, with the checkpoint that follows them. */
import type { Checkpoint } from "./checkpoint.ts";

/** One record as the reader found it. */
export type Incoming =
  | {
      readonly kind: "Upsert";
      readonly id: string;
      readonly version: bigint;
      /** Absent: only the key is kept, and the record is read again when its turn comes. */
      readonly content?: RecordContent;
    }
  | { readonly kind: "Delete"; readonly id: string }
  /** There, but outside the filter. */
  | { readonly kind: "FilteredOut"; readonly id: string; readonly version: bigint; readonly remove: boolean }
  /** There, but it cannot be converted. */
  | { readonly kind: "Refused"; readonly id: string; readonly version: bigint; readonly refusal: Refusal };

export interface RecordContent {
  /** The value of the key field in Campaign. */
  readonly targetKey: string;
  /** The mapped fields, as text. */
  readonly payload: string;
}

/** Why a record was refused for good. Names of fields and types, never values. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** Deletions wait until the round or the table is read to its end, for a record may come up again in it. */
export type Stage = "Round" | "Snapshot";

export interface PageCommit {
  /** The state after this page. */
  readonly checkpoint: Checkpoint;
  readonly records: readonly Incoming[];
  readonly stage: Stage;
  /** Written with every field, whatever was written before. */
  readonly replay: boolean;
  /** Read by a first load whose Campaign records are listed. */
  readonly listed: boolean;
  /** The last page: what waited for it is let go, inferred deletions only up to this number. */
  readonly release?: { readonly inferredLimit: number };
}

export interface PageResult {
  /** Records that now wait or were refused. */
  readonly taken: number;
  /** Inferred deletions that were not let go, for they were above the limit. */
  readonly withheld: number;
}

/** How far an exported file was read, in its reader's own words. */
export interface StoredFile {
  readonly name: string;
  readonly progress: string;
}

/** What came of a part of a file: first the mapping that stands for the reading of files, then those of its records. */
export type FilePages = readonly [PageCommit, ...PageCommit[]];
