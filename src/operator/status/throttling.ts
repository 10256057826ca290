import type { Throttling, WorkflowStatus } from "../../api/integration-workflow.ts";
import { isAskedToRun, type Look } from "../sight/look.ts";
import type { Note } from "../sight/plan.ts";
import { epochMsOf, rfc3339 } from "../time.ts";
import type { Wanted } from "./conditions.ts";

const type = "Throttled";

/** The services that hold calls back, as the run's worker last said; a worker that does not answer is not contradicted. */
export function throttlingOf(look: Look): Pick<WorkflowStatus, "throttling"> {
  const { run, memory, active, workflow } = look;
  if (!active || !isAskedToRun(look)) return {};
  const throttling =
    memory.poll !== undefined && memory.poll.run === run?.run
      ? memory.poll.status.throttling
      : workflow.status?.throttling;
  if (throttling === undefined || throttling.length === 0) return {};
  return { throttling: throttling.toSorted((left, right) => (left.service < right.service ? -1 : 1)) };
}

/**
 * Whether a service, or the workflow's own bound, holds calls back so that records wait. It changes nothing else: the
 * workflow runs. Said of workflows that it ever concerned, and of no other.
 */
export function throttledCondition(look: Look): readonly Wanted[] {
  const { throttling = [] } = throttlingOf(look);
  const [first] = [...throttling].sort((left, right) => rank(left) - rank(right));
  if (first !== undefined) {
    return [{ type, status: "True", reason: reasonOf(first), message: throttling.map(words(look)).join(". ") }];
  }
  if (!(look.workflow.status?.conditions?.some((condition) => condition.type === type) ?? false)) return [];
  return look.active && isAskedToRun(look)
    ? [{ type, status: "False", reason: "NotThrottled", message: "No call is held back" }]
    : [{ type, status: "False", reason: "NotRunning", message: "The workflow is stopped, or stops, and calls nobody" }];
}

/** An Event when it begins, and when it is over. */
export function throttlingNotes(look: Look): readonly Note[] {
  const before = look.workflow.status?.conditions?.find((condition) => condition.type === type);
  const [now] = throttledCondition(look);
  const isHeld = now?.status === "True";
  if (now === undefined || (before?.status === "True") === isHeld) return [];
  const { reason, message } = now;
  return [
    {
      type: isHeld && reason !== "ConfiguredLimit" ? "Warning" : "Normal",
      reason,
      action: "HoldCallsBack",
      note: message,
    },
  ];
}

function rank({ heldBy }: Throttling): number {
  return heldBy === "Service" ? 0 : 1;
}

function reasonOf({ service, heldBy }: Throttling): string {
  if (heldBy === "Configuration") return "ConfiguredLimit";
  return { Dataverse: "DataverseLimit", Campaign: "CampaignLimit" }[service];
}

/** Source of the figures: api-limits.md */
const dataverseLimits: Readonly<Record<Throttling["limit"], string>> = {
  Calls: "6,000 calls in five minutes, for one application user,",
  ExecutionTime: "1,200 seconds of execution in five minutes, for one application user,",
  Concurrency: "52 calls at once, for one application user,",
  Unnamed: "an application user",
};

function words({ pin }: Look): (throttling: Throttling) => string {
  const { dynamics, campaign } = pin?.content?.configuration.spec ?? {};
  return ({ service, heldBy, limit, since: sinceExactly }) => {
    const since = rfc3339(epochMsOf(sinceExactly) ?? 0);
    if (heldBy === "Service" && service === "Dataverse") {
      return `Since ${since} Dataverse refuses calls: its limit of ${dataverseLimits[limit]} is used up. Nothing is lost: the worker waits for as long as Dataverse asks, and goes on by itself. If it lasts, look who else signs in as this user, divide dynamics.share among its workflows, or give this one an application user and a Secret of its own`;
    }
    if (heldBy === "Service") {
      return `Since ${since} Campaign refuses calls because they are too many. Nothing is lost: the worker waits, asks less, and goes on by itself. If it lasts, lower campaign.engineCallsPerSecond${campaign === undefined ? "" : ` (${campaign.engineCallsPerSecond})`} and restart, or ask Adobe what the package allows`;
    }
    const bound =
      service === "Dataverse"
        ? `dynamics.share${dynamics === undefined ? "" : ` (${dynamics.share} %)`}`
        : `campaign.engineCallsPerSecond${campaign === undefined ? "" : ` (${campaign.engineCallsPerSecond})`}`;
    const remedy =
      service === "Dataverse"
        ? "give it a larger share of its application user, or a user of its own, and restart"
        : "raise it as far as the package allows, and restart";
    return `Since ${since} calls to ${service} wait for ${bound}, the workflow's own bound: this is what was asked for, and no fault. If records wait too long, ${remedy}`;
  };
}
