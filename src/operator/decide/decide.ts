import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { readRecord, runsAnnotation } from "../../api/run-record.ts";
import { isAskedToRun, type Look, lookAt } from "../sight/look.ts";
import type { Note, Plan, Write } from "../sight/plan.ts";
import { refusalWaitMs } from "../sight/refusals.ts";
import { latestRun } from "../sight/run-record.ts";
import type { Memory, Snapshot } from "../sight/snapshot.ts";
import type { Step } from "../sight/steps.ts";
import { limitsNotes } from "../status/limits.ts";
import { pauseNotes } from "../status/pauses.ts";
import { comparedWithRun } from "../status/pending-changes.ts";
import { statusOf } from "../status/status.ts";
import { throttlingNotes } from "../status/throttling.ts";
import { type Verdict, verdictOf } from "../status/verdict.ts";
import { earliest } from "../time.ts";
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
  // What began with a later spec is not judged by this one: the watch of workflows must catch up first.
  if ((look.own === undefined ? 0 : (look.run?.generation ?? 0)) > snapshot.workflow.metadata.generation)
    return nothing;
  const step = heldBack(look, stepOf(look));
  const verdict = verdictOf(look, step);
  const compared = comparedWithRun(look);
  const remember = {
    lastReady: verdict.lastReady,
    lastAlive: verdict.lastAlive,
    pin: look.pin ?? snapshot.memory.pin,
    record: recordSeen(look),
    compared,
  };
  if (step.type === "lookAfresh" || (!look.fresh && hasEnded(look, verdict))) {
    return { ...nothing, lookAfresh: true, remember };
  }
  if (step.type === "change") return { ...nothing, writes: step.writes, remember };
  const status = statusOf(look, verdict, compared);
  return {
    writes: [...(step.type === "upkeep" ? step.writes : surplus(look, step)), ...claimUpkeep(look)],
    status,
    notes: [
      ...transitionNotes(look, verdict, status),
      ...limitsNotes(look),
      ...throttlingNotes(look),
      ...pauseNotes(look.workflow.status ?? {}, status),
    ],
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
  // Somebody may have taken the label off the Deployment by which it is watched.
  if (look.deployment === undefined && look.remains !== undefined && !look.fresh) return { type: "lookAfresh" };
  const kept = keepStopped(look);
  if (kept.type !== "settled" || !isAskedToRun(look)) return kept;
  return startStep(look);
}

/** An old record that somebody put back is not remembered. */
function recordSeen({ own, record, workflow, memory }: Look): Memory["record"] {
  const text = own?.metadata.annotations?.[runsAnnotation];
  const { uid } = workflow.metadata;
  if (text === undefined || (memory.record?.uid === uid && memory.record.text === text)) return memory.record;
  const seen = readRecord(text);
  return seen === undefined || latestRun(seen) < latestRun(record) ? memory.record : { uid, text };
}

/** A write that the API server refused a moment ago is not sent again at once. A start says so itself. */
function heldBack(look: Look, step: Step): Step {
  const { refusal } = look.memory;
  if ((step.type !== "change" && step.type !== "upkeep") || refusal === undefined) return step;
  const againMs = refusalWaitMs(refusal, look.workflow.metadata.generation, look.nowMs);
  if (againMs === 0) return step;
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

/** An Event for every transition, and for every other reason to be FAILED. */
function transitionNotes({ workflow }: Look, verdict: Verdict, status: WorkflowStatus): readonly Note[] {
  const before = workflow.status;
  const [newest] = status.transitions ?? [];
  const isTransition = newest !== undefined && newest !== before?.transitions?.[0];
  const isOtherFailure =
    before?.failure !== undefined && (status.failure ?? before.failure).reason !== before.failure.reason;
  if (!isTransition && !isOtherFailure) return [];
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
