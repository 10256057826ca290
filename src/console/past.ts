/** What was with a workflow before, as far as the person may see it. */
import { isForbidden } from "../kubernetes/errors.ts";
import { type RecentEvent, recentEvents } from "../steering/recent-events.ts";
import { type RecordedRun, runsOf } from "../steering/revisions.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import type { Person } from "./person.ts";

export interface Past {
  /** undefined: the person may not read the Deployment that remembers them. */
  readonly runs: readonly RecordedRun[] | undefined;
  /** undefined: the person may not list Events. */
  readonly events: readonly RecentEvent[] | undefined;
}

export async function pastOf({ reader }: Person, workflow: LiveWorkflow): Promise<Past> {
  const [runs, events] = await Promise.all([
    runsOf(reader, workflow).catch(hidden),
    recentEvents(reader, workflow).catch(hidden),
  ]);
  return { runs, events };
}

function hidden(error: unknown): undefined {
  if (isForbidden(error)) return undefined;
  throw error;
}
