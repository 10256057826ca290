/** What these tests stand on: the real API server and its controllers, the real operator as a process, and a played kubelet. */

import { expect } from "vitest";
import { apiGroup, labels } from "../../../src/api/group.ts";
import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { deployments, pods, workflows } from "../../../src/operator/shell/projections.ts";
import { plainSpec } from "../../unit/operator/scene.ts";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "../api/api-server.ts";
import { clientOver, connectionTo, type TestClient } from "../kubernetes/ground.ts";
import { Kubelet } from "./kubelet.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";

/** For a busy machine: nothing waits this long when all is well. */
export const patience = { timeout: 60_000, interval: 100 };

export class Ground {
  readonly kubeconfig: string;
  readonly server: ApiServer;
  readonly namespace: string;
  readonly #client: TestClient;
  readonly kubelet: Kubelet;
  readonly operators: OperatorProcess[] = [];

  private constructor(kubeconfig: string, server: ApiServer, namespace: string) {
    this.kubeconfig = kubeconfig;
    this.server = server;
    this.namespace = namespace;
    this.#client = clientOver(connectionTo(kubeconfig), "kubectl-test");
    this.kubelet = new Kubelet(this.#client.client, namespace);
  }

  /** A namespace of one's own, under the strictest pod security. */
  static async make(kubeconfig: string): Promise<Ground> {
    const server = await apiServer(kubeconfig);
    await installCrd(server);
    const namespace = await makeNamespace(server, "operator");
    await server.kubectl(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    const ground = new Ground(kubeconfig, server, namespace);
    await ground.kubelet.start();
    return ground;
  }

  get client() {
    return this.#client.client;
  }

  async end(): Promise<void> {
    for (const operator of this.operators) await operator.kill();
    await this.kubelet.stop();
    await this.#client.close();
    await this.server.close();
  }

  /** An operator for this namespace alone. */
  async operator(...args: string[]): Promise<OperatorProcess> {
    const operator = await startOperator(this.kubeconfig, ["--watch-namespaces", this.namespace, ...args]);
    this.operators.push(operator);
    return operator;
  }

  kubectl(...args: string[]): Promise<string> {
    return this.server.kubectl(["-n", this.namespace, ...args]);
  }

  /** As `kubectl apply` of a whole workflow. */
  async apply(name: string, changes: object = {}): Promise<void> {
    const manifest = {
      apiVersion: "integrationworkflow.io/v1",
      kind: "IntegrationWorkflow",
      metadata: { name, namespace: this.namespace },
      spec: { ...plainSpec, ...changes },
    };
    await this.server.kubectl(["apply", "-f", "-"], manifest);
  }

  /** `kubectl patch --type=merge` of the spec. */
  async patch(name: string, spec: object): Promise<void> {
    await this.kubectl("patch", "iw", name, "--type=merge", "-p", JSON.stringify({ spec }));
  }

  async workflow(name: string): Promise<IntegrationWorkflow> {
    return this.client.get(workflows, { namespace: this.namespace, name });
  }

  async status(name: string): Promise<WorkflowStatus> {
    return (await this.workflow(name)).status ?? {};
  }

  async condition(name: string, type: string) {
    return (await this.status(name)).conditions?.find((condition) => condition.type === type);
  }

  deployment(name: string) {
    return this.client.get(deployments, { namespace: this.namespace, name });
  }

  async pods(name: string) {
    const query = { namespace: this.namespace, labelSelector: `${labels.workflow}=${name}` };
    return (await this.client.list(pods, query)).items;
  }

  /** Waits until the status has these fields. */
  async until(name: string, expected: Partial<WorkflowStatus>): Promise<WorkflowStatus> {
    await expect.poll(() => this.status(name), patience).toMatchObject(expected);
    return this.status(name);
  }

  /** The notes of the workflow's Events of a reason. */
  async events(name: string, reason: string): Promise<string[]> {
    const selector = `involvedObject.name=${name},reason=${reason}`;
    const output = await this.kubectl("get", "events", "--field-selector", selector, "-o", "json");
    return (JSON.parse(output) as { items: { message: string }[] }).items.map(({ message }) => message);
  }

  /** Versions of everything that the operator writes: they move with every write, and with nothing else. */
  async versions(): Promise<Record<string, string>> {
    const output = await this.kubectl(
      "get",
      "iw,deployments,configmaps,persistentvolumeclaims,networkpolicies,events",
      "-o",
      "json",
    );
    interface Item {
      kind: string;
      reportingComponent?: string;
      metadata: { name: string; resourceVersion: string };
    }
    const { items } = JSON.parse(output) as { items: Item[] };
    // The controllers of the cluster write Events too.
    const own = items.filter(
      ({ kind, reportingComponent = "" }) => kind !== "Event" || reportingComponent.startsWith(apiGroup),
    );
    return Object.fromEntries(own.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion]));
  }

  path(name: string): string {
    return workflowsPath(this.namespace, name);
  }
}
