/** A record in a writer's hands, from its lease to its end. */
import type { RecordContent, Refusal } from "./page.ts";

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
