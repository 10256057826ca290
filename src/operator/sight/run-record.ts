import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { type Run, type RunRecord, readRecord, runsAnnotation } from "../../api/run-record.ts";
import { epochMsOf } from "../time.ts";
import type { DeploymentSeen } from "./snapshot.ts";

/** Restarts of one revision are many runs; an annotation has room for so many. */
const mostRuns = 100;

/** The runs that are recorded: those of the newest revision and of `limit` before it. */
export function keptRuns(runs: readonly Run[], limit: number): readonly Run[] {
  const pins = new Set<string>();
  const end = runs.findIndex(({ pin }) => pins.add(pin).size > limit + 1);
  return runs.slice(0, Math.min(mostRuns, end < 0 ? runs.length : end));
}

/** What else tells of a workflow's runs than its Deployment. */
interface OtherSources {
  /** Whether the pin of this name is there, and the workflow's. */
  readonly hasPin: (name: string) => boolean;
  /** The Deployment's annotation as it was last seen. */
  readonly remembered?: string | undefined;
}

/**
 * The record of the latest run. The Deployment has it, unless somebody deleted the Deployment, or put an old one in its
 * place: then what was last seen of it has it, as long as this operator leads, and status the last run of it.
 */
export function recordOf(
  workflow: IntegrationWorkflow,
  deployment: DeploymentSeen | undefined,
  { hasPin, remembered }: OtherSources,
): RunRecord {
  const told = recordFromStatus(workflow);
  const [last] = told.runs;
  const isGone = last !== undefined && isBefore(last, workflow) && !hasPin(last.pin);
  const text = deployment?.metadata.annotations?.[runsAnnotation];
  const known = [
    readRecord(text),
    remembered === text ? undefined : readRecord(remembered),
    isGone ? { ...told, active: false, runs: [] } : told,
  ].filter((record) => record !== undefined);
  const latest = Math.max(...known.map(latestRun));
  return known.find((record) => latestRun(record) === latest) ?? told;
}

export function latestRun({ runs }: RunRecord): number {
  return runs[0]?.run ?? 0;
}

/** The run was before the resource was made: an old status was restored with it. Two clocks tell so, and may differ. */
function isBefore({ startedAt }: Run, { metadata }: IntegrationWorkflow): boolean {
  const [startedAtMs, madeAtMs] = [epochMsOf(startedAt), epochMsOf(metadata.creationTimestamp)];
  return startedAtMs !== undefined && madeAtMs !== undefined && startedAtMs < madeAtMs;
}

/**
 * The record as status remembers it, for a Deployment that was deleted by hand. A run goes on if the last transition is
 * one of its own; a start that was refused, and a stop, are not.
 */
export function recordFromStatus({ status }: IntegrationWorkflow): RunRecord {
  const applied = status?.appliedRevision;
  const handledRestart = status?.handledRestart;
  if (applied === undefined) return { active: false, handledRestart, runs: [] };
  const [last] = status?.transitions ?? [];
  const isStopping = status?.conditions?.some(({ type, reason }) => type === "Ready" && reason === "Stopping") ?? false;
  const active = !isStopping && status?.state !== "STOPPED" && last !== undefined && last.revision === applied.name;
  const { name, run, generation, appliedAt } = applied;
  return { active, handledRestart, runs: [{ run, pin: name, generation, startedAt: appliedAt }] };
}
