/** Where a drill takes place: a namespace with a Dynamics 365 and a Campaign of its own, both of the sandbox. */
import { callSandbox } from "../sandbox-control.ts";
import { runTool } from "../tool.ts";
import { dataOf, type Kind, recordsOf } from "./data.ts";

/** What is installed where. */
export interface DrillCluster {
  /** The programs, each with the flags that name the cluster. */
  readonly kubectl: readonly string[];
  readonly helm: readonly string[];
  /** The chart's release that runs the operator, which its namespace is. */
  readonly release: { readonly name: string; readonly namespace: string; readonly chart: string };
  /** Where the troubles stand. */
  readonly namespace: string;
}

export interface World {
  /** kubectl in the drill's namespace. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  readonly apply: (objects: readonly object[]) => Promise<void>;
  /** A method of the control API of the drill's sandbox. */
  readonly sandbox: (method: string, input: object) => Promise<unknown>;
  readonly helm: (args: readonly string[], input?: string) => Promise<string>;
  /** Where the sandbox answers, without the port. */
  readonly host: string;
  readonly cluster: DrillCluster;
}

const sandboxName = "integration-workflow-sandbox";
const recordsOfEach = 100;
/** Where the page is reached, unless it is there already. */
export const pagePort = 8090;
/** Who practises: may do with workflows, and with Secrets, what the cluster's role edit lets people do. */
const person = "practice";

export function worldOf(cluster: DrillCluster): World {
  const { namespace } = cluster;
  const kubectl = (args: readonly string[], input?: string) =>
    runTool([...cluster.kubectl, "--namespace", namespace, ...args], input);
  return {
    cluster,
    host: `http://${sandboxName}.${namespace}.svc`,
    kubectl,
    helm: (args, input) => runTool([...cluster.helm, ...args], input),
    apply: async (objects) => {
      await kubectl(["apply", "--filename", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    },
    sandbox: async (method, input) => {
      const flags = [...cluster.kubectl, "--namespace", namespace];
      let answer = "";
      for await (const piece of callSandbox(flags, sandboxName, method, JSON.stringify(input))) answer += piece;
      return JSON.parse(answer) as unknown;
    },
  };
}

/** The namespace, its sandbox, the Secrets that let a workflow in, and somebody to sign in as. */
export async function prepareGround(world: World): Promise<void> {
  const { kubectl, apply, helm, cluster } = world;
  const { release, namespace } = cluster;
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } }]);
  const values = await helm(["get", "values", release.name, "--namespace", release.namespace, "--output", "json"]);
  const sandbox = ["--set", "sandbox.enabled=true,sandbox.extraArgs={--contacts=0}", "--values", "-"];
  const named = ["template", release.name, release.chart, "--namespace", namespace, "-s", "templates/sandbox.yaml"];
  await kubectl(["apply", "--filename", "-"], await helm([...named, ...sandbox], values));
  await kubectl(["rollout", "status", `deployment/${sandboxName}`, "--timeout=120s"]);
  await apply([dynamicsSecret(world, "dynamics"), campaignSecret(world)]);
  await apply([
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: person }, automountServiceAccountToken: false },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: person },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
      subjects: [{ kind: "ServiceAccount", name: person, namespace }],
    },
  ]);
}

/** Makes the tables and resources of these kinds, with some records, unless they are there. */
export async function prepareData({ sandbox }: World, kinds: readonly Kind[]): Promise<void> {
  const known = (await sandbox("tables", {})) as readonly { readonly name: string }[]; // control/interface.ts
  for (const kind of kinds) {
    const { table, resource } = dataOf(kind);
    if (known.some(({ name }) => name === table.name)) continue;
    await sandbox("addResource", { resource });
    await sandbox("addTable", { table });
    await sandbox("insertRows", { table: table.name, rows: recordsOf(kind, recordsOfEach) });
  }
}

const inHere = { clientId: "sandbox-client", clientSecret: "sandbox-secret" };

/** What lets a workflow into the sandbox's Dynamics 365; with another secret it does not. */
export function dynamicsSecret({ host }: World, name: string, clientSecret = inHere.clientSecret): object {
  const tokenUrl = `${host}:8081/sandbox/oauth2/v2.0/token`;
  return secret(name, { ...inHere, clientSecret, tenantId: "sandbox", tokenUrl });
}

function campaignSecret({ host }: World): object {
  const tokenUrl = `${host}:8082/ims/token/v3`;
  return secret("campaign", { ...inHere, scopes: "openid,AdobeID,campaign_sdk", tokenUrl });
}

function secret(name: string, stringData: Readonly<Record<string, string>>): object {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData };
}

/** A workflow as it should be: it runs, and moves these kinds. */
export function workflowOf({ host }: World, name: string, kinds: readonly Kind[]): Workflow {
  return {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name },
    spec: {
      state: "Running",
      type: "Ingress",
      // All sign in as one application user, and share its limits.
      dynamics: { url: `${host}:8081`, credentialsSecretRef: { name: "dynamics" }, share: 10 },
      campaign: {
        url: `${host}:8082/contoso/campaign`,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: 20,
      },
      ingress: { mappings: kinds.map((kind) => dataOf(kind).mapping) },
      queue: { volume: { whenDeleted: "Delete" } },
    },
  };
}

export interface Workflow {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>> & { readonly dynamics: object; readonly campaign: object };
}
