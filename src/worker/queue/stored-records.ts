/** What the store can say of single records, and how refused ones come back. Beside the queue's own work, and rare. */
import type { Refusal, Stage } from "./page.ts";
import type { Parent, WrittenRecord } from "./turn.ts";

/** What is asked for: a row of the source, or every row that has a key in Campaign. */
export interface AskedRecord {
  readonly id: string;
  readonly targetKey: string;
}

/** A record that waits. Times are milliseconds since 1970. */
export interface StoredPending {
  /** `Delete`: it left the filter. */
  readonly operation: "Upsert" | "Delete";
  readonly version?: bigint;
  /** Not so: it is read again at its turn. */
  readonly hasContent: boolean;
  /** It waits for the end of the round or of the table, or until a person agrees to many deletions. */
  readonly held?: Stage;
  /** It is parked until each of these is in Campaign, or is known never to be. */
  readonly waitsFor?: readonly Parent[];
  readonly firstReadAt: number;
  readonly attempts: number;
  /** `Leased`: in the writer's hands; `Begun`: a call for it was sent, and its end is not recorded. */
  readonly turn: "Queued" | "Leased" | "Begun";
  /** Until the next try, or until the lease is over; 0: it is due, or its time is not known. */
  readonly dueInMs: number;
}

export interface StoredRecord {
  readonly id: string;
  /** What it was found by: its id, its key in Campaign, or both. */
  readonly foundBy: readonly ("Id" | "TargetKey")[];
  readonly pending?: StoredPending;
  readonly dead?: Refusal & { readonly version?: bigint; readonly refusedAt: number };
  /** `writtenAt`: absent when an older program wrote it, or it was not sent because Campaign had it so. */
  readonly written?: WrittenRecord & { readonly writtenAt?: number };
}

/** Which refusals are meant; what is absent selects nothing away. */
export interface RefusalSelection {
  readonly mapping?: string;
  readonly id?: string;
  readonly reason?: string;
  readonly exceptReason?: string;
}

/** Where a refusal stands in a list: the newest first. */
export interface RefusalPlace {
  /** Milliseconds since 1970. */
  readonly refusedAt: number;
  readonly mapping: string;
  readonly id: string;
}

export interface StoredRefusal extends Refusal, RefusalPlace {
  readonly version?: bigint;
}

export interface RefusalCount {
  readonly mapping: string;
  readonly reason: string;
  readonly records: number;
}

export interface StoredRecords {
  /** A few at most, though many rows may share a key. May read every row that waits for the mapping. */
  look(mapping: string, asked: AskedRecord): Promise<readonly StoredRecord[]>;
  /** The newest refusals, or those that follow a place. */
  refusals(selection: RefusalSelection, limit: number, after?: RefusalPlace): Promise<readonly StoredRefusal[]>;
  countRefusals(selection: RefusalSelection): Promise<readonly RefusalCount[]>;
  /**
   * Refused records become records to be read again at their turn; each in one transaction with its refusal's end. One
   * that waits already stays as it is. Interrupted, it has done a part, and can be done again.
   * @param replay written with every field, and made again if it is gone from Campaign
   * @returns how many
   */
  redrive(selection: RefusalSelection, replay: boolean): Promise<number>;
}
