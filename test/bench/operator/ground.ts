/** What the bench of the operator stands on: a real control plane, played nodes, and an audit log of the operator alone. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { type AuditLog, createAuditLog } from "../../../cluster/audit-log.ts";
import { binaries, controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { type FakeNodes, startFakeNodes } from "../../../cluster/fake-nodes.ts";
import { Client } from "../../../src/kubernetes/client.ts";
import { findConnection } from "../../../src/kubernetes/connection.ts";
import { type Manifest, objectPath, type ResourceKind } from "../../../src/kubernetes/objects.ts";
import { createTransport, type Transport } from "../../../src/kubernetes/transport.ts";
import { workflows } from "../../../src/operator/shell/projections.ts";
import { until } from "./waiting.ts";

export const namespace = "bench";

const operatorUser = "bench-operator";
const podsOfANode = 2000;

export class Ground {
  readonly client: Client;
  readonly audit: AuditLog;
  readonly #controlPlane: ControlPlane;
  readonly #nodes: FakeNodes;
  readonly #transport: Transport;
  /** Signs in as a user of its own, whom the audit log writes down. */
  readonly operatorKubeconfig: string;

  private constructor(controlPlane: ControlPlane, nodes: FakeNodes, audit: AuditLog) {
    this.#controlPlane = controlPlane;
    this.#nodes = nodes;
    this.audit = audit;
    this.operatorKubeconfig = controlPlane.signIn(operatorUser, "system:masters");
    const connection = findConnection({ kubeconfig: controlPlane.kubeconfigPath, environment: {} });
    this.#transport = createTransport({ connection, userAgent: "bench" });
    this.client = new Client({ transport: this.#transport, server: connection.server, fieldManager: "bench" });
  }

  /** @param pods how many there will be at the same time */
  static async make(pods: number): Promise<Ground> {
    const report = (line: string): void => console.error(`bench: ${line}`);
    const folder = await controlPlaneBinaries(process.env, report);
    const fakeNodes = await binaries("fake-nodes", process.env, report);
    const audit = createAuditLog([operatorUser]);
    const controlPlane = await startControlPlane({ binaries: folder, apiServerArguments: audit.apiServerArguments });
    const nodes = startFakeNodes({ binaries: fakeNodes, kubeconfigPath: controlPlane.kubeconfigPath });
    const ground = new Ground(controlPlane, nodes, audit);
    await ground.#furnish(Math.ceil((pods * 2) / podsOfANode));
    return ground;
  }

  async end(): Promise<void> {
    await this.#transport.close();
    await this.#nodes.stop();
    await this.#controlPlane.stop();
    this.audit.remove();
  }

  async #furnish(nodes: number): Promise<void> {
    const { client } = this;
    const crd = load(readFileSync("crds/integrationworkflows.yaml", "utf8")) as Manifest; // A definition of ours.
    await client.create(definitions, crd);
    await client.create(namespaces, { metadata: { name: namespace } });
    for (let node = 1; node <= nodes; node += 1) await client.create(nodeKind, nodeManifest(`node-${node}`));
    const isServed = async (): Promise<boolean> => {
      try {
        await client.list(workflows, { namespace });
        await client.getText("/openapi/v3/apis/integrationworkflow.io/v1");
        return true;
      } catch {
        return false; // Not yet.
      }
    };
    await until("the workflows to be served", isServed);
    await until("the nodes to be ready", async () =>
      (await client.getText(objectPath(nodeKind, { name: `node-${nodes}` }))).includes('"KubeletReady"'),
    );
  }
}

const definitions: ResourceKind = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const namespaces: ResourceKind = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};
const nodeKind: ResourceKind = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };

function nodeManifest(name: string) {
  const room = { cpu: "10000", memory: "100000Gi", pods: String(podsOfANode) };
  return {
    metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
    status: { allocatable: room, capacity: room },
  };
}
