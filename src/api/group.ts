/** The names under which the resource is known to the API server. */
export const apiGroup = "integrationworkflow.io";
export const apiVersion = "v1";
export const groupVersion = `${apiGroup}/${apiVersion}` as const;
export const kind = "IntegrationWorkflow";
export const plural = "integrationworkflows";

/** The resource as a `ResourceKind`. */
export const workflowKind = { group: apiGroup, version: apiVersion, plural, kind, namespaced: true } as const;

/** Derived names and labels carry at most 63 characters: the name, a dash and ten characters more. */
export const maxNameLength = 52;

/** Labels on everything that the operator makes for a workflow. */
export const labels = {
  /** The workflow's name. */
  workflow: `${apiGroup}/workflow`,
  /** The run's number, on pods. */
  run: `${apiGroup}/run`,
  managedBy: "app.kubernetes.io/managed-by",
} as const;

/** Value of `labels.managedBy`, and the field manager of every apply of the operator's. */
export const operatorName = "integration-workflow-operator";
