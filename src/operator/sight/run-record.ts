import { apiGroup } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { isRecord } from "../json.ts";

/** Annotation of the Deployment that records its runs. It is written together with replicas, so the two never disagree. */
export const runsAnnotation = `${apiGroup}/runs`;

/** One run, from a start to a stop. */
export interface Run {
  readonly run: number;
  /** Name of the pin. */
  readonly pin: string;
  /** Full hash of the pin's content; absent when only status remembers the run. */
  readonly digest?: string;
  /** Of the workflow, at the start. */
  readonly generation: number;
  readonly startedAt: string;
}

export interface RunRecord {
  /** Started and not stopped. */
  readonly active: boolean;
  readonly handledRestart?: string | undefined;
  /** Newest first. */
  readonly runs: readonly Run[];
}

export function writeRecord(record: RunRecord): string {
  return JSON.stringify(record);
}

/** @returns undefined for what no operator wrote */
export function readRecord(text: string | undefined): RunRecord | undefined {
  let value: unknown;
  try {
    value = text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Edited by hand: status remembers the last run.
    return undefined;
  }
  if (!isRecord(value) || typeof value["active"] !== "boolean" || !Array.isArray(value["runs"])) return undefined;
  const { active, handledRestart, runs } = value;
  if (handledRestart !== undefined && typeof handledRestart !== "string") return undefined;
  return runs.every(isRun) ? { active, handledRestart, runs } : undefined;
}

/** Restarts of one revision are many runs; an annotation has room for so many. */
const mostRuns = 100;

/** The runs that are recorded: those of the newest revision and of `limit` before it. */
export function keptRuns(runs: readonly Run[], limit: number): readonly Run[] {
  const pins = new Set<string>();
  const end = runs.findIndex(({ pin }) => pins.add(pin).size > limit + 1);
  return runs.slice(0, Math.min(mostRuns, end < 0 ? runs.length : end));
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

function isRun(value: unknown): value is Run {
  return (
    isRecord(value) &&
    typeof value["run"] === "number" &&
    typeof value["pin"] === "string" &&
    typeof value["generation"] === "number" &&
    typeof value["startedAt"] === "string" &&
    (value["digest"] === undefined || typeof value["digest"] === "string")
  );
}
