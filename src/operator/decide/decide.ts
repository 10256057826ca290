import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { isAskedToRun, type Look, lookAt } from "../sight/look.ts";
import type { Note, Plan, Write } from "../sight/plan.ts";
import type { Snapshot } from "../sight/snapshot.ts";
import { lookAgainMs, type Step } from "../sight/steps.ts";
import { statusOf } from "../status/status.ts";
import { type Verdict, verdictOf } from "../status/verdict.ts";
import { surplusPins } from "./revisions.ts";
import { startStep } from "./start.ts";
import { keepStopped, stopStep } from "./stop.ts";
import { claimUpkeep, upkeepStep } from "./upkeep.ts";

const nothing: Plan = {
  writes: [],
  status: undefined,
  notes: [],
  lookAgainMs: undefined,
  lookAfresh: false,
  remember: {},
};

/**
 * What to do about one workflow.
 *
 * A write that begins, ends or takes up a run comes alone: what is told in status is what was seen, and so it is told at
 * the next look, which the write itself causes. Carried out again on what it made, a plan is empty.
 */
export function decide(snapshot: Snapshot): Plan {
  // The garbage collector removes what it owns; no operator is needed for that.
  if (snapshot.workflow.metadata.deletionTimestamp !== undefined) return nothing;
  const look = lookAt(snapshot);
  const step = heldBack(look, stepOf(look));
  const verdict = verdictOf(look, step);
  const remember = { lastReady: verdict.lastReady, pin: look.pin ?? snapshot.memory.pin };
  if (step.type === "lookAfresh" || (!look.fresh && hasEnded(look, verdict))) {
    return { ...nothing, lookAfresh: true, remember };
  }
  if (step.type === "change") return { ...nothing, writes: step.writes, remember };
  const status = statusOf(look, verdict);
  return {
    writes: [...(step.type === "upkeep" ? step.writes : surplus(look, step)), ...claimUpkeep(look)],
    status,
    notes: transitionNotes(look, verdict, status),
    lookAgainMs: earliest(verdict.changesInMs, "lookAgainMs" in step ? step.lookAgainMs : undefined),
    lookAfresh: false,
    remember,
  };
}

function stepOf(look: Look): Step {
  if (look.active) {
    if (!isAskedToRun(look)) return stopStep(look, "Stop");
    if (look.restartDue) return stopStep(look, "Restart");
    return upkeepStep(look);
  }
  const kept = keepStopped(look);
  if (kept.type !== "settled" || !isAskedToRun(look)) return kept;
  return startStep(look);
}

/** A write that the API server refused a moment ago is not sent again at once. A start says so itself. */
function heldBack(look: Look, step: Step): Step {
  const { refusal } = look.memory;
  if ((step.type !== "change" && step.type !== "upkeep") || refusal === undefined) return step;
  const againMs = refusal.atMs + lookAgainMs - look.nowMs;
  if (againMs <= 0 || refusal.generation !== look.workflow.metadata.generation) return step;
  return {
    type: "waiting",
    message: `The API server refused ${refusal.object}: ${refusal.message}`,
    lookAgainMs: againMs,
  };
}

/** What was asked for has come about: told only on what the API server says, not on a cache. */
function hasEnded({ workflow }: Look, verdict: Verdict): boolean {
  return (
    verdict.state === "STOPPED" && verdict.situation.progress === "settled" && workflow.status?.state !== "STOPPED"
  );
}

function surplus(look: Look, step: Step): readonly Write[] {
  return step.type === "settled" ? surplusPins(look) : [];
}

/** An Event for every transition. */
function transitionNotes({ workflow }: Look, verdict: Verdict, { transitions }: WorkflowStatus): readonly Note[] {
  const [newest] = transitions ?? [];
  if (newest === undefined || newest === workflow.status?.transitions?.[0]) return [];
  const isBad = verdict.state === "FAILED" || verdict.transition === "Recovering";
  return [
    {
      type: isBad ? "Warning" : "Normal",
      reason: verdict.transition,
      action: verdict.state.charAt(0) + verdict.state.slice(1).toLowerCase(),
      note: `${verdict.state}: ${verdict.situation.message}`,
    },
  ];
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const some = times.filter((time) => time !== undefined);
  return some.length === 0 ? undefined : Math.min(...some);
}
