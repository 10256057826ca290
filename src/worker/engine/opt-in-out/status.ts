import type { MappingStatus } from "../../../api/integration-workflow.ts";
import type { WorkerStatus } from "../../../api/worker-contract.ts";
import type { MappingCounts } from "../../queue/interface.ts";
import { driftReasons, uncompared, whyPaused } from "../status.ts";
import {
  contactsMapping,
  exportsMapping,
  type FlowState,
  type OptInOutOptions,
  pauseOf,
  planInForce,
} from "./context.ts";

type NotReady = NonNullable<WorkerStatus["notReady"]>;

/** What a worker of OptInOut says of itself. @param now on the engine's clock */
export function optInOutStatus(
  state: FlowState,
  { direction, mappings }: OptInOutOptions["optInOut"],
  counts: ReadonlyMap<string, MappingCounts>,
  notReady: NotReady | undefined,
  now: number,
): WorkerStatus {
  const { block, folder } = state;
  const files = folder === undefined ? {} : { files: folder };
  const contacts = counts.get(contactsMapping);
  const refusedLines = counts.get(exportsMapping)?.dead;
  const phase = direction === "Disabled" ? "Disabled" : phaseOf(state);
  const newest = contacts?.lastWrittenAt;
  const lastSync = newest === undefined ? {} : { lastSyncTime: new Date(newest).toISOString() };
  return {
    backlog: contacts?.pending ?? 0,
    ...lastSync,
    mappings: [
      { ...contactsStatus(state, contacts, now), phase, ...whyPaused(pauseOf(state)), ...lastSync },
      ...mappings.map(({ field }) => ({ name: field, phase })),
      ...(refusedLines === undefined && folder === undefined
        ? []
        : [{ name: exportsMapping, phase, backlog: 0, deadLettered: refusedLines ?? 0, ...files }]),
    ],
    schemaDrift:
      block !== undefined && (driftReasons.has(block.reason) || optOutDrift.has(block.reason))
        ? [{ mapping: contactsMapping, message: block.message }]
        : [],
    ...uncompared([
      {
        name: contactsMapping,
        ran: direction === "Disabled" || planInForce(state) !== undefined,
        isPaused: pauseOf(state) !== undefined,
      },
    ]),
    ...(notReady === undefined ? {} : { notReady }),
  };
}

const optOutDrift: ReadonlySet<string> = new Set(["ColumnNotYesNo", "FieldNotYesNo"]);

function contactsStatus(state: FlowState, counts: MappingCounts | undefined, now: number): MappingStatus {
  const { pending = 0, parked = 0, totalRead = 0, totalWritten = 0 } = counts ?? {};
  const perSecond = counts?.pace?.donePerSecond ?? state.done.perSecond(now);
  const left = pending - parked;
  const seconds = left === 0 ? 0 : perSecond === 0 ? undefined : Math.ceil(left / perSecond);
  const { snapshot } = state.checkpoint ?? {};
  const isReading = snapshot !== undefined;
  return {
    name: contactsMapping,
    backlog: pending,
    ...(parked === 0 ? {} : { parked }),
    read: totalRead,
    written: totalWritten,
    ...(isReading ? { reading: { read: snapshot.progress?.readRecords ?? 0 } } : {}),
    recordsPerSecond: Math.round(counts?.pace?.writtenPerSecond ?? state.written.perSecond(now)),
    ...(isReading || seconds === undefined || pauseOf(state) !== undefined ? {} : { secondsToDrain: seconds }),
  };
}

function phaseOf(state: FlowState): string {
  if (pauseOf(state) !== undefined) return "Paused";
  return state.checkpoint?.snapshot === undefined ? "Incremental" : "Snapshot";
}
