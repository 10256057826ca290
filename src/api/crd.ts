import { apiGroup, apiVersion, kind, plural } from "./group.ts";
import { integrationWorkflow } from "./integration-workflow.ts";

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** 1: only with `-o wide`. */
  readonly priority?: 1;
}

const columns: readonly PrinterColumn[] = [
  { name: "Type", type: "string", jsonPath: ".spec.type", description: "What the workflow syncs" },
  { name: "State", type: "string", jsonPath: ".status.state", description: "STOPPED, STARTING, RUNNING or FAILED" },
  { name: "Backlog", type: "integer", jsonPath: ".status.backlog", description: "Records waiting to be written" },
  { name: "Restart", type: "boolean", jsonPath: ".status.pendingRestart", description: "An edit waits for a restart" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since it was made" },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "Why it is in this state",
    priority: 1,
  },
  {
    name: "Paused",
    type: "string",
    jsonPath: '.status.mappings[?(@.phase=="Paused")].name',
    description: "The first mapping for which nothing is written",
    priority: 1,
  },
  {
    name: "Throttled",
    type: "string",
    jsonPath: ".status.throttling[*].service",
    description: "The first service that holds calls back",
    priority: 1,
  },
  {
    name: "Revision",
    type: "string",
    jsonPath: ".status.appliedRevision.name",
    description: "What runs, or ran last",
    priority: 1,
  },
  {
    name: "Last Sync",
    type: "date",
    jsonPath: ".status.lastSyncTime",
    description: "When a record was last written",
    priority: 1,
  },
];

/** The CustomResourceDefinition, for Kubernetes 1.32 or newer. */
export const customResourceDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${apiGroup}` },
  spec: {
    group: apiGroup,
    scope: "Namespaced",
    names: {
      kind,
      listKind: `${kind}List`,
      plural,
      singular: kind.toLowerCase(),
      shortNames: ["iw"],
      categories: ["integrations"],
    },
    versions: [
      {
        name: apiVersion,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        selectableFields: [{ jsonPath: ".spec.state" }, { jsonPath: ".spec.type" }, { jsonPath: ".status.state" }],
        schema: { openAPIV3Schema: integrationWorkflow },
      },
    ],
  },
};
