/** What these tests stand on: the real API server and its controllers, the real operator as a process, and a played kubelet. */

import { expect, inject, vi } from "vitest";
import { apiGroup, labels, operatorName } from "../../../src/api/group.ts";
import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import type { Stored } from "../../../src/kubernetes/objects.ts";
import { deployments, pods, workflows } from "../../../src/operator/shell/projections.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { plainSpec } from "../../unit/operator/scene.ts";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "../api/api-server.ts";
import { clientOver, connectionTo, type TestClient } from "../kubernetes/ground.ts";
import { isStatusOf, misjudged } from "./kstatus.ts";
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
  /** Each workflow as it was whenever the operator had written its status. */
  readonly #seen: IntegrationWorkflow[] = [];
  readonly #stopWatching = new AbortController();
  #watching: Promise<void> | undefined;

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
    // A controller makes it, which after an outage of the API server is a while behind: until then no pod can be made.
    await server.kubectl(["-n", namespace, "wait", "--for=create", "serviceaccount/default", "--timeout=60s"]);
    const ground = new Ground(kubeconfig, server, namespace);
    await Promise.all([ground.kubelet.start(), ground.#watch()]);
    return ground;
  }

  async #watch(): Promise<void> {
    const informer = createInformer({
      client: this.client,
      kind: workflows,
      namespaces: [this.namespace],
      // What the API server returns of this kind; its own managed fields say who wrote.
      project: (object) => object as IntegrationWorkflow & Stored<object>,
      read: JSON.parse,
      logger: silentLogger,
    });
    informer.cache.subscribe(({ object }) => {
      if (isStatusOf(operatorName, object)) this.#seen.push(object);
    });
    this.#watching = informer.run(this.#stopWatching.signal);
    await informer.synced;
  }

  get client() {
    return this.#client.client;
  }

  /** Ends all, and has every status judged that was seen meanwhile. */
  async end(): Promise<void> {
    for (const operator of this.operators) await operator.kill();
    await this.kubelet.stop();
    this.#stopWatching.abort();
    await this.#watching;
    await this.#client.close();
    await this.server.close();
    expect(await misjudged(inject("kstatus"), this.#seen), "statuses that programs would not understand").toEqual([]);
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

  /** What is not the status, which the Deployment's own controller goes on to write after the workflow is RUNNING. */
  async askedOf(name: string) {
    return askedOf(await this.deployment(name));
  }

  async pods(name: string) {
    const query = { namespace: this.namespace, labelSelector: `${labels.workflow}=${name}` };
    return (await this.client.list(pods, query)).items;
  }

  /** Those that have not ended: one that has is there for a moment more, until its kubelet has removed it. */
  async unfinishedPods(name: string) {
    return (await this.pods(name)).filter(({ status }) => !["Succeeded", "Failed"].includes(status?.phase ?? ""));
  }

  /** Waits until the status has these fields. */
  async until(name: string, expected: Partial<WorkflowStatus>): Promise<WorkflowStatus> {
    // Not expect.poll: this is called by tests that run at the same time, too.
    await vi.waitFor(async () => {
      const status = await this.status(name);
      expect(status, `${name}: ${JSON.stringify(status.failure ?? status.conditions)}`).toMatchObject(expected);
    }, patience);
    return this.status(name);
  }

  /** A workflow that was made to run, and does. */
  async started(name: string, changes: object = {}): Promise<void> {
    await this.apply(name, { state: "Running", ...changes });
    await this.until(name, { state: "RUNNING" });
  }

  /** The notes of the workflow's Events of a reason. */
  async events(name: string, reason: string): Promise<string[]> {
    const selector = `involvedObject.name=${name},reason=${reason}`;
    const output = await this.kubectl("get", "events", "--field-selector", selector, "-o", "json");
    return (JSON.parse(output) as { items: { message: string }[] }).items.map(({ message }) => message);
  }

  /** What moves with every write of the operator, and with nothing else, of everything that it writes. */
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
      metadata: Stored<object>["metadata"];
    }
    const { items } = JSON.parse(output) as { items: Item[] };
    // The controllers of the cluster write Events too.
    const own = items.filter(
      ({ kind, reportingComponent = "" }) => kind !== "Event" || reportingComponent.startsWith(apiGroup),
    );
    const versionOf = (item: Item) =>
      item.kind === "Deployment" ? JSON.stringify(askedOf(item)) : (item.metadata.resourceVersion ?? "");
    return Object.fromEntries(own.map((item) => [`${item.kind}/${item.metadata.name}`, versionOf(item)]));
  }

  path(name: string): string {
    return workflowsPath(this.namespace, name);
  }
}

function askedOf<T extends Stored<object>>({ status: _, ...object }: T & { status?: unknown }) {
  const { resourceVersion: __, managedFields, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: { ...metadata, managedFields: managedFields?.filter(({ subresource }) => subresource !== "status") },
  };
}
