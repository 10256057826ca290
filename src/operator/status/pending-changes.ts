import { effectiveSpec } from "../../api/configuration.ts";
import { type Difference, differences, namedLists, schemaLists } from "../../api/difference.ts";
import { type PendingChange, spec as specSchema, type WorkflowSpec } from "../../api/integration-workflow.ts";
import { isRecord } from "../../api/json.ts";
import { clip } from "../health/quote.ts";
import { claimNameOf } from "../objects/claim.ts";
import { renderDeployment } from "../objects/render.ts";
import type { Look } from "../sight/look.ts";
import { digestOf } from "../sight/pin-identity.ts";
import type { OperatorPolicy, PinContent } from "../sight/snapshot.ts";

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

/** What waits, and what it was computed from: it is computed anew only when one of these is another. */
export interface Compared {
  readonly generation: number;
  readonly digest: string;
  readonly image: string;
  readonly changes: readonly PendingChange[];
}

/** @returns undefined when no run is there to compare with */
export function comparedWithRun({ workflow, active, remains, pin, policy, memory }: Look): Compared | undefined {
  if (pin?.content === undefined || (!active && remains === undefined)) return undefined;
  const { generation } = workflow.metadata;
  const digest = digestOf(pin.content);
  const image = policy.defaultWorkerImage;
  const known = memory.compared;
  if (known?.generation === generation && known.digest === digest && known.image === image) return known;
  return { generation, digest, image, changes: pendingChanges(workflow.spec, pin.content, policy) };
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
