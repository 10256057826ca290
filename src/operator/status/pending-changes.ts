import { effectiveSpec } from "../../api/configuration.ts";
import { type PendingChange, spec as specSchema, type WorkflowSpec } from "../../api/integration-workflow.ts";
import { clip } from "../health/last-words.ts";
import { isRecord } from "../json.ts";
import { claimNameOf } from "../objects/claim.ts";
import { renderDeployment } from "../objects/render.ts";
import type { OperatorPolicy, PinContent } from "../sight/snapshot.ts";
import { type Difference, differences, namedLists, schemaLists } from "./difference.ts";

/** In force at once, and so never pending: see `claimUpkeep`. */
const inForce = new Set(["queue.volume.whenDeleted"]);

const longestValue = 1024;

/**
 * What a stop and start would change, computed from scratch: an edit that was taken back is not there. First what somebody
 * edited, then what another operator than the one of the start would do to the same configuration.
 */
export function pendingChanges(written: WorkflowSpec, pinned: PinContent, policy: OperatorPolicy): PendingChange[] {
  // Both sides get the defaults of this operator: a default that is new is no edit.
  const running = effectiveSpec({ ...pinned.configuration.spec, state: "Running", revisionHistoryLimit: 0 });
  const edited = differences(running, effectiveSpec(written), schemaLists, specSchema)
    .filter(({ path }) => !inForce.has(path))
    .map((difference) => change(difference, "Spec"));
  const rendered = renderDeployment({
    configuration: { ...pinned.configuration, spec: running },
    defaultWorkerImage: policy.defaultWorkerImage,
    claimName: claimNameOf(pinned.deployment),
  });
  const upgraded = differences({ deployment: pinned.deployment }, { deployment: rendered }, namedLists, undefined).map(
    (difference) => change(difference, "Operator"),
  );
  return [...edited, ...upgraded];
}

function change({ path, from, to }: Difference, source: PendingChange["source"]): PendingChange {
  return {
    path: clip(path, longestValue),
    ...(from === undefined ? {} : { from: text(from) }),
    ...(to === undefined ? {} : { to: text(to) }),
    source,
  };
}

function text(value: unknown): string {
  const written = isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
  return clip(written, longestValue);
}
