import { vi } from "vitest";
import type { WorkflowSpec, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import type { Kubectl, KubernetesObject } from "./kubectl.ts";

export interface Workflow extends KubernetesObject {
  readonly spec: WorkflowSpec;
  readonly status: WorkflowStatus;
}

export interface Pod extends KubernetesObject {
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly {
      readonly containerID?: string;
      readonly ready: boolean;
      readonly restartCount: number;
    }[];
  };
}

const workflowLabel = "integrationworkflow.io/workflow";

/** Reads the workflow with the real kubectl. */
export function workflow(kubectl: Kubectl, name: string): Promise<Workflow> {
  return kubectl.json<Workflow>(["get", "integrationworkflow", name]);
}

export function pods(kubectl: Kubectl, name: string): Promise<readonly Pod[]> {
  return kubectl.list<Pod>("pods", `${workflowLabel}=${name}`);
}

/** Waits until the workflow's status is as `holds` says, and returns it; on the deadline it shows the last status. */
export async function untilStatus(
  kubectl: Kubectl,
  name: string,
  what: string,
  holds: (status: WorkflowStatus, workflow: Workflow) => boolean,
  seconds = 180,
): Promise<Workflow> {
  // Not expect.poll: hooks wait too, and it works in tests alone.
  return vi.waitFor(
    async () => {
      const last = await workflow(kubectl, name);
      if (!holds(last.status, last)) throw new Error(`${name}: ${what}? Not yet: ${JSON.stringify(last.status)}`);
      return last;
    },
    { timeout: seconds * 1000, interval: 250 },
  );
}

export function untilState(kubectl: Kubectl, name: string, state: WorkflowStatus["state"], seconds = 180) {
  return untilStatus(
    kubectl,
    name,
    `state ${state}`,
    (status, { metadata }) => status.state === state && status.observedGeneration === metadata.generation,
    seconds,
  );
}

/** Columns of Dataverse's contact to fields of Campaign's profile, as the tests map them. */
export const contactFields = [
  { column: "firstname", field: "firstName" },
  { column: "middlename", field: "middleName" },
  { column: "lastname", field: "lastName" },
  { column: "emailaddress1", field: "email" },
  { column: "telephone1", field: "phone" },
  {
    column: "gendercode",
    field: "gender",
    replacements: [
      { from: "1", to: "male" },
      { from: "2", to: "female" },
    ],
  },
] as const;

export interface ContactsWorkflow {
  readonly name: string;
  readonly dynamicsUrl: string;
  readonly campaignUrl: string;
  readonly state?: "Running" | "Stopped";
  readonly engineCallsPerSecond?: number;
}

/** Contacts into profiles; the Secrets `dynamics` and `campaign` hold the credentials. */
export function contactsWorkflow(options: ContactsWorkflow): object {
  return {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name: options.name },
    spec: {
      state: options.state ?? "Running",
      type: "Ingress",
      dynamics: { url: options.dynamicsUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: {
        url: options.campaignUrl,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: options.engineCallsPerSecond ?? 500,
      },
      ingress: {
        mappings: [
          {
            table: "contact",
            resource: "profile",
            key: { column: "contactid", field: "externalId" },
            fields: contactFields,
            picklistValues: "Value",
            applyDeletes: true,
          },
        ],
      },
    },
  };
}
