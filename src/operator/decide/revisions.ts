import type { Look } from "../sight/look.ts";
import { isTrue } from "../sight/pin-identity.ts";
import type { DeleteWrite } from "../sight/plan.ts";
import { keptRuns } from "../sight/run-record.ts";
import type { PinSeen } from "../sight/snapshot.ts";

/**
 * Earlier pins beyond `revisionHistoryLimit`, and those that no run ever used (a crash between pin and Deployment, then an
 * edit). The record says the order; without one, nothing is removed. A record that does not go back to the first run, and
 * knows fewer revisions than are to be kept, was lost with its Deployment: then the youngest of the others are kept.
 */
export function surplusPins(look: Look): readonly DeleteWrite[] {
  const { own, run, record, ownPins, workflow } = look;
  if (own === undefined || run === undefined) return [];
  const { revisionHistoryLimit } = workflow.spec;
  const recorded = new Set(keptRuns(record.runs, revisionHistoryLimit).map(({ pin }) => pin));
  const knowsAll = record.runs.at(-1)?.run === 1;
  return (
    ownPins
      .filter((pin) => !recorded.has(pin.metadata.name) && isTrue(pin, workflow.metadata.name, undefined))
      // A younger one may be of a run that these caches do not show yet.
      .filter(({ metadata }) => (metadata.creationTimestamp ?? run.startedAt) <= run.startedAt)
      .sort((left, right) => (madeAt(left) < madeAt(right) ? 1 : -1))
      .slice(knowsAll ? 0 : Math.max(0, revisionHistoryLimit + 1 - recorded.size))
      .map(({ metadata }) => ({
        verb: "delete",
        kind: "ConfigMap",
        name: metadata.name,
        target: metadata,
        dispensable: true,
      }))
  );
}

function madeAt({ metadata }: PinSeen): string {
  return metadata.creationTimestamp ?? "";
}
