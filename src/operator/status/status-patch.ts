import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { isRecord, sameJson } from "../json.ts";

/** How two statuses differ: not at all, in what merely counts, or in what a person waits for. */
export type StatusChange = "none" | "counters" | "state";

export function statusChange(before: WorkflowStatus, after: WorkflowStatus): StatusChange {
  if (sameJson(before, after)) return "none";
  return sameJson(withoutCounters(before), withoutCounters(after)) ? "counters" : "state";
}

function withoutCounters({
  backlog,
  backlogObservedAt,
  lastSyncTime,
  mappings,
  failure,
  ...rest
}: WorkflowStatus): unknown {
  return {
    ...rest,
    mappings: mappings?.map(({ name, phase }) => ({ name, phase })),
    failure: failure === undefined ? undefined : { ...failure, restarts: undefined },
  };
}

/** The JSON merge patch (RFC 7386) that makes `before` into `after`. */
export function mergePatch(before: unknown, after: unknown): Record<string, unknown> {
  const [old, next] = [isRecord(before) ? before : {}, isRecord(after) ? after : {}];
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const [from, to] = [old[name], next[name]];
    if (sameJson(from, to)) continue;
    if (to === undefined) patch[name] = null;
    else patch[name] = isRecord(from) && isRecord(to) ? mergePatch(from, to) : to;
  }
  return patch;
}
