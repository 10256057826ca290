/** docs/explanation/rights.md, from the table of rights. */
import { accounts, addedTo, everyAccount, granted, people, type Right, refusedToOperator } from "./rights-table.ts";

const places = {
  all: "In every namespace",
  watched: "In each namespace of `watchNamespaces`",
  own: "In the release's namespace",
} as const;

const titles = {
  operator: "The operator, without `watchNamespaces`",
  "namespaced operator": "The operator, with `watchNamespaces`",
  console: "The Workflows page",
  worker: "A worker",
  sandbox: "The sandbox",
} as const;

const remarks = {
  operator: "A ClusterRole for the work, and a Role for the lease.",
  "namespaced operator":
    "Roles alone: nothing is cluster-wide. The definition of the resource is checked in `/openapi/v3`, which everybody who is signed in may read.",
  console:
    "Nothing, and no token is mounted: each call carries the token of the person who is signed in, and the audit log shows that person.",
  worker:
    "Nothing, and no token is mounted. It runs as the namespace's default account, or as one that `operator.allowedServiceAccounts` names, without its token.",
  sandbox: "Nothing, and no token is mounted.",
} as const;

function table(rights: readonly Right[]): string {
  const rows = rights.map(({ verbs, group, resource, name, given, why }) => {
    const what = `\`${resource}${group === "" ? "" : ` (${group})`}\`${name === undefined ? "" : `, \`${name}\` alone`}`;
    return `| ${verbs.join(", ")} | ${what} | ${why}${given === undefined ? "" : ` (with \`${given}\`)`} |`;
  });
  return ["| may | what | why |", "|---|---|---|", ...rows].join("\n");
}

/** @returns the page, whole */
export function rightsPage(): string {
  const ofAccounts = accounts.flatMap((account) => [
    `### ${titles[account]}`,
    remarks[account],
    ...granted[account].flatMap(({ where, rights }) => [`${places[where]}:`, table(rights)]),
  ]);
  const ofPeople = people.flatMap((role) => [`### ${role}`, table(addedTo[role])]);
  return `${[
    "# Who may do what",
    "Generated from scripts/rights-table.ts by `npm run generate`: edit there.",
    "Tests hold a real API server to these tables both ways: each row is allowed, and every other verb on every resource " +
      "that the API server knows is refused. Another test lets the operator do all its work with the chart's own account, and " +
      "reads the audit log: nothing was refused, and no right was left unused.",
    "## Who can reach a Secret",
    "No account of the chart can read a Secret through the API. That does not mean that nobody can have one mounted. " +
      "**Whoever may make pods in a namespace, directly or by a Deployment, a Job or an IntegrationWorkflow, may have every " +
      "Secret of that namespace mounted into them.** So it is with Kubernetes at large, and so it is here:",
    [
      "- The operator may make Deployments where it watches. Whoever takes its account over can have Secrets of those " +
        "namespaces mounted into pods of theirs. Name the namespaces in `watchNamespaces`, and let few into the release's namespace.",
      "- Whoever may write a workflow has the Secrets that it names mounted into its worker. The chart lets `edit` write " +
        "workflows, because `edit` may make pods already, and `view` may not.",
      "- A worker runs an image that the operator permits (`operator.allowedWorkerImages`), with credentials of the workflow's namespace. " +
        "Permit no image that hands them on.",
      "- RBAC knows no labels. The operator asks for what carries a workflow's label; its account may list every ConfigMap, pod, Deployment, " +
        "volume claim and policy where it watches. Keep credentials in Secrets.",
    ].join("\n"),
    "## Service accounts",
    ...ofAccounts,
    "### Every account of a cluster, these among them",
    table(everyAccount),
    "## What the operator may not",
    "All that is not listed. Of that, above all:",
    refusedToOperator.map((line) => `- ${line}`).join("\n"),
    "## People",
    "The chart adds to the cluster's own roles (`rbac.aggregateToDefaultRoles`). Each has what those before it have. None may write a status.",
    ...ofPeople,
  ].join("\n\n")}\n`;
}
