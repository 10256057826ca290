import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { IntegrationWorkflow, WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { spec as specSchema } from "../../../src/api/integration-workflow.ts";
import type { OperatorPolicy, PodSeen, WorkerContainer } from "../../../src/operator/sight/snapshot.ts";

/** What tests of the operator start from. Times are epoch milliseconds; the scene opens at `start`. */
export const start = Date.parse("2026-11-21T10:00:00Z");
export const seconds = 1000;
export const minutes = 60 * seconds;

export const policy: OperatorPolicy = {
  defaultWorkerImage: "registry.example/integration-workflow:1.0.0",
  allowedWorkerImages: ["registry.example/permitted/*"],
  allowedServiceAccounts: ["permitted"],
};

/** What a user writes; the API server's defaults are filled in by `written`. */
export const plainSpec = {
  type: "Ingress",
  dynamics: { url: "https://contoso.crm.dynamics.com", credentialsSecretRef: { name: "dynamics" } },
  campaign: {
    url: "https://mc.adobe.io/contoso/campaign",
    credentialsSecretRef: { name: "campaign" },
    engineCallsPerSecond: 20,
  },
  ingress: {
    mappings: [
      {
        table: "contact",
        resource: "profile",
        key: { column: "contactid", field: "externalId" },
        fields: [{ column: "firstname", field: "firstName" }],
      },
    ],
  },
};

/** A spec as the API server stores it. */
export function written(changes: object = {}): WorkflowSpec {
  return withDefaults(specSchema as unknown as SchemaNode, {
    ...structuredClone(plainSpec),
    ...changes,
  }) as WorkflowSpec;
}

export function workflow(changes: object = {}, status?: IntegrationWorkflow["status"]): IntegrationWorkflow {
  return {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: {
      name: "contacts",
      namespace: "crm",
      uid: "workflow-1",
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: "2026-11-21T09:00:00Z",
    },
    spec: written(changes),
    ...(status === undefined ? {} : { status }),
  };
}

export function container(changes: Partial<WorkerContainer> = {}): WorkerContainer {
  return { restarts: 0, running: true, ...changes };
}

export function pod(changes: Partial<PodSeen> & { name?: string; deletionTimestamp?: string } = {}): PodSeen {
  const { name = "contacts-abc", deletionTimestamp, ...rest } = changes;
  return {
    metadata: {
      name,
      namespace: "crm",
      uid: `${name}-uid`,
      resourceVersion: "1",
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    run: 1,
    phase: "Running",
    node: "node-1",
    address: "10.0.0.1",
    readySinceMs: undefined,
    unschedulable: undefined,
    worker: container(),
    ...rest,
  };
}
