/** What must be so of every look, whatever is written of it. */
import type { Planned } from "../tiny-operator.ts";
import { must } from "./must.ts";
import { isReady, truthOf } from "./truth.ts";

const steadyMs = 60_000;

/**
 * @param awaySinceMs by run, since which look one that had a ready worker has none
 * @param firstLookMs when this operator looked first; what was before, it need not know
 */
export function checkPlan(
  { plan: { status }, snapshot }: Planned,
  awaySinceMs: ReadonlyMap<number, number>,
  firstLookMs: number,
): void {
  const { record, runPods } = truthOf(snapshot);
  const [run] = record?.runs ?? [];
  const { spec } = snapshot.workflow;
  const isAsked = spec.state === "Running" && (spec.restart === undefined || spec.restart === record?.handledRestart);
  if (status === undefined || record?.active !== true || run === undefined || !isAsked) return;
  if (status.appliedRevision?.run !== run.run || runPods.some(isReady)) return;
  const sinceMs = awaySinceMs.get(run.run);
  if (status.state === "RUNNING" && sinceMs !== undefined) {
    const awayMs = snapshot.nowMs - Math.max(sinceMs, firstLookMs);
    must(awayMs <= steadyMs, "what has no ready worker for 60 s is not RUNNING", () => awayMs);
  }
  const isLooping = runPods.some(
    ({ metadata, worker }) =>
      metadata.deletionTimestamp === undefined && worker?.waiting?.reason === "CrashLoopBackOff",
  );
  if (isLooping) must(status.state === "FAILED", "what keeps crashing is FAILED", () => status.state);
}
