import { isAskedToRun, type Look } from "../sight/look.ts";
import type { Note } from "../sight/plan.ts";
import type { SharedLimits } from "../sight/shared-limits.ts";
import type { Wanted } from "./conditions.ts";

const type = "LimitsOvercommitted";

/**
 * Whether workflows promise more of one application user's limits than there is. It blocks nothing: Dataverse answers 429,
 * and all of them are slower. Said of workflows that it ever concerned, and of no other.
 */
export function limitsCondition(look: Look): readonly Wanted[] {
  const { sharedLimits } = look;
  if (sharedLimits !== undefined) {
    return [{ type, status: "True", reason: "SharesAbove100", message: overcommitted(sharedLimits) }];
  }
  if (!isToldOf(look)) return [];
  if (!isAskedToRun(look)) {
    const message = "The workflow is stopped, or stops, and uses nothing of its application user's limits";
    return [{ type, status: "False", reason: "NotRunning", message }];
  }
  const message = "The shares of the running workflows of this application user add up to no more than 100 %";
  return [{ type, status: "False", reason: "WithinLimits", message }];
}

/** An Event when it begins, and when it is over. */
export function limitsNotes(look: Look): readonly Note[] {
  const was = look.workflow.status?.conditions?.find((condition) => condition.type === type)?.status === "True";
  const [now] = limitsCondition(look);
  if (now === undefined || was === (now.status === "True")) return [];
  const { reason, message } = now;
  return [{ type: now.status === "True" ? "Warning" : "Normal", reason, action: "AddUpShares", note: message }];
}

function isToldOf({ workflow }: Look): boolean {
  return workflow.status?.conditions?.some((condition) => condition.type === type) ?? false;
}

function overcommitted({ organisation, secret, total, workflows, andOthers }: SharedLimits): string {
  const names = workflows.map(({ workflow, share, shareToBe }) => {
    const toBe = shareToBe === undefined ? "" : ` (${shareToBe} % after a restart)`;
    return `${workflow} ${share} %${toBe}`;
  });
  const list = andOthers ? `${names.join(", ")} and others` : names.join(", ");
  const sum = andOthers ? `more than ${total}` : total;
  const isMended =
    !andOthers && workflows.reduce((rest, { share, shareToBe }) => rest + (shareToBe ?? share), 0) <= 100;
  const remedy = isMended
    ? "The edits mend it: restart the workflows that wait for one"
    : "Divide 100 among them in dynamics.share and restart them, or give one of them an application user and a Secret of its own";
  return `The running workflows that sign in to ${organisation} with Secret ${secret} may use ${sum} % of one application user's limits: ${list}. Dataverse throttles them all then. ${remedy}`;
}
