import { createHash } from "node:crypto";
import { operatorName } from "../../api/group.ts";
import { parseLabelSelector } from "../../kubernetes/label-selector.ts";
import type { ObjectMeta } from "../../kubernetes/objects.ts";

/**
 * The workflows that an operator runs, by their labels. It sees all that it watches: what a rule between workflows needs to
 * know (who has an opt-out field, who shares an application user, whose a name is) is known in every shard. What it does,
 * asks and tells is of its own shard alone.
 */
export interface Shard {
  /** Operators of one shard elect one leader among them, by this lease; those of another have another lease. */
  readonly leaseName: string;
  has(workflow: { readonly metadata: Pick<ObjectMeta, "labels"> }): boolean;
}

const hashLength = 8;

/**
 * @param selector undefined: every workflow. The chart makes the lease's name from the same text, for its Role.
 * @throws LabelSelectorError
 */
export function shardOf(selector: string | undefined): Shard {
  if (selector === undefined) return { leaseName: operatorName, has: () => true };
  const isSelected = parseLabelSelector(selector);
  const hash = createHash("sha256").update(selector).digest("hex").slice(0, hashLength);
  return { leaseName: `${operatorName}-${hash}`, has: ({ metadata }) => isSelected(metadata.labels) };
}
