import type { PendingChange } from "../api/integration-workflow.ts";
import { nearestOwnersOf } from "./field-owners.ts";
import type { LiveWorkflow } from "./workflow.ts";

/** Who made an edit that waits, and when, in words; undefined when the API server does not remember. Pure. */
export function changedBy({ metadata }: LiveWorkflow, { path, source }: PendingChange): string | undefined {
  if (source === "Operator") return "an upgrade of the operator";
  const [owner] = nearestOwnersOf(metadata.managedFields, path);
  return owner && [owner.manager, owner.time].filter((part) => part !== undefined).join(", ");
}
