/**
 * What becomes of a record that was read, given what the store knows of it. Pure: the same for every store.
 *
 * Invariants: no version replaces a newer one; whatever the source has ends up waiting, written, refused or left out;
 * a deletion and an upsert of one record are never put in order by guessing: the record is read again.
 */
import type { Incoming, Refusal, Stage } from "./page.ts";

export interface PendingState {
  /** `Delete`: it left the filter. */
  readonly operation: "Upsert" | "Delete";
  /** Absent when no version was told, as of a deletion in Dataverse. */
  readonly version?: bigint;
  readonly hasContent: boolean;
  readonly generation: number;
  readonly replay: boolean;
  /** A call for it was begun, and its end is not recorded yet. */
  readonly begun: boolean;
}

export interface KnownState {
  readonly pending?: PendingState;
  readonly written?: { readonly version: bigint; readonly generation: number; readonly left: boolean };
  readonly dead?: { readonly version?: bigint; readonly generation: number };
}

/** The pending row as it is to be; what is not said stays as it was. */
export interface PutRow {
  readonly operation: "Upsert" | "Delete";
  readonly version?: bigint;
  /** Whether the row takes the incoming record's content; otherwise it is read again. */
  readonly withContent: boolean;
  readonly held?: Stage;
}

export type Decision =
  /** Nothing newer: the row stays as it is, or away. */
  | { readonly kind: "Keep" }
  | { readonly kind: "Put"; readonly row: PutRow }
  /** The row goes, if there is one; `left`: what was written stays in Campaign, outside the filter. */
  | { readonly kind: "Drop"; readonly left: boolean }
  | { readonly kind: "Bury"; readonly refusal: Refusal };

export interface Reading {
  readonly generation: number;
  readonly replay: boolean;
  readonly stage: Stage;
  /** More pages follow: what was not seen yet may still come. */
  readonly goesOn: boolean;
}

export function coalesce(incoming: Incoming, known: KnownState, reading: Reading): Decision {
  if (incoming.kind === "Delete") return deleted(known, reading);
  if (isOutdated(incoming, known, reading)) return { kind: "Keep" };
  if (isToBeRead(known.pending, reading)) return { kind: "Put", row: readAgain(incoming.version) };
  const { pending, written } = known;
  if (pending === undefined && written !== undefined && incoming.version < written.version) {
    return { kind: "Put", row: readAgain(written.version) }; // a replay of what was written by a newer reading
  }
  // Its row keeps the key out while the call may still land; what is read again afterwards decides.
  if (pending?.begun && incoming.kind !== "Upsert") return { kind: "Put", row: readAgain(incoming.version) };
  switch (incoming.kind) {
    case "Upsert":
      return {
        kind: "Put",
        row: {
          operation: "Upsert",
          version: incoming.version,
          withContent: incoming.content !== undefined,
        },
      };
    case "FilteredOut":
      if (written === undefined || !incoming.remove) return { kind: "Drop", left: true };
      return {
        kind: "Put",
        row: {
          operation: "Delete",
          version: incoming.version,
          withContent: false,
          held: reading.stage,
        },
      };
    case "Refused":
      return { kind: "Bury", refusal: incoming.refusal };
  }
}

/**
 * A deletion is told without a version, so it may be older than what is known: the record may have been made again since,
 * and even have been written. Only reading it tells.
 */
function deleted({ pending, written, dead }: KnownState, { stage, goesOn }: Reading): Decision {
  const isKnown = pending !== undefined || written !== undefined || dead !== undefined;
  // Remembered to the end of the round, for an upsert of it may follow on a later page.
  if (!isKnown && !goesOn) return { kind: "Drop", left: false };
  return { kind: "Put", row: { ...readAgain(pending?.version), held: stage } };
}

function isOutdated(incoming: Exclude<Incoming, { kind: "Delete" }>, known: KnownState, reading: Reading): boolean {
  const { pending, written, dead } = known;
  const { version, kind } = incoming;
  if (pending !== undefined) {
    if (pending.version === undefined || version > pending.version) return false;
    if (version < pending.version) return true;
    // The same version once more is nothing new, unless another reading asks for it.
    const isSameReading = pending.generation === reading.generation && (pending.replay || !reading.replay);
    return isSameReading && pending.operation === (kind === "Upsert" ? "Upsert" : "Delete");
  }
  if (reading.replay) return false;
  if (written !== undefined && version < written.version) return true;
  const isWritten = version === written?.version && written.generation === reading.generation && !written.left;
  const isDead = dead?.version !== undefined && version <= dead.version && dead.generation === reading.generation;
  return kind === "Upsert" ? isWritten || isDead : kind === "Refused" && isDead;
}

/**
 * A row without content in this reading's generation: a deletion was told and the record is there, or there was no room
 * for the content. Only reading the record again tells what is true, so it stays so until then.
 */
function isToBeRead(pending: PendingState | undefined, { generation }: Reading): boolean {
  return pending?.operation === "Upsert" && !pending.hasContent && pending.generation === generation;
}

function readAgain(version: bigint | undefined): PutRow {
  return {
    operation: "Upsert",
    ...(version === undefined ? {} : { version }),
    withContent: false,
  };
}
