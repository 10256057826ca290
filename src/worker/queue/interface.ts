/**
 * The durable queue between a flow's reader and its writer, with everything that must change in one transaction with it:
 * where reading goes on, what was written, what was refused.
 *
 * Guarantees: a page's records and the checkpoint that follows them are committed together or not at all; of one record
 * the newest version is kept, at the place of the first; a leased record is nobody else's until its lease is over; the
 * counts are exact, and change in the same transaction as what they count. A resolved promise means: on disk.
 * Asynchronous, so that a database server fits behind it.
 */
import type { StoredRecords } from "./stored-records.ts";

/** Whose records the store holds. */
export interface StoreOwner {
  readonly organizationId: string;
  readonly campaignUrl: string;
  readonly workflow: { readonly name: string; readonly namespace: string; readonly uid: string };
}

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

/** What is known of a record in Campaign that this workflow wrote. */
export interface WrittenRecord {
  readonly targetKey: string;
  /**
   * `Inserting`: an insert was sent and its outcome is not known; `Unknown`: the same of an update; `Removing`: the same of
   * a deletion, so that the record may be gone by our own hand; `Known`: the last write was answered.
   */
  readonly certainty: "Inserting" | "Unknown" | "Removing" | "Known";
  /** Fingerprint of what an update would send; only when `Known`. */
  readonly hash?: string;
  /** The epoch of the check (see SchemaChecks) after which the hash was stored; absent: 0. */
  readonly checked?: number;
  readonly version: bigint;
  readonly generation: number;
  /**
   * Whether Campaign's record is no longer this one's. `Filter`: it left the filter, and its record stayed; `Key`: a newer
   * record has the same key, and is what Campaign holds.
   */
  readonly left: false | "Filter" | "Key";
}

export interface LeasedRecord {
  readonly mapping: string;
  readonly id: string;
  /** The row in the store, its revision and whose lease it is. */
  readonly ticket: { readonly seq: number; readonly revision: number; readonly token: number };
  /** `Delete`: it left the filter. What is gone at its source is an `Upsert` without content: reading it tells. */
  readonly operation: "Upsert" | "Delete";
  readonly content?: RecordContent;
  readonly version?: bigint;
  readonly generation: number;
  readonly replay: boolean;
  readonly attempts: number;
  readonly written?: WrittenRecord;
  /** Whether Campaign had this key when the first load listed it; absent: it was not listed. */
  readonly listedThere?: boolean;
}

/** A record of this store that another points at. */
export interface Parent {
  readonly mapping: string;
  readonly id: string;
}

/** What a leased record wants to know of a parent. */
export interface ParentQuestion extends Parent {
  /** It is not written without this parent. */
  readonly isMandatory: boolean;
  /** It was written before without this field's changes, so it waits for the parent only if it does already. */
  readonly onlyIfOwed: boolean;
}

export type ParentStanding =
  /** Campaign has it; `isOwed`: the record was written without the link, or the parent was made anew since. */
  | { readonly kind: "There"; readonly targetKey: string; readonly isOwed: boolean }
  /** It waits itself, or its table is still read, or it is asked for: what becomes of it will be told. */
  | { readonly kind: "Awaited" }
  /** `Cycle`: it waits, directly or not, for the record that asks. `Refused`: for that reason. */
  | { readonly kind: "Absent"; readonly why: "Gone" | "FilteredOut" | "Cycle" }
  | { readonly kind: "Absent"; readonly why: "Refused"; readonly reason: string };

/** How a leased record's turn ended. */
export type Settlement =
  /**
   * Campaign has it as `written` says, or nothing had to be sent; `linked`: with links to these; absent: nothing was said
   * of links, and those that it has stay.
   */
  | {
      readonly kind: "Written";
      readonly written: WrittenRecord;
      readonly sent: boolean;
      readonly linked?: readonly Parent[];
    }
  /** It waits, and nobody takes it, until one of its parents has changed or it has itself. */
  | { readonly kind: "Park" }
  /** It is gone, or was never to be there: nothing is remembered. */
  | { readonly kind: "Removed"; readonly sent: boolean }
  /** It is outside the filter and stays in Campaign. */
  | { readonly kind: "Left"; readonly version: bigint }
  /** Outside the filter, and to be deleted when the guard allows. */
  | { readonly kind: "RemoveLater"; readonly version: bigint }
  /** Definitely not written: what `written` said before holds again. */
  | {
      readonly kind: "Retry";
      readonly before: WrittenRecord | undefined;
      readonly afterMs: number;
      readonly counts: boolean;
    }
  /** It may have been written: the key stays out until its lease is over. */
  | { readonly kind: "Unknown" }
  /** Refused for good, definitely not written. */
  | {
      readonly kind: "Dead";
      readonly before: WrittenRecord | undefined;
      readonly refusal: Refusal;
      readonly version?: bigint;
    };

/**
 * Whether a call may be sent. `Begun`: yes. `BegunBeside`: yes, and another record has written the same key, so Campaign
 * may have it. `Superseded`: no, the record was changed meanwhile, and is due again. `KeyBusy`: no, a call for another
 * record of the same key is under way. `KeyTaken`: no; of a write: a newer record has the key, and this one is remembered
 * beside it; of a deletion: another record has the key too, so this one is forgotten and Campaign's record becomes that
 * one's. `LinkedForNow`, `StillLinked`: no deletion while records have mandatory links to this one, of which one waits for
 * its turn, or none.
 */
export type Leave = "Begun" | "BegunBeside" | "Superseded" | "KeyBusy" | "KeyTaken" | "LinkedForNow" | "StillLinked";

export interface MappingCounts {
  readonly pending: number;
  /** Of those pending: that wait for another record. */
  readonly parked: number;
  /** Of those pending: deletions that wait for the round's or the table's end, or for a person. Absent: the store does not tell. */
  readonly held?: number;
  readonly dead: number;
  /** Records that this workflow wrote and that are in Campaign as far as it knows. */
  readonly written: number;
  /** Records that were read since the first load began, each as often as it was read. */
  readonly totalRead: number;
  /** Records that a call made, changed or removed in Campaign since the first load began. */
  readonly totalWritten: number;
  /** Milliseconds since 1970; absent: nothing was written yet. */
  readonly lastWrittenAt?: number;
}

/** Why the store cannot be used now, in words for status. */
export interface Outage {
  readonly reason: string;
  readonly message: string;
}

/** The right to change where the reading of a mapping stands. */
export interface Reading {
  /** Aborts when another process has it, because this one seemed to be gone. */
  readonly lost: AbortSignal;
  end(): Promise<void>;
}

export interface Queue {
  /** Single records, for whoever asks after one. */
  readonly records: StoredRecords;
  /**
   * Records the owner at the first call; afterwards only the same one passes (a workflow's uid may change).
   * @throws StoreError `StoreBelongsToAnother`
   */
  claim(owner: StoreOwner): Promise<void>;
  /**
   * The reading of a mapping, which one process has at a time; until it has ended, only that one can save a checkpoint,
   * and commit what goes with one. undefined: another process has it.
   */
  read(mapping: string): Promise<Reading | undefined>;
  checkpoints(): Promise<readonly Checkpoint[]>;
  /** Saves a checkpoint by itself: a new mapping, a pause, another phase. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /**
   * A new generation begins: queued records become keys that are read again, and its checkpoint is saved. Interrupted, some
   * are keys already, and the generation has not begun.
   */
  beginGeneration(checkpoint: Checkpoint): Promise<void>;
  /** Removes everything of a mapping. Interrupted, it leaves a checkpoint whose mapping hash is no mapping's. */
  dropMapping(mapping: string): Promise<void>;

  commitPage(page: PageCommit): Promise<PageResult>;
  /** Every file that was ever begun. */
  files(): Promise<readonly StoredFile[]>;
  /**
   * Keeps how far a file was read, with the records that came of it: of several mappings, all or none. To be called by who
   * reads the first of them; of one mapping, an id comes once.
   */
  commitFile(file: StoredFile, pages: FilePages): Promise<void>;
  /** Remembers which keys Campaign has, with the checkpoint after them. */
  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void>;
  /** Nobody asks for the listing any more. */
  forgetListing(mapping: string): Promise<void>;
  /** How many written records the generation did not see. */
  countUnseen(mapping: string, generation: number): Promise<number>;
  /** Lets go of inferred deletions that were withheld. */
  releaseWithheld(mapping: string): Promise<void>;
  /**
   * Takes the written records that the generation did not see, a part at a time: they are read again, to be removed if they
   * are gone, or are forgotten. Done once more, it finds nothing.
   * @param after where the part begins; absent: at the beginning
   * @returns where the next part begins; undefined: it was the last
   */
  sweep(mapping: string, generation: number, remove: boolean, after?: string): Promise<string | undefined>;

  /**
   * The oldest records that are due, for `leaseMs`: those that changed, then those that were read with their whole table,
   * then those that were tried before. Of each kind one goes along whenever the limit allows. None to a process that has
   * not seen the checkpoint of the mapping's newest generation.
   */
  lease(mapping: string, limit: number, leaseMs: number): Promise<readonly LeasedRecord[]>;
  /**
   * To be called before each writing call to Campaign: records that the outcome is unknown from now on, and renews the
   * lease. A certainty `Removing` means a deletion.
   */
  begin(record: LeasedRecord, written: WrittenRecord, leaseMs: number): Promise<Leave>;
  settle(record: LeasedRecord, settlement: Settlement): Promise<void>;
  /**
   * Whether Campaign has the parents of a leased record, in order. The store remembers them in place of those asked for
   * before: when one lands, or is found not to, or goes, the record is due again by itself.
   */
  askParents(record: LeasedRecord, questions: readonly ParentQuestion[]): Promise<readonly ParentStanding[]>;
  /** Gives back records that nothing was done for. */
  giveBack(records: readonly LeasedRecord[]): Promise<void>;

  /** Exact; by mapping. */
  counts(): Promise<ReadonlyMap<string, MappingCounts>>;
  /** Forgets refusals that are older. */
  forgetRefusals(olderThanMs: number): Promise<number>;
  /** A keyed hash: it tells whether two texts are the same to this store and nobody else. */
  fingerprint(text: string): string;
  /** Other processes of the workflow may use it at the same time. */
  readonly isShared: boolean;
  /** The store failed of late: calls end with StoreOutage until it is over. */
  readonly outage: Outage | undefined;
  close(): Promise<void>;
}
