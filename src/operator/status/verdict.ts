import type { WorkflowState } from "../../api/integration-workflow.ts";
import { type Evidence, isAlive } from "../health/evidence.ts";
import { isReady, stateOf, steadyMs } from "../health/state-of.ts";
import { waitingFor } from "../health/waiting-for.ts";
import { claimNameOf } from "../objects/claim.ts";
import { isAskedToRun, type Look } from "../sight/look.ts";
import type { ClaimSeen, LastReady } from "../sight/snapshot.ts";
import type { Step } from "../sight/steps.ts";
import { earliest, epochMsOf, rfc3339 } from "../time.ts";
import type { Situation } from "./conditions.ts";

/** What is to be said of a workflow. */
export interface Verdict {
  readonly state: WorkflowState;
  readonly situation: Situation;
  /** The word of a change of state, if this is one. */
  readonly transition: string;
  readonly failure: Evidence | undefined;
  /** The run that the state is about. */
  readonly revision: string | undefined;
  /** The state is the last word of a run that is ending: no transition. */
  readonly keepsLastWord: boolean;
  readonly lastReady: LastReady | undefined;
  readonly lastAlive?: LastReady | undefined;
  /** When time alone may change it. */
  readonly changesInMs: number | undefined;
}

export function verdictOf(look: Look, step: Step): Verdict {
  if (step.type === "blocked") return failed(look, step, look.active);
  const { state: last, transitions } = look.workflow.status ?? {};
  if (look.active) {
    const isToEnd = !isAskedToRun(look) || look.restartDue;
    // A stop that the API server refuses has not begun, and what was asked for is not so all the same.
    if (isToEnd && step.type === "waiting") return stopping(look, last ?? "STARTING", step.message, undefined);
    return runningVerdict(look);
  }
  if (look.remains !== undefined) {
    const { message, saysMoreInMs } = look.remains;
    // Of a run that was stopped; before a first start there may be pods too, of whoever made them.
    const isOfRun = last !== "STOPPED" && look.run !== undefined && transitions?.[0]?.revision === look.run.pin;
    if (isOfRun || !isAskedToRun(look)) return stopping(look, last ?? "STARTING", message, saysMoreInMs);
  } else if (!isAskedToRun(look)) return stopped(look);
  const message = step.type === "waiting" ? step.message : "The run begins";
  // What it failed for may be mended; it has failed until a run begins, which waits for something else.
  if (last === "FAILED") {
    const { reason, message: kept } = keptFailure(look);
    return failed(look, { reason, message: step.type === "waiting" ? message : kept }, false);
  }
  return {
    state: "STARTING",
    situation: { progress: "moving", reason: "Starting", message, running: false },
    transition: "Starting",
    failure: undefined,
    revision: undefined,
    keepsLastWord: false,
    lastReady: undefined,
    changesInMs: undefined,
  };
}

function stopped(look: Look): Verdict {
  const message = "The workflow is stopped, as it was asked to be. To start it, set spec.state to Running";
  return {
    state: "STOPPED",
    situation: { progress: "settled", reason: "Stopped", message, running: false },
    transition: "Stopped",
    failure: undefined,
    revision: look.run?.pin,
    keepsLastWord: false,
    lastReady: undefined,
    changesInMs: undefined,
  };
}

function stopping(look: Look, state: WorkflowState, message: string, changesInMs: number | undefined): Verdict {
  return {
    state,
    situation: { progress: "moving", reason: "Stopping", message, running: look.runPods.some(isReady) },
    transition: "Stopping",
    failure: state === "FAILED" ? keptFailure(look) : undefined,
    revision: undefined,
    keepsLastWord: true,
    lastReady: undefined,
    changesInMs,
  };
}

function failed(look: Look, evidence: Evidence, isOfRun: boolean): Verdict {
  const { reason, message } = evidence;
  return {
    state: "FAILED",
    situation: { progress: "stalled", reason, message, running: false },
    transition: reason,
    failure: { reason, message },
    revision: isOfRun ? look.run?.pin : undefined,
    keepsLastWord: false,
    lastReady: undefined,
    changesInMs: undefined,
  };
}

function keptFailure({ workflow }: Look): Evidence {
  const failure = workflow.status?.failure;
  if (failure === undefined) return { reason: "Unknown", message: "The workflow failed; why is not known any more" };
  return { reason: failure.reason, message: failure.message };
}

function runningVerdict(look: Look): Verdict {
  const { workflow, run, nowMs, runPods, pin } = look;
  if (run === undefined) return stopped(look);
  const { status } = workflow;
  const isSameRun = status?.appliedRevision?.run === run.run && status.appliedRevision.name === run.pin;
  const last = isSameRun && status.state !== "STOPPED" ? status.state : undefined;
  const startedAtMs = epochMsOf(run.startedAt) ?? nowMs;
  const ran = isSameRun ? leftRunningAt(look, startedAtMs) : undefined;
  const lastReady = lastReadyOf(look, last === "RUNNING", ran?.leftAtMs);
  const lastReadyAtMs = lastReady?.atMs === "still" ? nowMs : lastReady?.atMs;
  const lastAlive = lastAliveOf(look);
  const lastAliveAtMs = lastAlive?.atMs === "still" ? nowMs : lastAlive?.atMs;
  const claims = mountedClaims(look);
  const state = stateOf({
    nowMs,
    claims,
    run: run.run,
    pods: runPods,
    replicaSets: look.replicaSets,
    last,
    lastFailure: last === "FAILED" ? keptFailure(look) : undefined,
    ran: ran !== undefined,
    startedAtMs,
    lastReadyAtMs,
    lastAliveAtMs,
    askedReplicas: pin?.content?.configuration.spec.worker.replicas ?? 1,
  });
  const common = { revision: run.pin, keepsLastWord: false, lastReady, lastAlive, changesInMs: state.changesInMs };
  switch (state.state) {
    case "RUNNING": {
      const situation = { progress: "settled", reason: "Running", message: state.message, running: true } as const;
      return { ...common, state: "RUNNING", situation, transition: "WorkerReady", failure: undefined };
    }
    case "FAILED":
      return { ...failed(look, state.evidence, true), ...common };
    case "STARTING": {
      // RUNNING was left when there had been none for so long.
      const since = `No ready worker since ${rfc3339((ran?.leftAtMs ?? nowMs) - steadyMs)}. `;
      const goodUntilMs = Math.max(startedAtMs, lastReadyAtMs ?? 0);
      const waiting = waitingFor({ ...look, claims }, goodUntilMs, Math.max(goodUntilMs, lastAliveAtMs ?? 0));
      const message = `${state.reason === "Recovering" ? since : ""}${waiting.message}`;
      const situation = { progress: "moving", reason: state.reason, message, running: false } as const;
      const transition = state.reason === "Recovering" ? "Recovering" : "Started";
      const changesInMs = earliest(common.changesInMs, waiting.saysMoreInMs);
      return { ...common, state: "STARTING", situation, transition, failure: undefined, changesInMs };
    }
  }
}

/** What the run's pods mount. */
function mountedClaims({ own, claims }: Look): readonly ClaimSeen[] {
  const name = own === undefined ? undefined : claimNameOf(own.spec);
  return claims.filter(({ metadata }) => metadata.name === name);
}

/** Whether this run has been RUNNING, and when it last ceased to be. */
function leftRunningAt({ workflow }: Look, startedAtMs: number): { readonly leftAtMs: number | undefined } | undefined {
  const transitions = workflow.status?.transitions ?? [];
  // The run's own first one tells how the run before it was left; and a run can begin in the second in which one ended.
  const begun = transitions.findIndex(({ to, reason }) => to === "STARTING" && reason === "Started");
  const sinceBegun = begun < 0 ? transitions : transitions.slice(0, begun);
  const ofRun = sinceBegun.filter(({ at }) => (epochMsOf(at) ?? 0) >= startedAtMs);
  const left = ofRun.find(({ from }) => from === "RUNNING");
  if (ofRun[0]?.to === "RUNNING") return { leftAtMs: undefined };
  return left === undefined ? undefined : { leftAtMs: epochMsOf(left.at) };
}

function lastAliveOf({ run, runPods, memory, nowMs }: Look): LastReady | undefined {
  if (run === undefined) return undefined;
  if (runPods.some((pod) => isAlive(pod, nowMs))) return { run: run.run, atMs: "still" };
  if (memory.lastAlive?.run !== run.run) return undefined;
  const { atMs } = memory.lastAlive;
  return { run: run.run, atMs: atMs === "still" ? nowMs : atMs };
}

function lastReadyOf(look: Look, isRunning: boolean, leftAtMs: number | undefined): LastReady | undefined {
  const { run, runPods, memory, nowMs } = look;
  if (run === undefined) return undefined;
  if (runPods.some(isReady)) return { run: run.run, atMs: "still" };
  if (memory.lastReady?.run === run.run) {
    const { atMs } = memory.lastReady;
    return { run: run.run, atMs: atMs === "still" ? nowMs : atMs };
  }
  // This operator has not seen it: the clock starts at its first look.
  if (isRunning) return { run: run.run, atMs: nowMs };
  return leftAtMs === undefined ? undefined : { run: run.run, atMs: leftAtMs };
}
