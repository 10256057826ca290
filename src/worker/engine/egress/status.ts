import type { MappingStatus } from "../../../api/integration-workflow.ts";
import type { WorkerStatus } from "../../../api/worker-contract.ts";
import type { FolderState } from "../../exports/folder.ts";
import type { MappingCounts } from "../../queue/interface.ts";
import { driftReasons, type Fitting, uncompared, whyPaused } from "../status.ts";
import { exportsMapping, type KindState, pauseOf } from "./context.ts";

type NotReady = NonNullable<WorkerStatus["notReady"]>;

/** What status tells beside the kinds and the counts. */
interface StatusGround {
  readonly notReady: NotReady | undefined;
  /** Absent: it was not listed yet. */
  readonly folder: FolderState | undefined;
  /** On the engine's clock. */
  readonly now: number;
}

/** What a worker of Egress says of itself. */
export function egressStatus(
  states: readonly KindState[],
  counts: ReadonlyMap<string, MappingCounts>,
  { notReady, folder, now }: StatusGround,
): WorkerStatus {
  const backlog = [...counts.values()].reduce((sum, { pending }) => sum + pending, 0);
  const newest = Math.max(...[...counts.values()].map(({ lastWrittenAt }) => lastWrittenAt ?? 0), 0);
  const lines = counts.get(exportsMapping);
  return {
    backlog,
    ...(newest === 0 ? {} : { lastSyncTime: new Date(newest).toISOString() }),
    mappings: [
      ...states.map((state) => kindStatus(state, counts.get(state.kind), now)),
      {
        name: exportsMapping,
        phase: "Incremental",
        backlog: lines?.pending ?? 0,
        deadLettered: lines?.dead ?? 0,
        ...(folder === undefined ? {} : { files: folder }),
      },
    ],
    schemaDrift: states.flatMap(({ kind, block }) =>
      block !== undefined && driftReasons.has(block.reason) ? [{ mapping: kind, message: block.message }] : [],
    ),
    ...uncompared(kindFittings(states)),
    ...(notReady === undefined ? {} : { notReady }),
  };
}

/** How far each kind of event is with its first look at the metadata. */
export function kindFittings(states: readonly KindState[]): readonly Fitting[] {
  return states.map((state) => ({ ...state, name: state.kind, isPaused: pauseOf(state) !== undefined }));
}

/** Why nothing can be moving for want of a kind that runs; undefined when one does. */
export function nothingRuns(states: readonly KindState[]): NotReady | undefined {
  const pauses = states.map(pauseOf);
  const [first] = pauses;
  if (pauses.includes(undefined)) return undefined;
  if (first === undefined) return { reason: "NoEvents", message: "no kind of event is switched on in egress.events" };
  return { reason: first.reason, message: `no kind of event can be written: ${first.message}` };
}

function kindStatus(state: KindState, counts: MappingCounts | undefined, now: number): MappingStatus {
  const pause = pauseOf(state);
  const { pending = 0 } = counts ?? {};
  const writtenPerSecond = counts?.pace?.writtenPerSecond ?? state.written.perSecond(now);
  const seconds = pending === 0 ? 0 : Math.ceil(pending / writtenPerSecond);
  return {
    name: state.kind,
    phase: pause === undefined ? "Incremental" : "Paused",
    ...whyPaused(pause),
    backlog: pending,
    read: counts?.totalRead ?? 0,
    written: counts?.totalWritten ?? 0,
    recordsPerSecond: Math.round(writtenPerSecond),
    ...(pause === undefined && Number.isFinite(seconds) ? { secondsToDrain: seconds } : {}),
    deadLettered: counts?.dead ?? 0,
    ...(counts?.lastWrittenAt === undefined ? {} : { lastSyncTime: new Date(counts.lastWrittenAt).toISOString() }),
  };
}
