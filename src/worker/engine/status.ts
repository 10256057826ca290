/** What a worker says of itself. */
import type { MappingStatus } from "../../api/integration-workflow.ts";
import type { SchemaDrift, WorkerStatus } from "../../api/worker-contract.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";
import type { MappingCounts } from "../queue/interface.ts";
import { type MappingState, pauseOf } from "./context.ts";
import type { Health } from "./health.ts";
import { readingWaitsFor } from "./reading-room.ts";
import type { EngineSettings } from "./settings.ts";

type NotReady = NonNullable<WorkerStatus["notReady"]>;

/** Reasons that mean that a system no longer is what a mapping expects. */
export const driftReasons: ReadonlySet<string> = new Set([
  "TableMissing",
  "ColumnMissing",
  "ColumnChanged",
  "ChangeTrackingOff",
  "RegardingMissing",
  "ResourceMissing",
  "FieldMissing",
  "FieldChanged",
  "FilterInvalid",
  "ConstantInvalid",
  "ConversionFailed",
  "LinkInvalid",
  "KeyNotSearchable",
]);

/** What status tells beside the states and the counts. */
interface StatusGround {
  readonly notReady: NotReady | undefined;
  /** On the engine's clock. */
  readonly now: number;
  readonly settings: Pick<EngineSettings, "mostParkedRecords">;
}

export function workerStatus(
  states: readonly MappingState[],
  counts: ReadonlyMap<string, MappingCounts>,
  { notReady, now, settings }: StatusGround,
): WorkerStatus {
  const backlog = [...counts.values()].reduce((sum, { pending }) => sum + pending, 0);
  const newest = Math.max(...[...counts.values()].map(({ lastWrittenAt }) => lastWrittenAt ?? 0), 0);
  return {
    backlog,
    ...(newest === 0 ? {} : { lastSyncTime: new Date(newest).toISOString() }),
    mappings: states.map((state) =>
      mappingStatus(state, counts.get(state.mapping.table), readingWaitsFor(state, states, counts, settings), now),
    ),
    schemaDrift: states.flatMap(driftOf),
    ...uncompared(tableFittings(states)),
    ...(notReady === undefined ? {} : { notReady }),
  };
}

/** Why records cannot be moving; undefined when they can. */
export function notReadyReason(
  states: readonly MappingState[],
  health: Health,
  readyWindowMs: number,
): NotReady | undefined {
  // Nobody asks the systems for a mapping that stands still: their silence is then no news, and not the reason.
  const isStandstill = states.every(({ checkpoint, block }) => checkpoint.pause !== undefined || block !== undefined);
  return (isStandstill ? nothingRuns(states) : undefined) ?? noAnswer(health, readyWindowMs) ?? nothingRuns(states);
}

/** The mappings that wait for their first look at the metadata, as `/status` names them. */
export function uncompared(mappings: readonly Fitting[]): Pick<WorkerStatus, "uncompared"> {
  const names = mappings.filter(({ ran, isPaused }) => !ran && !isPaused).map(({ name }) => name);
  return names.length === 0 ? {} : { uncompared: names };
}

export interface Fitting {
  readonly name: string;
  readonly ran: boolean;
  readonly isPaused: boolean;
  readonly lookFailure?: string | undefined;
}

/** A start in which nothing was compared with the systems' metadata yet, and nothing can move before; undefined: something was. */
export function nothingFitted(mappings: readonly Fitting[]): NotReady | undefined {
  const waiting = mappings.filter(({ isPaused }) => !isPaused);
  const [first] = waiting;
  if (first === undefined || waiting.some(({ ran }) => ran)) return undefined;
  const names = `${first.name}${waiting.length > 1 ? ` and ${waiting.length - 1} more` : ""}`;
  const failure = waiting.find(({ lookFailure }) => lookFailure !== undefined)?.lookFailure;
  const message = `asks the systems what they know of ${names}, to compare it with the mapping`;
  return { reason: "Starting", message: failure === undefined ? message : `${message}; the last try: ${failure}` };
}

/** How far each table's mapping is with its first look at the metadata. */
export function tableFittings(states: readonly MappingState[]): readonly Fitting[] {
  return states.map((state) => ({ ...state, name: state.mapping.table, isPaused: pauseOf(state) !== undefined }));
}

function nothingRuns(states: readonly MappingState[]): NotReady | undefined {
  const pauses = states.map(pauseOf);
  const [first] = pauses;
  if (pauses.some((pause) => pause === undefined) || first === undefined) return undefined;
  return { reason: first.reason, message: `no mapping can run: ${first.message}` };
}

export function noAnswer(health: Health, readyWindowMs: number): NotReady | undefined {
  const silent = health.silent(readyWindowMs);
  if (silent.length === 0) return undefined;
  const seconds = Math.round(readyWindowMs / 1000);
  return {
    reason: "NoAnswer",
    message: silent
      .map(({ service, lastFailure }) =>
        [`${service} did not answer within ${seconds} s`, lastFailure].filter(Boolean).join(": "),
      )
      .join("; "),
  };
}

/** Whether its records are on their way. */
export function isMoving({ phase, backlog = 0, parked = 0, reading }: MappingStatus): boolean {
  return phase !== "Paused" && (backlog > parked || reading !== undefined);
}

function mappingStatus(
  state: MappingState,
  counts: MappingCounts | undefined,
  waitsFor: readonly string[],
  now: number,
): MappingStatus {
  const { mapping, checkpoint, speed } = state;
  const { pending = 0, parked = 0 } = counts ?? {};
  const donePerSecond = counts?.pace?.donePerSecond ?? speed.done.perSecond(now);
  const seconds = secondsToDrain(state, pending, parked, donePerSecond);
  return {
    name: mapping.table,
    phase: phaseOf(state),
    ...whyPaused(pauseOf(state)),
    backlog: pending,
    ...(parked === 0 ? {} : { parked }),
    read: counts?.totalRead ?? 0,
    written: counts?.totalWritten ?? 0,
    ...readingOf(checkpoint, waitsFor),
    recordsPerSecond: Math.round(counts?.pace?.writtenPerSecond ?? speed.written.perSecond(now)),
    ...(seconds === undefined ? {} : { secondsToDrain: seconds }),
    deadLettered: counts?.dead ?? 0,
    ...(counts?.lastWrittenAt === undefined ? {} : { lastSyncTime: new Date(counts.lastWrittenAt).toISOString() }),
  };
}

/** An estimate that the reading has passed tells nothing any more. */
function readingOf({ snapshot }: Checkpoint, waitsFor: readonly string[] = []): Pick<MappingStatus, "reading"> {
  if (snapshot === undefined || (snapshot.progress === undefined && snapshot.nextLink !== undefined)) return {};
  const { readRecords = 0, estimatedRecords } = snapshot.progress ?? {};
  const isTold = estimatedRecords !== undefined && estimatedRecords >= readRecords;
  return {
    reading: {
      read: readRecords,
      ...(isTold ? { estimatedTotal: estimatedRecords } : {}),
      ...(waitsFor.length === 0 ? {} : { waitsFor: [...waitsFor] }),
    },
  };
}

/** Until everything is read and written; undefined when nobody can tell. */
function secondsToDrain(
  state: MappingState,
  pending: number,
  parked: number,
  donePerSecond: number,
): number | undefined {
  if (pauseOf(state) !== undefined) return undefined;
  const { snapshot } = state.checkpoint;
  const { reading } = readingOf(state.checkpoint);
  const toRead =
    snapshot === undefined || snapshot.sweeping ? 0 : (reading?.estimatedTotal ?? Number.NaN) - (reading?.read ?? 0);
  const left = pending + toRead;
  if (left === 0 && snapshot === undefined) return 0;
  // When parked records go on is another record's affair.
  if (Number.isNaN(left) || donePerSecond === 0 || left === parked) return undefined;
  return Math.ceil(left / donePerSecond);
}

/** Status has room for so much of a reason. */
const longestMessage = 1024;

/** Why nothing is written for a mapping, for its line in status. */
export function whyPaused(
  pause: { readonly reason: string; readonly message: string } | undefined,
): Pick<MappingStatus, "reason" | "message"> {
  if (pause === undefined) return {};
  const { reason, message } = pause;
  return { reason, message: message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 1)}…` };
}

function phaseOf(state: MappingState): string {
  if (pauseOf(state) !== undefined) return "Paused";
  const { snapshot } = state.checkpoint;
  if (snapshot === undefined) return "Incremental";
  return snapshot.purpose === "Replay" ? "Replay" : "Snapshot";
}

function driftOf({ mapping, block }: MappingState): readonly SchemaDrift[] {
  if (block === undefined || !driftReasons.has(block.reason)) return [];
  return [{ mapping: mapping.table, message: block.message }];
}
