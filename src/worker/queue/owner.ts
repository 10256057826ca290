import { StoreError } from "./errors.ts";
import type { StoreOwner } from "./interface.ts";

/**
 * A workflow that was deleted and made again under its name goes on with its store, so its uid may differ.
 * @param place what holds the records, for the message
 * @param emptied how to have an empty one
 * @returns undefined: it is the same
 */
export function mismatchOf(
  found: StoreOwner,
  asked: StoreOwner,
  place: string,
  emptied: string,
): StoreError | undefined {
  const differences = (
    [
      ["Dataverse organisation", found.organizationId, asked.organizationId],
      ["Campaign instance", found.campaignUrl, asked.campaignUrl],
      [
        "workflow",
        `${found.workflow.namespace}/${found.workflow.name}`,
        `${asked.workflow.namespace}/${asked.workflow.name}`,
      ],
    ] as const
  ).filter(([, had, wanted]) => had !== wanted);
  if (differences.length === 0) return undefined;
  const what = differences.map(([name, had, wanted]) => `${name} ${had}, not ${wanted}`).join("; ");
  return new StoreError(
    "StoreBelongsToAnother",
    `${place} holds the records of another world: ${what}. Give the workflow back what it had, or ${emptied}: everything is then read anew`,
  );
}
