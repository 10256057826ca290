import { labels } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { workerPort } from "../../api/worker-contract.ts";
import type { Manifest } from "../../kubernetes/objects.ts";
import { ownerReference, ownLabels } from "../sight/ownership.ts";

export function networkPolicyName(workflow: IntegrationWorkflow): string {
  return `${workflow.metadata.name}-worker`;
}

/**
 * Workers are reached on their HTTP port alone. Where they may go is left open: both systems are host names, which a
 * NetworkPolicy cannot say.
 */
export function networkPolicySpec(workflow: IntegrationWorkflow) {
  return {
    podSelector: { matchLabels: { [labels.workflow]: workflow.metadata.name } },
    policyTypes: ["Ingress"],
    ingress: [{ ports: [{ protocol: "TCP", port: workerPort }] }],
  };
}

export function networkPolicyManifest(workflow: IntegrationWorkflow): Manifest {
  const manifest = {
    metadata: {
      name: networkPolicyName(workflow),
      namespace: workflow.metadata.namespace,
      labels: ownLabels(workflow),
      ownerReferences: [ownerReference(workflow)],
    },
    spec: networkPolicySpec(workflow),
  };
  return manifest;
}
