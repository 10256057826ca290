/** Who reaches whom, asked of the rendered policies by an evaluator that is not ours. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { binaries } from "../../../cluster/binaries.ts";
import { type Flow, flows, narrowerWorkers, type Party } from "../../../scripts/network-table.ts";
import { labels } from "../../../src/api/group.ts";
import { networkPolicyManifest } from "../../../src/operator/objects/network-policy.ts";
import { workflow } from "../../unit/operator/scene.ts";
import { type Helm, type Rendered, startHelm } from "./helm.ts";

let helm: Helm;
let evaluator: string;
let folder: string;

const enabled = [
  "networkPolicy.enabled=true",
  "sandbox.enabled=true",
  "console.enabled=true",
  "console.publicUrl=https://page.example.com",
];

// Its binary may have to be built first.
beforeAll(async () => {
  helm = await startHelm(inject("kubeconfig"));
  evaluator = join(await binaries("policies", process.env, console.error), "cyclonus");
  folder = mkdtempSync(join(tmpdir(), "integration-workflow-network-"));
}, 600_000);
afterAll(() => {
  helm?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

interface Peer {
  readonly IP: string;
  readonly Internal?: {
    readonly PodLabels: Readonly<Record<string, string>>;
    readonly NamespaceLabels: Readonly<Record<string, string>>;
    readonly Namespace: string;
  };
}

function pod(namespace: string, ip: string, podLabels: Readonly<Record<string, string>>): Peer {
  const NamespaceLabels = { "kubernetes.io/metadata.name": namespace };
  return { IP: ip, Internal: { PodLabels: podLabels, NamespaceLabels, Namespace: namespace } };
}

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly {
      readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    }[];
  };
}

class Network {
  readonly #policies: readonly object[];
  readonly #templates: ReadonlyMap<string, PodTemplate>;

  constructor(objects: readonly Rendered[], more: readonly object[] = []) {
    const worker = networkPolicyManifest(workflow());
    const own = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", ...worker };
    this.#policies = [...objects.filter(({ kind }) => kind === "NetworkPolicy"), own, ...more];
    const deployments = objects.filter(({ kind }) => kind === "Deployment");
    this.#templates = new Map(
      // Every Deployment has a template.
      deployments
        .map(({ spec }) => (spec as unknown as { template: PodTemplate }).template)
        .map((template) => [template.metadata.labels["app.kubernetes.io/component"] ?? "", template]),
    );
  }

  #peer(party: Party): Peer {
    const ours = (component: string, ip: string) =>
      pod("system", ip, this.#templates.get(component)?.metadata.labels ?? {});
    switch (party) {
      case "operator":
        return ours("operator", "10.1.0.2");
      case "console":
        return ours("console", "10.1.0.3");
      case "sandbox":
        return ours("sandbox", "10.1.0.4");
      case "worker":
        return pod("crm", "10.1.0.5", { [labels.workflow]: "contacts" });
      case "somebody":
        return pod("elsewhere", "10.1.0.6", { app: "anything" });
      case "DNS":
        return pod("kube-system", "10.1.0.7", { "k8s-app": "kube-dns" });
      case "API server":
        return { IP: "10.0.0.10" };
      case "address":
        return { IP: "203.0.113.7" };
    }
  }

  /** Whether each passes, in their order. */
  async passes(asked: readonly Flow[]): Promise<boolean[]> {
    const traffic = asked.map(({ from, to, port, protocol = "TCP" }) => ({
      Source: this.#peer(from),
      Destination: this.#peer(to),
      ResolvedPort: port,
      ResolvedPortName:
        this.#templates.get(to)?.spec.containers[0]?.ports.find(({ containerPort }) => containerPort === port)?.name ??
        "",
      Protocol: protocol,
    }));
    const [policyPath, trafficPath] = [mkdtempSync(join(folder, "policies-")), join(folder, "traffic.json")];
    // Of a file, the first document alone is read.
    for (const [index, policy] of this.#policies.entries()) {
      writeFileSync(join(policyPath, `${index}.yaml`), JSON.stringify(policy));
    }
    writeFileSync(trafficPath, JSON.stringify(traffic));
    const args = ["analyze", "--mode", "query-traffic", "--policy-path", policyPath, "--traffic-path", trafficPath];
    const { stdout } = await promisify(execFile)(evaluator, args);
    const verdicts = [...stdout.matchAll(/IS ALLOWED\?\s*\|\s*(TRUE|FALSE)/g)].map(([, word]) => word === "TRUE");
    expect(verdicts).toHaveLength(asked.length);
    return verdicts;
  }
}

const told = ({ from, to, port }: Flow, passes: boolean): string => `${from} → ${to}:${port} ${passes ? "yes" : "no"}`;

async function expectFlows(network: Network, asked: readonly Flow[]): Promise<void> {
  const passes = await network.passes(asked);
  expect(asked.map((flow, index) => told(flow, passes[index] ?? false))).toEqual(
    asked.map((flow) => told(flow, flow.allowed)),
  );
}

function flow(from: Party, to: Party, port: number, allowed: boolean): Flow {
  return { from, to, port, allowed, what: "" };
}

test("what the table of flows allows passes, and what it refuses does not", async () => {
  await expectFlows(new Network(await helm.render(...enabled)), flows);
});

test("without the chart's policies the operator is open, and a worker is still reached on one port alone", async () => {
  const network = new Network(await helm.render("sandbox.enabled=true"));
  const toWorker = flows.filter(({ to, from }) => to === "worker" && from === "somebody");
  await expectFlows(network, toWorker);
  expect(await network.passes([{ from: "address", to: "operator", port: 8081, allowed: true, what: "" }])).toEqual([
    true,
  ]);
});

test("named addresses of the API server, and callers by name, close the rest", async () => {
  const network = new Network(
    await helm.render(
      ...enabled,
      "networkPolicy.apiServer.cidrs={10.0.0.10/32}",
      "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=monitoring",
      "watchNamespaces={sales}",
    ),
  );
  await expectFlows(network, [
    flow("operator", "API server", 443, true),
    flow("operator", "address", 443, false),
    flow("operator", "address", 6443, false),
    flow("console", "API server", 6443, true),
    flow("console", "address", 443, false),
    flow("somebody", "operator", 8080, false),
    // Its namespace is not watched.
    flow("operator", "worker", 8080, false),
  ]);
});

test("the policy of the page on networks closes the way out of workers to all but https and SFTP outside", async () => {
  const network = new Network(await helm.render(...enabled), [load(narrowerWorkers) as object]);
  await expectFlows(network, [
    flow("worker", "address", 443, true),
    flow("worker", "address", 22, true),
    { ...flow("worker", "DNS", 53, true), protocol: "UDP" },
    flow("worker", "address", 25, false),
    flow("worker", "API server", 443, false),
    flow("worker", "somebody", 443, false),
    flow("somebody", "worker", 8080, true),
  ]);
});
