/** What a worker says of itself. Pure. */
import type { MappingStatus } from "../../api/integration-workflow.ts";
import type { SchemaDrift, WorkerStatus } from "../../api/worker-contract.ts";
import type { MappingCounts } from "../queue/interface.ts";
import { type MappingState, pauseOf } from "./context.ts";
import type { Health } from "./health.ts";

type NotReady = NonNullable<WorkerStatus["notReady"]>;

/** Reasons that mean that a system no longer is what a mapping expects. */
const driftReasons: ReadonlySet<string> = new Set([
  "TableMissing",
  "ColumnMissing",
  "ChangeTrackingOff",
  "ResourceMissing",
  "FieldMissing",
  "FilterInvalid",
  "ConstantInvalid",
  "ConversionFailed",
  "KeyNotSearchable",
]);

export function workerStatus(
  states: readonly MappingState[],
  counts: ReadonlyMap<string, MappingCounts>,
  notReady: NotReady | undefined,
): WorkerStatus {
  const backlog = [...counts.values()].reduce((sum, { pending }) => sum + pending, 0);
  const newest = Math.max(...[...counts.values()].map(({ lastWrittenAt }) => lastWrittenAt ?? 0), 0);
  return {
    backlog,
    ...(newest === 0 ? {} : { lastSyncTime: new Date(newest).toISOString() }),
    mappings: states.map((state) => mappingStatus(state, counts.get(state.mapping.table))),
    schemaDrift: states.flatMap(driftOf),
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

function nothingRuns(states: readonly MappingState[]): NotReady | undefined {
  const pauses = states.map(pauseOf);
  const [first] = pauses;
  if (pauses.some((pause) => pause === undefined) || first === undefined) return undefined;
  return { reason: first.reason, message: `no mapping can run: ${first.message}` };
}

function noAnswer(health: Health, readyWindowMs: number): NotReady | undefined {
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

function mappingStatus(state: MappingState, counts: MappingCounts | undefined): MappingStatus {
  const { mapping, readRecords, writtenRecords } = state;
  return {
    name: mapping.table,
    phase: phaseOf(state),
    backlog: counts?.pending ?? 0,
    read: readRecords,
    written: writtenRecords,
    deadLettered: counts?.dead ?? 0,
    ...(counts?.lastWrittenAt === undefined ? {} : { lastSyncTime: new Date(counts.lastWrittenAt).toISOString() }),
  };
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
