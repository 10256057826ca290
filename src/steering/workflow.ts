import { workflowKind } from "../api/group.ts";
import type { IntegrationWorkflow } from "../api/integration-workflow.ts";
import type { KubernetesObject, ResourceKind } from "../kubernetes/objects.ts";

/** A workflow as the API server sends it, with who wrote which field. */
export type LiveWorkflow = IntegrationWorkflow & KubernetesObject;

export const workflows: ResourceKind<LiveWorkflow> = workflowKind;

type Placed = { readonly metadata: Pick<LiveWorkflow["metadata"], "namespace" | "name"> };

/** Namespace and name. */
export function placeOf({ metadata }: Placed): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** In the order in which the API server lists them. */
export function byPlace(one: Placed, other: Placed): number {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a < b ? -1 : Number(a > b);
}
