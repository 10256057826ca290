/** What must be so of every look, whatever is written of it. */
import type { Planned } from "../tiny-operator.ts";
import { must } from "./must.ts";
import { isReady, truthOf } from "./truth.ts";

const steadyMs = 60_000;

/** A run that is found RUNNING without a ready worker, and since when at every look. */
export interface Away {
  readonly run: number;
  readonly sinceMs: number;
}

/**
 * @param before as the looks before found it
 * @param firstLookMs when this operator looked first; what was before, it need not know
 * @returns as this look finds it
 */
export function checkPlan(
  { plan: { status }, snapshot }: Planned,
  before: Away | undefined,
  firstLookMs: number,
): Away | undefined {
  const { record, run, runPods } = truthOf(snapshot);
  const { spec } = snapshot.workflow;
  const isAsked = spec.state === "Running" && (spec.restart === undefined || spec.restart === record?.handledRestart);
  if (!isAsked || runPods.some(isReady)) return undefined;
  if (status === undefined) return before;
  if (record?.active !== true || status.appliedRevision?.run !== run) return undefined;
  const isLooping = runPods.some(
    ({ metadata, worker }) =>
      metadata.deletionTimestamp === undefined && worker?.waiting?.reason === "CrashLoopBackOff",
  );
  if (isLooping) must(status.state === "FAILED", "what keeps crashing is FAILED", () => status.state);
  if (status.state !== "RUNNING") return undefined;
  const away = before?.run === run ? before : { run, sinceMs: snapshot.nowMs };
  const awayMs = snapshot.nowMs - Math.max(away.sinceMs, firstLookMs);
  must(awayMs <= steadyMs, "what has no ready worker for 60 s is not RUNNING", () => awayMs);
  return away;
}
