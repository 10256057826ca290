import { apiGroup, groupVersion, kind, labels, operatorName } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { OwnerReference } from "../../kubernetes/objects.ts";
import type { SeenMetadata } from "./snapshot.ts";

/** Whose an object of a derived name is. */
export type Standing = "mine" | "earlier" | "foreign";

/**
 * Mine: the workflow controls it. Earlier: a workflow of this name that is gone did, and the garbage collector is about to
 * remove it. Foreign: anybody else, or nobody.
 */
export function standingOf(metadata: SeenMetadata, workflow: IntegrationWorkflow): Standing {
  const references = metadata.ownerReferences ?? [];
  if (references.some(({ uid }) => uid === workflow.metadata.uid)) return "mine";
  return references.some((reference) => isWorkflowNamed(reference, workflow.metadata.name)) ? "earlier" : "foreign";
}

/** Whether an object is older than the workflow: it belongs to an earlier one of the name. Both times are the API server's. */
export function isOfEarlier({ creationTimestamp }: SeenMetadata, workflow: IntegrationWorkflow): boolean {
  return creationTimestamp !== undefined && creationTimestamp < workflow.metadata.creationTimestamp;
}

export function isEnding(metadata: SeenMetadata): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** The words that name an owner in a message. */
export function ownerOf(metadata: SeenMetadata): string {
  const controller =
    metadata.ownerReferences?.find((reference) => reference.controller) ?? metadata.ownerReferences?.[0];
  return controller === undefined ? "nobody that Kubernetes knows of" : `${controller.kind} ${controller.name}`;
}

export function ownerReference(workflow: IntegrationWorkflow): OwnerReference {
  const { name, uid } = workflow.metadata;
  // Not blocking: a workflow may be deleted in the foreground without waiting for its pods, and no finalizers right is needed.
  return { apiVersion: groupVersion, kind, name, uid, controller: true, blockOwnerDeletion: false };
}

/** Labels of everything that is made for a workflow. */
export function ownLabels(workflow: IntegrationWorkflow): Readonly<Record<string, string>> {
  return { [labels.workflow]: workflow.metadata.name, [labels.managedBy]: operatorName };
}

function isWorkflowNamed(reference: OwnerReference, name: string): boolean {
  return reference.kind === kind && reference.name === name && reference.apiVersion.startsWith(`${apiGroup}/`);
}
