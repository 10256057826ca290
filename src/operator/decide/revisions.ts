import type { Look } from "../sight/look.ts";
import { isTrue } from "../sight/pin-identity.ts";
import type { DeleteWrite } from "../sight/plan.ts";
import { keptRuns } from "../sight/run-record.ts";

/**
 * Earlier pins beyond `revisionHistoryLimit`, and those that no run ever used (a crash between pin and Deployment, then an
 * edit). The record says the order; without one, nothing is removed.
 */
export function surplusPins(look: Look): readonly DeleteWrite[] {
  const { own, run, record, ownPins, workflow } = look;
  if (own === undefined || run === undefined) return [];
  const kept = new Set(keptRuns(record.runs, workflow.spec.revisionHistoryLimit).map(({ pin }) => pin));
  return (
    ownPins
      .filter((pin) => !kept.has(pin.metadata.name) && isTrue(pin, workflow.metadata.name, undefined))
      // A younger one may be of a run that these caches do not show yet.
      .filter(({ metadata }) => (metadata.creationTimestamp ?? run.startedAt) <= run.startedAt)
      .map(({ metadata }) => ({ verb: "delete", kind: "ConfigMap", name: metadata.name, target: metadata }))
  );
}
