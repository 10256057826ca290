/** Whose fields an edit changes. Pure. */
import type { Difference } from "../api/difference.ts";
import { isByHand, nearestOwnersOf, ownersOf } from "./field-owners.ts";
import { stateManager } from "./switch.ts";
import type { LiveWorkflow } from "./workflow.ts";

/** Owner of every field that the Workflows page edits. */
export const pageManager = "integration-workflow-console";

export interface ForeignField {
  readonly path: string;
  /** A pipeline for instance, which may put it back. */
  readonly manager: string;
}

/**
 * The changes of fields that somebody else than a person's hand wrote. Who applies by server-side apply lets alone what it
 * has not written itself; anybody else may write the whole around it again.
 */
export function foreignFields(
  { metadata }: LiveWorkflow,
  changes: readonly Pick<Difference, "path">[],
): readonly ForeignField[] {
  const { managedFields } = metadata;
  return changes.flatMap(({ path }) => {
    const exact = ownersOf(managedFields, path);
    const around = nearestOwnersOf(managedFields, path).filter(({ operation }) => operation === "Update");
    return (exact.length > 0 ? exact : around)
      .filter((owner) => !isByHand(owner) && owner.manager !== pageManager && owner.manager !== stateManager)
      .map(({ manager }) => ({ path, manager }));
  });
}
