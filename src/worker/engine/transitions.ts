/** How a checkpoint goes on. Pure. */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { ReadCursor, TrackedPage } from "../dataverse/interface.ts";
import { isSameIdentity } from "../flows/ingress/plan.ts";
import type { Checkpoint, Pause, SnapshotProgress } from "../queue/checkpoint.ts";
import { checksOfAnother } from "./schema-checks.ts";

/** A mapping that the store does not know. */
export function firstLoad(mapping: IngressMapping, mappingHash: string): Checkpoint {
  return {
    mapping: mapping.table,
    mappingHash,
    generation: 1,
    ...replayOf(mapping),
    snapshot: { purpose: "FirstLoad", sweeping: false },
    listing: {},
  };
}

/** What a run's configuration means for what an earlier run left. */
export type Preparation =
  | { readonly kind: "Continue" }
  /** The mapping was edited: everything is read again. */
  | { readonly kind: "NewGeneration"; readonly checkpoint: Checkpoint }
  /** The mapping speaks of other records: what is stored of it is of no use. */
  | { readonly kind: "StartOver" };

export function prepare(checkpoint: Checkpoint, mappingHash: string): Preparation {
  if (checkpoint.mappingHash === mappingHash) return { kind: "Continue" };
  if (!isSameIdentity(checkpoint.mappingHash, mappingHash)) return { kind: "StartOver" };
  const { checks, ...rest } = readAgain(checkpoint);
  const kept = checks === undefined ? {} : { checks: checksOfAnother(checks) };
  return { kind: "NewGeneration", checkpoint: { ...rest, ...kept, mappingHash } };
}

/** Everything from the beginning, under a new generation; an interrupted first load or replay stays one. */
export function readAgain({ delta: _, pause: __, snapshot, ...rest }: Checkpoint): Checkpoint {
  const purpose = snapshot?.purpose ?? "Resync";
  return { ...rest, generation: rest.generation + 1, snapshot: { purpose, sweeping: false } };
}

/** A replay that is asked for and not begun; never while the table is being read anyway. */
export function replay(checkpoint: Checkpoint, mapping: IngressMapping): Checkpoint | undefined {
  if (mapping.replay === checkpoint.replay || checkpoint.snapshot !== undefined) return undefined;
  const { replay: _, ...rest } = checkpoint;
  if (mapping.replay === undefined) return rest;
  return { ...rest, replay: mapping.replay, snapshot: { purpose: "Replay", sweeping: false } };
}

/** Whether a person asks for everything to be written again, and it was not begun. */
export function isReplayAsked(checkpoint: Checkpoint, mapping: IngressMapping): boolean {
  return mapping.replay !== undefined && mapping.replay !== checkpoint.replay;
}

export function snapshotCursor({ snapshot }: Checkpoint): ReadCursor {
  return snapshot?.nextLink === undefined ? { kind: "snapshot" } : { kind: "next", link: snapshot.nextLink };
}

/** @param estimatedRecords how many records the table is said to have; absent: as was said before, if it was */
export function afterSnapshotPage(
  checkpoint: Checkpoint,
  page: TrackedPage,
  now: number,
  estimatedRecords?: number,
): Checkpoint {
  const { snapshot, ...rest } = checkpoint;
  const purpose = snapshot?.purpose ?? "Resync";
  const progress = progressAfter(snapshot, page.records.length, estimatedRecords);
  if (page.nextLink !== undefined) {
    return { ...rest, snapshot: { purpose, sweeping: false, nextLink: page.nextLink, ...progress } };
  }
  // A replay runs beside the delta, which goes on by its own link.
  if (purpose === "Replay" && checkpoint.delta !== undefined) return rest;
  const delta = page.deltaLink === undefined ? {} : { delta: { link: page.deltaLink, issuedAt: now } };
  return { ...rest, ...delta, snapshot: { purpose, sweeping: true, ...progress } };
}

/** Of a reading that an older program began nobody knows how far it is. */
function progressAfter(
  snapshot: Checkpoint["snapshot"],
  records: number,
  estimatedRecords: number | undefined,
): { progress?: SnapshotProgress } {
  const { nextLink, progress } = snapshot ?? {};
  if (nextLink !== undefined && progress === undefined) return {};
  const estimate = estimatedRecords ?? progress?.estimatedRecords;
  const readRecords = (progress?.readRecords ?? 0) + records;
  return { progress: { readRecords, ...(estimate === undefined ? {} : { estimatedRecords: estimate }) } };
}

/** The table is read again from its beginning in the same generation: its paging link is no longer honoured. */
export function restartSnapshot(checkpoint: Checkpoint): Checkpoint {
  const { snapshot, ...rest } = checkpoint;
  return snapshot === undefined ? rest : { ...rest, snapshot: { purpose: snapshot.purpose, sweeping: false } };
}

export function swept({ snapshot: _, ...rest }: Checkpoint): Checkpoint {
  return rest;
}

export function deltaCursor(delta: NonNullable<Checkpoint["delta"]>): ReadCursor {
  return delta.nextLink === undefined ? { kind: "delta", link: delta.link } : { kind: "next", link: delta.nextLink };
}

export function afterDeltaPage(checkpoint: Checkpoint, page: TrackedPage, now: number): Checkpoint {
  const { delta, ...rest } = checkpoint;
  if (delta === undefined) return checkpoint;
  if (page.nextLink !== undefined) return { ...rest, delta: { ...delta, nextLink: page.nextLink } };
  return { ...rest, delta: { link: page.deltaLink ?? delta.link, issuedAt: now } };
}

/** A round is begun again: the link to its next page is no longer honoured. */
export function restartRound(checkpoint: Checkpoint): Checkpoint {
  const { delta, ...rest } = checkpoint;
  return delta === undefined ? rest : { ...rest, delta: { link: delta.link, issuedAt: delta.issuedAt } };
}

/** The value of `replay` that is in force now says yes to nothing that it did not know. */
export function paused(checkpoint: Checkpoint, mapping: IngressMapping, pause: Omit<Pause, "replay">): Checkpoint {
  return { ...checkpoint, pause: { ...pause, ...replayOf(mapping) } };
}

/** Whether a person has said yes to what the mapping is paused for: a value of `replay` that it did not have then. */
export function isConsentedTo({ pause }: Checkpoint, mapping: IngressMapping): boolean {
  return pause !== undefined && mapping.replay !== undefined && mapping.replay !== pause.replay;
}

export function resumed({ pause: _, ...rest }: Checkpoint): Checkpoint {
  return rest;
}

function replayOf({ replay: value }: IngressMapping): { replay?: string } {
  return value === undefined ? {} : { replay: value };
}
