/** A real API server with thousands of workflows, each as large as those of a user, and people who may see them. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { load } from "js-yaml";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { apiGroup, plural } from "../../../src/api/group.ts";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { workflowStates } from "../../../src/api/workflow-states.ts";
import type { Client } from "../../../src/kubernetes/client.ts";
import type { KubernetesObject, Manifest, ObjectRef, ResourceKind } from "../../../src/kubernetes/objects.ts";
import { workflows } from "../../../src/steering/workflow.ts";
import { clientOver, connectionTo, namespaces, type TestClient } from "../../integration/kubernetes/ground.ts";

const namespaceCount = 40;
const atOnce = 32;
const viewers = "viewers";

export class PageCluster {
  readonly controlPlane: ControlPlane;
  readonly places: readonly (ObjectRef & { readonly namespace: string })[];
  readonly #operator: TestClient;

  private constructor(controlPlane: ControlPlane, operator: TestClient, count: number) {
    this.controlPlane = controlPlane;
    this.#operator = operator;
    this.places = Array.from({ length: count }, (_, index) => ({
      namespace: namespaceOf(index % namespaceCount),
      name: `workflow-${String(Math.floor(index / namespaceCount)).padStart(3, "0")}`,
    }));
  }

  static async make(count: number): Promise<PageCluster> {
    const binaries = await controlPlaneBinaries(process.env, console.error);
    const controlPlane = await startControlPlane({ binaries });
    const connection = connectionTo(controlPlane.kubeconfigPath);
    const cluster = new PageCluster(controlPlane, clientOver(connection, "integration-workflow-operator"), count);
    await cluster.#fill(clientOver(connection, "kustomize-controller"));
    return cluster;
  }

  get #client(): Client {
    return this.#operator.client;
  }

  async #fill(pipeline: TestClient): Promise<void> {
    const crd = load(readFileSync("crds/integrationworkflows.yaml", "utf8")) as Manifest; // Written by its generator.
    await this.#client.create(crds, crd);
    while (!(await isEstablished(this.#client))) await delay(100);
    for (let index = 0; index < namespaceCount; index += 1) {
      await this.#client.create(namespaces, { metadata: { name: namespaceOf(index) } });
    }
    await this.#client.create(namespaces, { metadata: { name: viewers } });
    const rules = [{ apiGroups: [apiGroup], resources: [plural], verbs: ["get", "list", "watch", "patch"] }];
    await this.#client.create(clusterRoles, { metadata: { name: "workflows" }, rules });
    const specs = ["ingress", "egress", "opt-in-out"].map(specOf);
    await each(this.places, async (place, index) => {
      await pipeline.client.apply(workflows, { metadata: place, spec: specs[index % specs.length] });
      await this.#client.mergePatch(workflows, place, { status: statusAt(index) }, { subresource: "status" });
    });
    await pipeline.close();
  }

  /** As the operator does it while a worker counts. */
  async count(place: ObjectRef, backlog: number): Promise<void> {
    const now = new Date().toISOString();
    const status: WorkflowStatus = { backlog, lastSyncTime: now, mappings: mappingsAt(backlog, now) };
    await this.#client.mergePatch(workflows, place, { status }, { subresource: "status" });
  }

  /** The size of all of them, as the API server sends it. */
  async bytes(): Promise<number> {
    return (await this.#client.getText(`/apis/${apiGroup}/v1/${plural}`)).length;
  }

  /** @returns tokens of so many people, each with an identity and rights of their own */
  async people(count: number): Promise<readonly string[]> {
    const tokens: string[] = [];
    await each(Array.from({ length: count }), async (_, index) => {
      const name = `person-${index}`;
      await this.#client.create(serviceAccounts, { metadata: { name, namespace: viewers } });
      const subjects = [{ kind: "ServiceAccount", name, namespace: viewers }];
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "workflows" };
      await this.#client.create(clusterRoleBindings, { metadata: { name }, subjects, roleRef });
      const asked = { apiVersion: "authentication.k8s.io/v1", metadata: { namespace: viewers }, spec: {} };
      const { status } = await this.#client.create(tokensOf(name), asked);
      tokens.push(status.token);
    });
    return tokens;
  }

  async end(): Promise<void> {
    await this.#operator.close();
    await this.controlPlane.stop();
  }
}

async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  const left = [...items.entries()].values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const [index, item] of left) await work(item, index);
    }),
  );
}

function namespaceOf(index: number): string {
  return `team-${String(index).padStart(2, "0")}`;
}

function specOf(example: string): object {
  return (load(readFileSync(`examples/${example}.yaml`, "utf8")) as { spec: object }).spec; // The schema's own tests read it.
}

function mappingsAt(backlog: number, now: string): NonNullable<WorkflowStatus["mappings"]> {
  return ["account", "contact", "lead", "opportunity", "campaign", "list", "competitor", "incident"].map(
    (name, index) => ({
      name,
      phase: "Incremental",
      backlog: Math.floor(backlog / 8),
      read: 100_000 + index + backlog,
      written: 99_000 + index,
      recordsPerSecond: 24,
      secondsToDrain: Math.ceil(backlog / 24),
      deadLettered: 0,
      lastSyncTime: now,
    }),
  );
}

/** Seven of ten run; every length that a status has after some weeks. */
function statusAt(index: number): WorkflowStatus {
  const state = workflowStates[[0, 0, 0, 0, 0, 0, 0, 1, 2, 3][index % 10] ?? 0] ?? "RUNNING";
  const at = "2026-11-21T10:00:00Z";
  return {
    observedGeneration: 1,
    state,
    backlog: index,
    backlogObservedAt: at,
    lastSyncTime: at,
    appliedRevision: { name: `workflow-r${index}`, run: 3, generation: 1, appliedAt: at },
    mappings: [...mappingsAt(index, at)],
    transitions: Array.from({ length: 10 }, () => ({ from: "STARTING", to: "RUNNING", at, reason: "WorkerReady" })),
    conditions: ["Ready", "Running", "Reconciling", "Stalled", "RestartRequired", "SchemaDrift"].map((type) => ({
      type,
      status: "True",
      observedGeneration: 1,
      lastTransitionTime: at,
      reason: "WorkerReady",
      message: "The worker is ready and synchronizes; everything that was read is written within seconds.",
    })),
  };
}

interface Established extends KubernetesObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function isEstablished(client: Client): Promise<boolean> {
  const { status } = await client.get(crds, { name: `${plural}.${apiGroup}` });
  return status?.conditions?.some(({ type, status: so }) => type === "Established" && so === "True") === true;
}

const crds: ResourceKind<Established> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const rbac = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: false };
const clusterRoles: ResourceKind = { ...rbac, plural: "clusterroles", kind: "ClusterRole" };
const clusterRoleBindings: ResourceKind = { ...rbac, plural: "clusterrolebindings", kind: "ClusterRoleBinding" };
const core = { group: "", version: "v1", namespaced: true };
const serviceAccounts: ResourceKind = { ...core, plural: "serviceaccounts", kind: "ServiceAccount" };

type Token = KubernetesObject & { readonly status: { readonly token: string } };

/** A subresource that is made: its path has the account's name in the middle. */
function tokensOf(account: string): ResourceKind<Token> {
  return { ...core, plural: `serviceaccounts/${account}/token`, kind: "TokenRequest" };
}
