import type { EffectiveSpec } from "../../api/configuration.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { profileFieldsOf, sameSystemsOf } from "./opt-out-fields.ts";
import { remainsOf } from "./remains.ts";
import { recordOf } from "./run-record.ts";
import type { PinSeen, RunObjects } from "./snapshot.ts";

/** A workflow of the other type, of the same two systems, with some of the same opt-out fields. */
export interface Rival {
  readonly name: string;
  readonly type: "Ingress" | "OptInOut";
  /** Those of both, by the OptInOut's names, in alphabetical order. */
  readonly fields: readonly string[];
  /** running: also while it restarts. stopping: its pods end. first: neither runs, and it was made earlier. */
  readonly standing: "running" | "stopping" | "first";
  /** It runs with these fields, and its spec has them no longer. */
  readonly isMendedByRestart: boolean;
}

/** What is known of the other workflow. */
export interface Other {
  readonly workflow: IntegrationWorkflow;
  readonly objects: RunObjects;
  readonly pinNamed: (name: string) => PinSeen | undefined;
}

/**
 * Whether another workflow keeps `mine` from starting: the fields are with who runs, is about to run again, or has pods left;
 * and of two that both wait, with the earlier one. Never is one stopped for this.
 */
export function rivalOf(
  mine: IntegrationWorkflow,
  { workflow, objects, pinNamed }: Other,
  nowMs: number,
): Rival | undefined {
  const { deployment, replicaSets, pods } = objects;
  const record = recordOf(workflow, deployment, { hasPin: (name) => pinNamed(name) !== undefined });
  const [run] = record.runs;
  const isAsked = workflow.spec.state === "Running";
  const pinned = run === undefined ? undefined : pinNamed(run.pin)?.content?.configuration.spec;
  const fieldsRun = sharedFields(mine, workflow, pinned ?? workflow.spec);
  const fieldsToBe = sharedFields(mine, workflow, workflow.spec);
  const rival = (fields: readonly string[], standing: Rival["standing"]): Rival | undefined => {
    const { type } = workflow.spec;
    if (fields.length === 0 || type === "Egress") return undefined;
    const { name } = workflow.metadata;
    return { name, type, fields, standing, isMendedByRestart: standing === "running" && fieldsToBe.length === 0 };
  };
  if (record.active && isAsked) return rival(fieldsRun, "running");
  if (
    record.active ||
    isStopping(workflow) ||
    // Neither status nor a record may tell of it: never told, or deleted.
    remainsOf(nowMs, deployment, replicaSets, pods) !== undefined
  ) {
    const ending = rival(fieldsRun, isAsked ? "running" : "stopping");
    if (ending !== undefined) return ending;
  }
  // Whose own start was refused, for whatever reason, does not keep others from starting: else neither would run.
  const waits = isAsked && workflow.status?.failure === undefined && workflow.metadata.deletionTimestamp === undefined;
  return waits && isEarlier(workflow, mine) ? rival(fieldsToBe, "first") : undefined;
}

/** Whose the fields are, as part of a sentence. */
export function holderOf({ name, type, fields, standing }: Rival): string {
  const isOne = fields.length === 1;
  const what = `${isOne ? "field" : "fields"} ${fields.join(", ")} of the profile`;
  const who = { running: "which runs", stopping: "which stops", first: "which is asked to run and was made earlier" };
  return `the ${what} in the same two systems ${isOne ? "belongs" : "belong"} to workflow ${name} (${type}), ${who[standing]}`;
}

/** A run of it was stopped, and its pods may be there still: also in a restart, and before status tells of the stop. */
function isStopping({ status }: IntegrationWorkflow): boolean {
  const isOfRun = status?.transitions?.[0]?.revision !== undefined;
  return isOfRun && status?.state !== "STOPPED";
}

function sharedFields(
  mine: IntegrationWorkflow,
  other: IntegrationWorkflow,
  theirs: EffectiveSpec | IntegrationWorkflow["spec"],
): readonly string[] {
  const { namespace } = mine.metadata;
  if (mine.spec.type === theirs.type || other.metadata.namespace !== namespace) return [];
  if (sameSystemsOf(namespace, mine.spec) !== sameSystemsOf(namespace, theirs)) return [];
  const fields = profileFieldsOf(theirs);
  return [...profileFieldsOf(mine.spec)].filter((field) => fields.has(field)).sort();
}

function isEarlier({ metadata: left }: IntegrationWorkflow, { metadata: right }: IntegrationWorkflow): boolean {
  if (left.creationTimestamp !== right.creationTimestamp) return left.creationTimestamp < right.creationTimestamp;
  return left.name < right.name;
}
