/**
 * Contacts whose opt-outs are to be decided, and what was agreed of each. A contact waits once, with everything that was
 * told of it. What the texts say is the flow's own affair.
 */
import type { Checkpoint } from "./checkpoint.ts";
import type { PageCommit, StoredFile } from "./page.ts";
import type { LeasedRecord } from "./turn.ts";

/** Something was told of a contact. */
export interface Notice {
  readonly id: string;
  readonly told: string;
}

/** What was read, and where reading stands after it: all of it or nothing. */
export interface NoticeCommit {
  /** The mapping whose contacts they are, and whose reading this process has. */
  readonly mapping: string;
  readonly generation: number;
  readonly notices: readonly Notice[];
  /** What a contact waits with, which waited before. */
  readonly merge: (before: string, told: string) => string;
  /** Read with the whole table: what changed has its turn first. */
  readonly bulk: boolean;
  /** Of this mapping, or of another that goes with it. */
  readonly checkpoint?: Checkpoint;
  /** How far the file was read that they come from, and its lines that were not understood. */
  readonly file?: { readonly progress: StoredFile; readonly refused: PageCommit };
}

/** How a leased contact's turn ended. */
export type ContactEnd =
  /** Nothing waits, unless more was told meanwhile. `sent`: a call wrote. */
  | { readonly kind: "Decided"; readonly sent: boolean }
  /** It is looked at again after this time, or sooner when something is told of it. `parked`: it waits for its profile. */
  | { readonly kind: "Later"; readonly afterMs: number; readonly parked: boolean; readonly sent: boolean }
  /** A write may still land: nobody takes it before its lease is over. */
  | { readonly kind: "Unanswered" };

/** The audit of opt-outs, where several processes share a database and have no volume. */
export interface StoredAudit {
  append(records: readonly { readonly atMs: number; readonly text: string }[]): Promise<void>;
  /** @returns how many records went */
  forget(olderThanMs: number): Promise<number>;
}

export interface StoredContacts {
  tell(commit: NoticeCommit): Promise<void>;
  /** What is kept of these contacts, by id. A contact in somebody's hands is changed by nobody else. */
  agreements(mapping: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * To be called before each write: keeps what is to be known if its end is never heard, and renews the lease.
   * @returns false when the lease is over: then nothing may be written
   */
  begin(record: LeasedRecord, agreement: string, leaseMs: number): Promise<boolean>;
  /**
   * Keeps what is agreed (undefined: nothing any more) together with the end of the turn.
   * @returns false when the lease was over, and nothing was kept
   */
  end(record: LeasedRecord, agreement: string | undefined, end: ContactEnd): Promise<boolean>;
  /** Those that wait for a profile are due now. */
  lookAgain(mapping: string): Promise<void>;
  /** Absent where there is a volume for it. */
  readonly audit?: StoredAudit;
  /** Forgets how far files were read: all are read again from their beginnings. */
  forgetFiles(mapping: string): Promise<void>;
}
