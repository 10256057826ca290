import type { PendingChange, WorkflowCondition, WorkflowStatus } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import { status as statusSchema } from "../../api/schema/status.ts";
import type { Look } from "../sight/look.ts";
import { holderOf } from "../sight/rivals.ts";
import { rfc3339 } from "../time.ts";
import { conditionsFrom, mainConditions, type Wanted } from "./conditions.ts";
import { figuresOf } from "./figures.ts";
import { limitsCondition } from "./limits.ts";
import type { Compared } from "./pending-changes.ts";
import { throttledCondition, throttlingOf } from "./throttling.ts";
import { transitionsFrom } from "./transitions.ts";
import type { Verdict } from "./verdict.ts";

const mostPendingChanges = 32;

/** The whole status as it should be. The same as before, field by field, when nothing has changed. */
export function statusOf(look: Look, verdict: Verdict, compared: Compared | undefined): WorkflowStatus {
  const { workflow, record, run, nowMs } = look;
  const before = workflow.status ?? {};
  const { observedAt, ...figures } = figuresOf(look, verdict.state);
  const pending = pendingOf(look, compared);
  const edits = pending.filter(({ source }) => source === "Spec");
  const wanted = [
    ...mainConditions(verdict.situation),
    restartRequired(look, edits.length > 0),
    ...schemaDrift(look),
    ...limitsCondition(look),
    ...throttledCondition(look),
  ];
  const status: WorkflowStatus = {
    ...unknownOf(before),
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
    ...throttlingOf(look),
    transitions: verdict.keepsLastWord
      ? (before.transitions ?? [])
      : [...transitionsFrom(before.transitions ?? [], transitionOf(look, verdict), nowMs)],
    conditions: conditionsFrom(toldOfThisRun(look), wanted, workflow.metadata.generation, nowMs),
  };
  // When it was observed is no change of its own.
  return observedAt === undefined || sameJson(status, before) ? status : { ...status, backlogObservedAt: observedAt };
}

/** What an operator of a later version told, which may lead again: it is not ours to take away. */
function unknownOf(before: WorkflowStatus): object {
  return Object.fromEntries(Object.entries(before).filter(([name]) => !Object.hasOwn(statusSchema.properties, name)));
}

function transitionOf({ workflow, run }: Look, { state, transition, revision }: Verdict) {
  const isNewRun = revision !== undefined && workflow.status?.appliedRevision?.run !== run?.run;
  return { from: workflow.status?.state, to: state, reason: transition, revision, isNewRun };
}

function failureOf({ workflow, runPods, nowMs }: Look, { failure, state }: Verdict): Pick<WorkflowStatus, "failure"> {
  if (failure === undefined || state !== "FAILED") return {};
  const since = workflow.status?.failure?.since ?? rfc3339(nowMs);
  const restarts = runPods.reduce((sum, pod) => sum + (pod.worker?.restarts ?? 0), 0);
  return { failure: { ...failure, since, ...(restarts === 0 ? {} : { restarts }) } };
}

/** What waits, as long as the run does. What a lost pin held is not known, so what was told of it stays. */
function pendingOf(look: Look, compared: Compared | undefined): readonly PendingChange[] {
  const { workflow, active, remains, run } = look;
  if (run === undefined || (!active && remains === undefined)) return [];
  return compared?.changes ?? workflow.status?.pendingChanges ?? [];
}

function restartRequired({ rivals }: Look, isRequired: boolean): Wanted {
  const rival = rivals.find(({ standing }) => standing === "running");
  const refused = rival === undefined ? "" : `. Now, a start would be refused (FieldConflict): ${holderOf(rival)}`;
  return isRequired
    ? {
        type: "RestartRequired",
        status: "True",
        reason: "SpecChanged",
        message: `The workflow was edited, and runs as it was started: stop and start it, or set spec.restart, to bring status.pendingChanges into force${refused}`,
      }
    : { type: "RestartRequired", status: "False", reason: "UpToDate", message: "No edit waits for a restart" };
}

/** What was told of another run's schema says nothing of this one, whose worker has not compared it yet. */
function toldOfThisRun({ workflow, run, active }: Look): readonly WorkflowCondition[] {
  const { conditions = [], appliedRevision } = workflow.status ?? {};
  const isAnotherRun = active && run !== undefined && appliedRevision?.run !== run.run;
  return isAnotherRun ? conditions.filter(({ type }) => type !== "SchemaDrift") : conditions;
}

/** Nothing is said of a schema that no worker of this run has compared whole. */
function schemaDrift({ memory, run, active }: Look): readonly Wanted[] {
  if (!active || memory.poll === undefined || memory.poll.run !== run?.run) return [];
  const { schemaDrift: drifts, uncompared = [] } = memory.poll.status;
  if (drifts.length === 0) {
    if (uncompared.length > 0) return [];
    const message = "Every table, column, resource and field in use is as the mappings expect";
    return [{ type: "SchemaDrift", status: "False", reason: "NoDrift", message }];
  }
  const list = drifts
    .map(({ mapping, message }) => `${mapping}: ${message}`)
    .sort()
    .join("; ");
  return [{ type: "SchemaDrift", status: "True", reason: "SchemaChanged", message: `Paused where it hurts. ${list}` }];
}
