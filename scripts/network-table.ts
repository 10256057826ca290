/** Who reaches whom under the network policies of the chart (networkPolicy.enabled) and of the operator. Tests hold the policies to it. */

/** Ends of connections. `somebody`: a pod of anybody's, in a namespace that is not watched. `address`: outside the cluster. */
export const parties = {
  operator: "the operator",
  console: "the Workflows page",
  worker: "a worker",
  sandbox: "the sandbox",
  somebody: "any other pod",
  "API server": "the API server",
  address: "an address outside",
  DNS: "DNS",
} as const;
export type Party = keyof typeof parties;

export interface Flow {
  readonly from: Party;
  readonly to: Party;
  readonly port: number;
  readonly protocol?: "UDP";
  readonly allowed: boolean;
  /** What it is, and what narrows or opens it. */
  readonly what: string;
}

const allowed = (from: Party, to: Party, port: number, what: string): Flow => ({ from, to, port, allowed: true, what });
const refused = (from: Party, to: Party, port: number, what: string): Flow => ({
  from,
  to,
  port,
  allowed: false,
  what,
});

export const flows: readonly Flow[] = [
  allowed("somebody", "operator", 8080, "metrics; `networkPolicy.metricsFrom` narrows it"),
  refused("address", "operator", 8080, "metrics"),
  refused("somebody", "operator", 8081, "health: the kubelet asks, from the node"),
  allowed("operator", "API server", 443, "all of its work"),
  allowed("operator", "API server", 6443, "the same, where the Service's port was translated"),
  allowed("operator", "worker", 8080, "figures, with `operator.workerPoll: direct`"),
  refused("operator", "worker", 22, "anything else of a worker"),
  refused("operator", "somebody", 8080, "pods that are no workers"),
  refused("operator", "address", 80, "the internet; `networkPolicy.apiServer.cidrs` closes 443 and 6443 too"),
  refused("operator", "DNS", 53, "names: it needs none"),
  allowed("somebody", "worker", 8080, "metrics and figures"),
  allowed("API server", "worker", 8080, "`/metadata` and figures through the API server, for people and the plugin"),
  refused("somebody", "worker", 8022, "anything else of a worker"),
  refused("worker", "operator", 8081, "workers tell nobody: they are asked"),
  allowed("worker", "address", 443, "Dynamics 365, Campaign and their sign-in: host names, which a policy cannot say"),
  allowed("worker", "address", 22, "Campaign's SFTP"),
  allowed("somebody", "console", 8090, "the page; `networkPolicy.consoleFrom` narrows it"),
  refused("address", "console", 8090, "the page, without an ingress in front"),
  allowed("somebody", "console", 8091, "metrics; `networkPolicy.metricsFrom` narrows it"),
  refused("address", "console", 8091, "metrics"),
  allowed("console", "API server", 443, "everything that people see"),
  { ...allowed("console", "DNS", 53, "the API server's and the issuer's names"), protocol: "UDP" },
  refused("console", "worker", 8080, "workers are reached through the API server, as the person"),
  refused("console", "sandbox", 8083, "the sandbox"),
  refused("console", "address", 80, "the internet"),
  ...[
    [8081, "Dataverse"],
    [8082, "Campaign"],
    [8022, "SFTP"],
    [8083, "its control"],
  ].map(([port, what]) =>
    allowed("somebody", "sandbox", Number(port), `${what}; \`networkPolicy.sandboxFrom\` narrows it`),
  ),
  allowed("worker", "sandbox", 8081, "Dataverse, played"),
  refused("somebody", "sandbox", 9229, "anything else of the sandbox"),
  refused("sandbox", "address", 443, "the sandbox asks nobody"),
  refused("sandbox", "API server", 443, "the sandbox asks nobody"),
];

/** How the way out of workers is closed, by a policy of a person's own: policies of one pod add up. */
export const narrowerWorkers = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: workers-go-out-by-https-and-sftp-alone
  namespace: crm
spec:
  podSelector:
    matchExpressions:
      - {key: integrationworkflow.io/workflow, operator: Exists}
  policyTypes: [Egress]
  egress:
    - ports:
        - {protocol: UDP, port: 53}
        - {protocol: TCP, port: 53}
    - ports:
        - {protocol: TCP, port: 443}
        - {protocol: TCP, port: 22}
      to:
        # Not the addresses of clouds that hand out credentials, and not the cluster's own.
        - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]}
`;
