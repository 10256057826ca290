/** The workflows of the bench, and the Deployments of the same shape that are made without an operator. */
import { effectiveSpec } from "../../../src/api/configuration.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import type { Client } from "../../../src/kubernetes/client.ts";
import { deploymentOfRun, renderDeployment } from "../../../src/operator/objects/render.ts";
import { deployments, workflows } from "../../../src/operator/shell/projections.ts";
import { namespace } from "./ground.ts";

/** As `xargs -P` or a pipeline would do it; more makes the API server no faster. */
export const writersAtOnce = 32;

export function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
}

export async function createWorkflow(client: Client, name: string, label?: string): Promise<void> {
  const labels = label === undefined ? {} : { labels: { [label]: "yes" } };
  await client.create(workflows, { metadata: { name, namespace, ...labels }, spec: specOf(name) });
}

export async function patchSpec(client: Client, name: string, spec: object): Promise<void> {
  await client.mergePatch(workflows, { namespace, name }, { spec });
}

export async function createDeployment(client: Client, name: string): Promise<void> {
  const pinned = renderDeployment({
    // The API server fills in the defaults of the others; these are filled in here.
    configuration: { workflow: { name, namespace, uid: name }, spec: effectiveSpec(specOf(name) as WorkflowSpec) },
    defaultWorkerImage: "registry.example/integration-workflow:1.0.0",
    claimName: undefined,
  });
  const spec = deploymentOfRun(pinned, { run: 1, pin: `${name}-12345678` }, 1);
  await client.create(deployments, { metadata: { name, namespace }, spec });
}

const fields = ["firstName", "lastName", "email", "mobilePhone", "gender", "birthDate", "title", "city", "country"];

/**
 * Each with systems of its own, so that none shares another's limits. With a database for its queue: nothing here makes
 * volumes, and pods that wait for one are never bound.
 */
function specOf(name: string) {
  return {
    type: "Ingress",
    dynamics: { url: `https://${name}.crm.dynamics.com`, credentialsSecretRef: { name: "dynamics" } },
    campaign: {
      url: `https://mc.adobe.io/${name}/campaign`,
      credentialsSecretRef: { name: "campaign" },
      engineCallsPerSecond: 20,
    },
    queue: { postgres: { credentialsSecretRef: { name: "queue" } } },
    ingress: {
      mappings: [
        {
          table: "contact",
          resource: "profile",
          key: { column: "contactid", field: "externalId" },
          fields: fields.map((field) => ({ column: field.toLowerCase(), field })),
        },
      ],
    },
  };
}
