/** What must be so of every status that is written, whatever happened before. */
import { Compile } from "typebox/compile";
import {
  type IntegrationWorkflow,
  integrationWorkflow,
  type WorkflowStatus,
} from "../../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../../src/api/json.ts";
import type { Snapshot } from "../../../../src/operator/sight/snapshot.ts";
import { epochMsOf, rfc3339 } from "../../../../src/operator/time.ts";
import { must } from "./must.ts";
import { isReady, isTrusted, type Truth, truthOf } from "./truth.ts";

const schema = Compile(integrationWorkflow.properties.status);

/** The table of the contract: Ready, Running, Reconciling, Stalled. */
const table: Readonly<Record<string, readonly [string, string, string, string]>> = {
  STARTING: ["False", "False", "True", "False"],
  RUNNING: ["True", "True", "False", "False"],
  STOPPED: ["True", "False", "False", "False"],
  FAILED: ["False", "False", "False", "True"],
};

export interface StatusWritten {
  readonly before: IntegrationWorkflow;
  readonly after: WorkflowStatus;
  /** What the operator had seen. */
  readonly snapshot: Snapshot;
}

/** @throws Broken */
export function checkStatus(written: StatusWritten): void {
  const { before, after, snapshot } = written;
  must(schema.Check(after), "a status passes the schema", () => [[...schema.Errors(after)].slice(0, 2), after]);
  must(
    after.observedGeneration === snapshot.workflow.metadata.generation,
    "observedGeneration is the generation that was seen",
  );
  must(!sameJson(before.status, after), "no status is written that says the same");
  const truth = truthOf(snapshot);
  checkConditions(written, truth);
  checkTransitions(written);
  checkState(written, truth);
}

function checkConditions({ before, after, snapshot }: StatusWritten, { record, runPods, isAnythingLeft }: Truth): void {
  const conditions = new Map((after.conditions ?? []).map((condition) => [condition.type, condition]));
  const [ready, running, ...rest] = ["Ready", "Running", "Reconciling", "Stalled"].map((type) => conditions.get(type));
  const told = [ready, running, ...rest].map((condition) => condition?.status ?? "absent");
  const facts = () => [after.state, told, ready];
  if (ready?.reason === "Stopping") {
    // Without a record, whose pods they are is not known here.
    const isReadyStill = record === undefined ? told[1] : runPods.some(isReady) ? "True" : "False";
    must(sameJson(told, ["False", isReadyStill, "True", "False"]), "conditions are those of Stopping", facts);
    // A stop that was refused is not recorded, though somebody has scaled it down already.
    must(isAnythingLeft || snapshot.memory.refusal !== undefined, "it stops while something is left", facts);
  } else {
    must(sameJson(told, table[after.state ?? ""] ?? []), "conditions are those of the state", facts);
    const reasons = { STARTING: ["Starting", "Recovering"], RUNNING: ["Running"], STOPPED: ["Stopped"], FAILED: [] };
    const expected = after.state === "FAILED" ? [after.failure?.reason ?? ""] : reasons[after.state ?? "STOPPED"];
    must(expected.includes(ready?.reason ?? ""), "the reason is one of the state", facts);
  }
  must(
    (after.state === "FAILED") === (after.failure !== undefined),
    "a failure is told while it FAILED, and only then",
  );
  must(
    conditions.get("RestartRequired")?.status === (after.pendingRestart === true ? "True" : "False"),
    "RestartRequired says what pendingRestart says",
  );
  const isPending = (after.pendingChanges ?? []).some(({ source }) => source === "Spec");
  must(isPending === after.pendingRestart, "pendingRestart follows from the changes of the Spec");
  must((after.pendingChangeCount ?? 0) >= (after.pendingChanges ?? []).length, "the changes are counted");
  for (const condition of after.conditions ?? []) {
    const was = before.status?.conditions?.find(({ type }) => type === condition.type);
    const since = was?.status === condition.status ? was.lastTransitionTime : rfc3339(snapshot.nowMs);
    must(condition.lastTransitionTime === since, "lastTransitionTime changes with the status alone", () => [
      was,
      condition,
    ]);
    if (["Ready", "Running", "Reconciling", "Stalled", "RestartRequired"].includes(condition.type)) {
      must(condition.observedGeneration === after.observedGeneration, "every condition speaks of the generation seen");
    }
    must(condition.message !== "" || condition.reason === "FAILED", "every condition has a message", () => condition);
  }
}

function checkTransitions({ before, after, snapshot }: StatusWritten): void {
  const [was, now] = [before.status?.transitions ?? [], after.transitions ?? []];
  const isStopping = after.conditions?.some(({ type, reason }) => type === "Ready" && reason === "Stopping") ?? false;
  const facts = () => [before.status?.state, after.state, was[0], now[0]];
  // Two starts within a second may read the same.
  const hasNew = !sameJson(now, was);
  must(
    sameJson(hasNew ? now.slice(1) : now, was.slice(0, hasNew ? 19 : 20)),
    "transitions are only added to, at most 20",
  );
  if (before.status?.state !== after.state && !isStopping) must(hasNew, "a change of state is a transition", facts);
  if (!hasNew) return;
  const [newest] = now;
  must(!isStopping, "stopping is no transition: the state keeps its last word", facts);
  must(
    newest?.from === before.status?.state && newest?.to === after.state,
    "a transition tells from where to where",
    facts,
  );
  must(newest?.at === rfc3339(snapshot.nowMs), "a transition tells when", facts);
}

function checkState(written: StatusWritten, truth: Truth): void {
  const { before, after, snapshot } = written;
  const { runPods, unfinished, record } = truth;
  const was = before.status?.state;
  const facts = () => [was, after.state, after.failure, unfinished];
  const isStopping = after.conditions?.some(({ type, reason }) => type === "Ready" && reason === "Stopping") ?? false;
  if (after.state === "STOPPED" && !isStopping) {
    must(!truth.isAnythingLeft, "STOPPED when the last pod has ended", facts);
    if (was !== "STOPPED") must(snapshot.fresh, "STOPPED is told on what the API server says, not on caches");
    must(after.pendingRestart === false && after.pendingChangeCount === 0, "nothing is pending of what is STOPPED");
    must(snapshot.workflow.spec.state === "Stopped", "STOPPED is what was asked for", facts);
  }
  if (isStopping) return;
  const isAsked = snapshot.workflow.spec.state === "Running";
  must(isAsked !== (after.state === "STOPPED"), "the state is about what was asked for", facts);
  const isSameRun = sameJson(before.status?.appliedRevision, after.appliedRevision);
  if (after.state === "RUNNING") {
    must(record?.active !== false, "RUNNING is a run that is active", facts);
    const ready = runPods.filter(isReady);
    if (was !== "RUNNING" || !isSameRun) must(ready.length > 0, "RUNNING when a worker of the run is ready", facts);
    if (was === "FAILED" && isSameRun) {
      const steadyMs = Math.max(0, ...ready.map(({ readySinceMs = 0 }) => snapshot.nowMs - readySinceMs));
      must(steadyMs >= 60_000, "FAILED is left for RUNNING after 60 s of readiness", facts);
    }
    const restarted = ready.every(({ worker }) => {
      const endedAtMs = worker?.restarts ? worker.ended?.finishedAtMs : undefined;
      return endedAtMs !== undefined && snapshot.nowMs - endedAtMs < 600_000;
    });
    if (was === "STARTING" && isSameRun && restarted) {
      const steadyMs = Math.max(...ready.map(({ readySinceMs = 0 }) => snapshot.nowMs - readySinceMs));
      must(steadyMs >= 60_000, "after a restart of its container a worker is believed after 60 s", facts);
    }
  }
  if (after.state === "STARTING" && was === "FAILED" && record?.active === true) {
    must(!isSameRun, "FAILED is left for STARTING by a new run alone", facts);
  }
  if (after.state === "STARTING" && was === "STARTING" && isSameRun && record?.active === true) {
    const trusted = runPods.filter((pod) => isReady(pod) && !pod.worker?.restarts);
    must(trusted.length === 0, "with a ready worker it is RUNNING", facts);
  }
  if (after.state === "FAILED" && (was !== "FAILED" || !isSameRun) && record?.active === true)
    checkEvidence(written, truth, facts);
}

/** FAILED of a run: what is told must be there to be seen. */
function checkEvidence({ after: { failure }, snapshot }: StatusWritten, truth: Truth, facts: () => unknown): void {
  if (["RevisionLost", "NameConflict"].includes(failure?.reason ?? "")) return;
  const { runPods, record } = truth;
  must(!runPods.some(isTrusted), "a run with a ready worker does not FAIL", facts);
  const waits = runPods.some(({ worker }) => worker?.waiting !== undefined);
  const gaveUp = runPods.some(({ worker }) => worker?.ended?.exitCode === 78);
  const notMade = snapshot.replicaSets.some(({ createFailure }) => createFailure !== undefined);
  if (waits || gaveUp || notMade) return;
  const living = runPods.filter(({ metadata, worker }) => {
    const isOwned = (metadata.ownerReferences ?? []).length > 0;
    const isOverdue = (epochMsOf(metadata.deletionTimestamp) ?? Number.POSITIVE_INFINITY) <= snapshot.nowMs;
    return worker?.running && isOwned && !isOverdue;
  });
  must(living.length === 0, "a live worker never fails by time", facts);
  const sinceMs = snapshot.nowMs - (epochMsOf(record?.runs[0]?.startedAt) ?? 0);
  must(sinceMs >= 5 * 60_000, "nothing is given up before 5 minutes", facts);
}

/** Figures are those of this run's worker, and exact only by its last words. */
export function checkFigures(
  { status: before }: IntegrationWorkflow,
  after: WorkflowStatus,
  { memory }: Snapshot,
): void {
  const run = after.appliedRevision?.run;
  const polled = memory.poll?.run === run ? memory.poll?.status.backlog : undefined;
  const said = memory.lastWords?.run === run && memory.lastWords?.graceful ? memory.lastWords.words.backlog : undefined;
  const facts = () => [after.backlog, polled, said, run];
  if (after.backlog !== before?.backlog) {
    must(after.backlog === polled || after.backlog === said, "a backlog is of the run that status is about", facts);
  }
  const isEnded = after.state === "STOPPED" && before?.state !== "STOPPED" && after.backlog !== undefined;
  if (isEnded && after.backlogEstimated === false) {
    must(after.backlog === said, "a backlog is exact by the last words alone", facts);
  }
}
