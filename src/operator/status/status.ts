import type { PendingChange, WorkflowStatus } from "../../api/integration-workflow.ts";
import { sameJson } from "../json.ts";
import type { Look } from "../sight/look.ts";
import { rfc3339 } from "../time.ts";
import { conditionsFrom, mainConditions, type Wanted } from "./conditions.ts";
import { figuresOf } from "./figures.ts";
import { pendingChanges } from "./pending-changes.ts";
import { transitionsFrom } from "./transitions.ts";
import type { Verdict } from "./verdict.ts";

const mostPendingChanges = 32;

/** The whole status as it should be. The same as before, field by field, when nothing has changed. */
export function statusOf(look: Look, verdict: Verdict): WorkflowStatus {
  const { workflow, record, run, nowMs } = look;
  const before = workflow.status ?? {};
  const { observedAt, ...figures } = figuresOf(look, verdict.state);
  const pending = pendingOf(look);
  const edits = pending.filter(({ source }) => source === "Spec");
  const wanted = [...mainConditions(verdict.situation), restartRequired(edits.length > 0), ...schemaDrift(look)];
  const status: WorkflowStatus = {
    observedGeneration: workflow.metadata.generation,
    ...(record.handledRestart === undefined ? {} : { handledRestart: record.handledRestart }),
    state: verdict.state,
    ...figures,
    ...(before.backlogObservedAt === undefined ? {} : { backlogObservedAt: before.backlogObservedAt }),
    pendingRestart: edits.length > 0,
    pendingChangeCount: pending.length,
    pendingChanges: pending.slice(0, mostPendingChanges),
    ...(run === undefined
      ? {}
      : {
          appliedRevision: { name: run.pin, run: run.run, generation: run.generation, appliedAt: run.startedAt },
        }),
    ...failureOf(look, verdict),
    transitions: verdict.keepsLastWord
      ? (before.transitions ?? [])
      : [...transitionsFrom(before.transitions ?? [], transitionOf(look, verdict), nowMs)],
    conditions: conditionsFrom(before.conditions ?? [], wanted, workflow.metadata.generation, nowMs),
  };
  // When it was observed is no change of its own.
  return observedAt === undefined || sameJson(status, before) ? status : { ...status, backlogObservedAt: observedAt };
}

function transitionOf({ workflow }: Look, { state, transition, revision }: Verdict) {
  return { from: workflow.status?.state, to: state, reason: transition, revision };
}

function failureOf({ workflow, runPods, nowMs }: Look, { failure, state }: Verdict): Pick<WorkflowStatus, "failure"> {
  if (failure === undefined || state !== "FAILED") return {};
  const since = workflow.status?.failure?.since ?? rfc3339(nowMs);
  const restarts = runPods.reduce((sum, pod) => sum + (pod.worker?.restarts ?? 0), 0);
  return { failure: { ...failure, since, ...(restarts === 0 ? {} : { restarts }) } };
}

/** What waits, as long as the run does. What a lost pin held is not known, so what was told of it stays. */
function pendingOf({ workflow, active, remains, run, pin, policy }: Look): readonly PendingChange[] {
  if (run === undefined || (!active && remains === undefined)) return [];
  if (pin?.content === undefined) return workflow.status?.pendingChanges ?? [];
  return pendingChanges(workflow.spec, pin.content, policy);
}

function restartRequired(isRequired: boolean): Wanted {
  return isRequired
    ? {
        type: "RestartRequired",
        status: "True",
        reason: "SpecChanged",
        message:
          "The workflow was edited, and runs as it was started: stop and start it, or set spec.restart, to bring status.pendingChanges into force",
      }
    : { type: "RestartRequired", status: "False", reason: "UpToDate", message: "No edit waits for a restart" };
}

/** Nothing is said of a schema that no worker of this run has compared. */
function schemaDrift({ memory, run, active }: Look): readonly Wanted[] {
  if (!active || memory.poll === undefined || memory.poll.run !== run?.run) return [];
  const { schemaDrift: drifts } = memory.poll.status;
  if (drifts.length === 0) {
    const message = "Every table, column, resource and field in use is as the mappings expect";
    return [{ type: "SchemaDrift", status: "False", reason: "NoDrift", message }];
  }
  const list = drifts.map(({ mapping, message }) => `${mapping}: ${message}`).join("; ");
  return [{ type: "SchemaDrift", status: "True", reason: "SchemaChanged", message: `Paused where it hurts. ${list}` }];
}
