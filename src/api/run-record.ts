/** What the operator writes down of a workflow's runs, and where tools find it. */
import { apiGroup } from "./group.ts";
import { isRecord } from "./json.ts";

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
