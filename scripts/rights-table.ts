/**
 * What each service account of the chart, and each person by the cluster's own roles, may do: the chart says it in Helm, this
 * table says it once more with the reasons. Tests hold the API server to both: what is here is allowed, all else is refused.
 */

/** Who asks. `operator` watches all namespaces, `namespaced operator` those of `watchNamespaces`. */
export const accounts = ["operator", "namespaced operator", "console", "worker", "sandbox"] as const;
export type Account = (typeof accounts)[number];

export const people = ["view", "edit", "admin"] as const;
export type Role = (typeof people)[number];

/** all: in every namespace and in all at once. watched: in those of `watchNamespaces`. own: in the release's. */
export type Where = "all" | "watched" | "own";

export interface Right {
  readonly verbs: readonly string[];
  /** The API group; empty for the core group. */
  readonly group: string;
  /** Plural, with the subresource behind a slash. */
  readonly resource: string;
  /** The one object that it is limited to. */
  readonly name?: string;
  /** What of the chart's values gives it; absent: always there. */
  readonly given?: "operator.workerPoll: proxy";
  readonly why: string;
}

/** The group of the workflows. */
export const ownGroup = "integrationworkflow.io";

/** Where it watches. */
const operatorWork: readonly Right[] = [
  { verbs: ["get", "list", "watch"], group: ownGroup, resource: "integrationworkflows", why: "what is asked for" },
  {
    verbs: ["update"],
    group: ownGroup,
    resource: "integrationworkflows/status",
    why: "tells what it sees; it never writes a spec",
  },
  {
    verbs: ["get", "list", "watch", "create", "patch", "update"],
    group: "apps",
    resource: "deployments",
    why: "one for each workflow; the owner's deletion takes it away. `get` reads afresh before a start",
  },
  {
    verbs: ["list", "watch"],
    group: "apps",
    resource: "replicasets",
    why: "whether a pod was refused, and whether the earlier run is gone",
  },
  { verbs: ["list", "watch"], group: "", resource: "pods", why: "how the workers are" },
  {
    verbs: ["get", "list", "watch", "create", "delete"],
    group: "",
    resource: "configmaps",
    why: "the pins of what runs, ran, and is kept no longer. `get` names whose object has taken a name",
  },
  {
    verbs: ["get", "list", "watch", "create", "patch"],
    group: "",
    resource: "persistentvolumeclaims",
    why: "the queue's volume: it is made, made larger and given an owner, and never deleted by the operator",
  },
  {
    verbs: ["get", "list", "watch", "create", "patch"],
    group: "networking.k8s.io",
    resource: "networkpolicies",
    why: "one for each workflow's pods, put right at each start",
  },
  {
    verbs: ["create", "patch"],
    group: "events.k8s.io",
    resource: "events",
    why: "one for each transition and refusal; `patch` counts the same one up",
  },
  {
    verbs: ["get"],
    group: "",
    resource: "pods/proxy",
    given: "operator.workerPoll: proxy",
    why: "asks workers for their figures through the API server",
  },
];

const operatorLease: readonly Right[] = [
  { verbs: ["create"], group: "coordination.k8s.io", resource: "leases", why: "the first to lead makes the lease" },
  {
    verbs: ["get", "update"],
    group: "coordination.k8s.io",
    resource: "leases",
    name: "integration-workflow-operator",
    why: "leads, and sees who leads",
  },
];

interface Grant {
  readonly where: Where;
  readonly rights: readonly Right[];
}

/** What an account was given. Nothing stands for nothing. */
export const granted: Readonly<Record<Account, readonly Grant[]>> = {
  operator: [
    { where: "all", rights: operatorWork },
    { where: "own", rights: operatorLease },
  ],
  "namespaced operator": [
    { where: "watched", rights: operatorWork },
    { where: "own", rights: operatorLease },
  ],
  console: [],
  worker: [],
  sandbox: [],
};

/** What the chart adds to the cluster's own roles. Each has what those before it have. */
export const addedTo: Readonly<Record<Role, readonly Right[]>> = {
  view: [
    {
      verbs: ["get", "list", "watch"],
      group: ownGroup,
      resource: "integrationworkflows",
      why: "sees workflows and their status; no Secret is in them",
    },
    { verbs: ["get"], group: ownGroup, resource: "integrationworkflows/status", why: "the status alone" },
  ],
  edit: [
    {
      verbs: ["create", "update", "patch", "delete"],
      group: ownGroup,
      resource: "integrationworkflows",
      why: "starts, stops, edits; may so have any Secret of the namespace mounted, as `edit` may anyway",
    },
  ],
  admin: [
    {
      verbs: ["deletecollection"],
      group: ownGroup,
      resource: "integrationworkflows",
      why: "deletes all workflows of the namespace at once",
    },
  ],
};

/** What every account of a cluster may do, ours among them: Kubernetes' own `system:basic-user`. */
export const everyAccount: readonly Right[] = [
  {
    verbs: ["create"],
    group: "authorization.k8s.io",
    resource: "selfsubjectaccessreviews",
    why: "asks what it may do itself",
  },
  {
    verbs: ["create"],
    group: "authorization.k8s.io",
    resource: "selfsubjectrulesreviews",
    why: "asks what it may do itself",
  },
  { verbs: ["create"], group: "authentication.k8s.io", resource: "selfsubjectreviews", why: "asks who it is" },
];

/** What was tried and is refused, of all that is refused: what somebody who asks wants to know first. */
export const refusedToOperator: readonly string[] = [
  "read, write or list Secrets",
  "make, change, delete or enter pods, or read their logs",
  "write a workflow: its spec is people's alone",
  "delete Deployments, volume claims or network policies",
  "change a ConfigMap",
  "make service accounts, tokens, roles or bindings, or impersonate anybody",
  "read or write nodes, CustomResourceDefinitions or webhooks",
];
