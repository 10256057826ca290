import type { MappingStatus } from "../../../api/integration-workflow.ts";
import type { WorkerStatus } from "../../../api/worker-contract.ts";
import type { MappingCounts } from "../../queue/interface.ts";
import { driftReasons } from "../status.ts";
import { exportsMapping, type KindState, pauseOf } from "./context.ts";

type NotReady = NonNullable<WorkerStatus["notReady"]>;

/** What a worker of Egress says of itself. @param now on the engine's clock */
export function egressStatus(
  states: readonly KindState[],
  counts: ReadonlyMap<string, MappingCounts>,
  notReady: NotReady | undefined,
  now: number,
): WorkerStatus {
  const backlog = [...counts.values()].reduce((sum, { pending }) => sum + pending, 0);
  const newest = Math.max(...[...counts.values()].map(({ lastWrittenAt }) => lastWrittenAt ?? 0), 0);
  const refusedLines = counts.get(exportsMapping)?.dead ?? 0;
  return {
    backlog,
    ...(newest === 0 ? {} : { lastSyncTime: new Date(newest).toISOString() }),
    mappings: [
      ...states.map((state) => kindStatus(state, counts.get(state.kind), now)),
      { name: exportsMapping, phase: "Incremental", backlog: 0, deadLettered: refusedLines },
    ],
    schemaDrift: states.flatMap(({ kind, block }) =>
      block !== undefined && driftReasons.has(block.reason) ? [{ mapping: kind, message: block.message }] : [],
    ),
    ...(notReady === undefined ? {} : { notReady }),
  };
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
  return {
    name: state.kind,
    phase: pauseOf(state) === undefined ? "Incremental" : "Paused",
    backlog: counts?.pending ?? 0,
    read: counts?.totalRead ?? 0,
    written: counts?.totalWritten ?? 0,
    recordsPerSecond: Math.round(state.written.perSecond(now)),
    deadLettered: counts?.dead ?? 0,
    ...(counts?.lastWrittenAt === undefined ? {} : { lastSyncTime: new Date(counts.lastWrittenAt).toISOString() }),
  };
}
