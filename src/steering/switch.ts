/** Start, stop and restart: the two fields that say whether to run, and nothing else. */
import type { Client } from "../kubernetes/client.ts";
import { isConflict } from "../kubernetes/errors.ts";
import type { ObjectRef } from "../kubernetes/objects.ts";
import { type FieldOwner, isByHand, ownersOf } from "./field-owners.ts";
import { type LiveWorkflow, workflows } from "./workflow.ts";

/**
 * Field manager of every start, stop and restart, whoever asks for it. An apply drops what its manager applied before, so
 * nothing but `spec.state` and `spec.restart` may ever be written under this name.
 */
export const stateManager = "integration-workflow-state";

export type StateField = "state" | "restart";

export interface SwitchAsked {
  readonly state?: "Running" | "Stopped";
  /** Any new value. */
  readonly restart?: string;
}

export interface SwitchOptions {
  /** Managers that the person has agreed to overrule, by name. Those of kubectl are overruled unasked: somebody's own hand. */
  readonly overrule?: readonly string[];
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** Somebody else says whether this workflow runs, a pipeline for instance, and would put it back. */
export class FieldOwnedError extends Error {
  override readonly name = "FieldOwnedError";
  readonly code = "FieldOwned";
  readonly field: StateField;
  readonly owners: readonly FieldOwner[];

  constructor(field: StateField, owners: readonly FieldOwner[]) {
    const names = owners.map(({ manager }) => `"${manager}"`).join(" and ");
    super(
      `spec.${field} belongs to ${names}, which may put it back: change it there, or say that it is to be overruled`,
    );
    this.field = field;
    this.owners = owners;
  }
}

const mostTries = 5;

/**
 * Asks for a state, or for a restart. What runs follows; wait for it with `follow`.
 *
 * @param client whose field manager is `stateManager`
 * @returns the workflow as the API server has it then
 * @throws FieldOwnedError, ApiError, ConnectionError
 */
export async function switchWorkflow(
  client: Client,
  ref: ObjectRef,
  asked: SwitchAsked,
  { overrule = [], dryRun = false, signal }: SwitchOptions = {},
): Promise<LiveWorkflow> {
  const call = signal === undefined ? {} : { signal };
  for (let tries = 1; ; tries += 1) {
    const found = await client.get(workflows, ref, call);
    for (const field of ["state", "restart"] as const) {
      if (asked[field] === undefined || asked[field] === found.spec[field]) continue;
      const owners = ownersOf(found.metadata.managedFields, field).filter(
        (owner) => !isStateManager(owner) && !isByHand(owner) && !overrule.includes(owner.manager),
      );
      if (owners.length > 0) throw new FieldOwnedError(field, owners);
    }
    const { namespace, name, uid, resourceVersion } = found.metadata;
    const manifest = { metadata: { namespace, name, uid, resourceVersion }, spec: { ...ownBefore(found), ...asked } };
    try {
      // Forced, but only over the owners of the very version that was looked at.
      return await client.apply(workflows, manifest, { ...call, force: true, dryRun });
    } catch (error) {
      if (!isConflict(error) || tries >= mostTries) throw error;
    }
  }
}

/** What this manager has applied already and would drop by leaving it out. */
function ownBefore({ spec, metadata: { managedFields } }: LiveWorkflow): SwitchAsked {
  const isOurs = (field: StateField) => ownersOf(managedFields, field).some(isStateManager);
  return {
    ...(isOurs("state") ? { state: spec.state } : {}),
    ...(isOurs("restart") && spec.restart !== undefined ? { restart: spec.restart } : {}),
  };
}

function isStateManager({ manager }: FieldOwner): boolean {
  return manager === stateManager;
}
