/**
 * The durable queue between a flow's reader and its writer, with everything that must change in one transaction with it:
 * where reading goes on, what was written, what was refused.
 *
 * Guarantees: a page's records and the checkpoint that follows them are committed together or not at all; of one record
 * the newest version is kept, at the place of the first; a leased record is nobody else's until its lease is over; the
 * counts are exact, and change in the same transaction as what they count. A resolved promise means: on disk.
 * Asynchronous, so that a database server fits behind it.
 */
import type { Checkpoint } from "./checkpoint.ts";
import type { StoredContacts } from "./contacts.ts";
import type { FilePages, PageCommit, PageResult, StoredFile } from "./page.ts";
import type { StoredRecords } from "./stored-records.ts";
import type { LeasedRecord, Leave, ParentQuestion, ParentStanding, Settlement, WrittenRecord } from "./turn.ts";

/** Whose records the store holds. */
export interface StoreOwner {
  readonly organizationId: string;
  readonly campaignUrl: string;
  readonly workflow: { readonly name: string; readonly namespace: string; readonly uid: string };
}

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
  /** Of all processes that share the store, over the last minute; absent: there are no others, or nobody can tell yet. */
  readonly pace?: { readonly writtenPerSecond: number; readonly donePerSecond: number };
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
  /** Contacts of a workflow of type OptInOut. */
  readonly contacts: StoredContacts;
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
  /** The process must end: what waits for the store fails now with StoreOutage, and so does what is asked from now on. */
  abandon(): void;
  close(): Promise<void>;
}
