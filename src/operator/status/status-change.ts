import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";

/**
 * How two statuses differ: not at all, in what merely counts, in how conditions put what they said before, or in what a
 * person waits for.
 */
export type StatusChange = "none" | "counters" | "words" | "state";

export function statusChange(before: WorkflowStatus, after: WorkflowStatus): StatusChange {
  if (sameJson(before, after)) return "none";
  const [old, next] = [withoutCounters(before), withoutCounters(after)];
  if (sameJson(old, next)) return "counters";
  return sameJson(withoutWords(old), withoutWords(next)) ? "words" : "state";
}

function withoutCounters({
  backlog,
  backlogObservedAt,
  lastSyncTime,
  mappings,
  failure,
  throttling,
  ...rest
}: WorkflowStatus) {
  return {
    ...rest,
    mappings: mappings?.map(({ name, phase, reason, message }) => ({ name, phase, reason, message })),
    throttling: throttling?.map(({ service, heldBy, limit, since }) => ({ service, heldBy, limit, since })),
    failure: failure === undefined ? undefined : { ...failure, restarts: undefined },
  };
}

/** While a workflow stops, whether its pods are ready still is a matter of moments, and followed by STOPPED. */
function withoutWords({ conditions, ...rest }: ReturnType<typeof withoutCounters>): unknown {
  return {
    ...rest,
    conditions: conditions?.map(({ message, ...condition }) => {
      if (condition.type !== "Running" || condition.reason !== "Stopping") return condition;
      const { status, lastTransitionTime, ...others } = condition;
      return others;
    }),
  };
}
