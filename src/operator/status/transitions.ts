import type { Transition, WorkflowState } from "../../api/integration-workflow.ts";
import { rfc3339 } from "../time.ts";

const most = 20;

export interface Change {
  readonly from: WorkflowState | undefined;
  readonly to: WorkflowState;
  readonly reason: string;
  /** The revision of the run that the new state is about; absent when no run is. */
  readonly revision: string | undefined;
  /** Nothing was told of that run before: it may be in the state that the last one was in. */
  readonly isNewRun: boolean;
}

/** The transitions, newest first, with one more if the state or the run it is about has changed. */
export function transitionsFrom(previous: readonly Transition[], change: Change, nowMs: number): readonly Transition[] {
  const { from, to, reason, revision, isNewRun } = change;
  if (from === to && previous[0]?.revision === revision && !isNewRun) return previous;
  const transition: Transition = {
    ...(from === undefined ? {} : { from }),
    to,
    at: rfc3339(nowMs),
    reason,
    ...(revision === undefined ? {} : { revision }),
  };
  return [transition, ...previous].slice(0, most);
}
