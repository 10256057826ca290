/** What the chart has Prometheus ask, held against the pods that there are. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { labels } from "../../../src/api/group.ts";
import { workerPortName } from "../../../src/api/worker-pod.ts";
import { type Helm, type Rendered, startHelm } from "../chart/helm.ts";

let helm: Helm;

beforeAll(async () => {
  helm = await startHelm(inject("kubeconfig"));
});
afterAll(() => helm?.remove());

interface Monitor {
  readonly namespaceSelector?: { readonly any?: boolean; readonly matchNames?: readonly string[] };
  readonly selector: {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly { readonly key: string; readonly operator: string }[];
  };
  readonly podMetricsEndpoints: readonly {
    readonly port: string;
    readonly path: string;
    readonly honorLabels?: boolean;
    readonly interval?: string;
    readonly scrapeTimeout?: string;
    readonly relabelings?: readonly { readonly sourceLabels: readonly string[]; readonly targetLabel: string }[];
  }[];
}

interface DeploymentSpec {
  readonly template: {
    readonly metadata: { readonly labels: object };
    readonly spec: {
      readonly containers: readonly {
        readonly args: readonly string[];
        readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
      }[];
    };
  };
}

const page = ["console.enabled=true", "console.publicUrl=https://page.example.com"];
const operator = "release-integration-workflow-operator";

const monitorsOf = (objects: readonly Rendered[]) => objects.filter(({ kind }) => kind === "PodMonitor");

function monitor(objects: readonly Rendered[], name: string): Monitor {
  const found = monitorsOf(objects).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no PodMonitor ${name} is rendered`);
  return found.spec as unknown as Monitor;
}

function deploymentSpec(objects: readonly Rendered[], name: string): DeploymentSpec {
  const found = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === name);
  if (found === undefined) throw new Error(`no Deployment ${name} is rendered`);
  return found.spec as unknown as DeploymentSpec;
}

test("nothing of it is there unless it is asked for", async () => {
  const kinds = (await helm.render(...page)).map(({ kind }) => kind);
  expect(kinds).not.toContain("PodMonitor");
  expect(kinds).not.toContain("PrometheusRule");
});

describe.each([operator, `${operator}-console`])("the PodMonitor of %s", (name) => {
  test("finds the pods of its Deployment and their port", async () => {
    const objects = await helm.render("podMonitor.enabled=true", ...page);
    const { selector, podMetricsEndpoints } = monitor(objects, name);
    const { template } = deploymentSpec(objects, name);
    expect(template.metadata.labels).toMatchObject(selector.matchLabels ?? {});
    const [container] = template.spec.containers;
    const port = container?.ports.find(({ name: portName }) => portName === podMetricsEndpoints[0]?.port);
    expect(podMetricsEndpoints[0]?.path).toBe("/metrics");
    expect(container?.args).toContain(`--metrics-address=:${port?.containerPort}`);
  });
});

test("the namespace that the operator tells of is the workflow's, not its own", async () => {
  const { podMetricsEndpoints } = monitor(await helm.render("podMonitor.enabled=true"), operator);
  expect(podMetricsEndpoints[0]?.honorLabels).toBe(true);
});

test("workers are found wherever the operator makes them, by the label and the port that it gives them, and named as it does", async () => {
  const { namespaceSelector, selector, podMetricsEndpoints } = monitor(
    await helm.render("podMonitor.enabled=true"),
    `${operator}-workers`,
  );
  expect(namespaceSelector).toEqual({ any: true });
  expect(selector.matchExpressions).toEqual([{ key: labels.workflow, operator: "Exists" }]);
  expect(podMetricsEndpoints[0]?.port).toBe(workerPortName);
  // Prometheus writes every character of a label's name that it does not allow as _.
  const asMeta = (label: string) => `__meta_kubernetes_pod_label_${label.replaceAll(/[^a-zA-Z0-9]/g, "_")}`;
  expect(podMetricsEndpoints[0]?.relabelings).toEqual([
    { sourceLabels: [asMeta(labels.workflow)], targetLabel: "name" },
    { sourceLabels: [asMeta(labels.run)], targetLabel: "run" },
  ]);
  const some = await helm.render("podMonitor.enabled=true", "watchNamespaces={crm,sales}");
  expect(monitor(some, `${operator}-workers`).namespaceSelector).toEqual({ matchNames: ["crm", "sales"] });
});

test("they carry the labels that a Prometheus selects by, and the times that are set", async () => {
  const values = ["podMonitor.labels.release=prometheus", "podMonitor.interval=15s", "podMonitor.scrapeTimeout=10s"];
  const objects = await helm.render("podMonitor.enabled=true", ...page, ...values);
  expect(monitorsOf(objects)).toHaveLength(3);
  for (const { metadata, spec } of monitorsOf(objects)) {
    expect(metadata.labels).toMatchObject({ release: "prometheus" });
    expect((spec as unknown as Monitor).podMetricsEndpoints[0]).toMatchObject({
      interval: "15s",
      scrapeTimeout: "10s",
    });
  }
});

test("the names that dashboards and alerts join by are the same on both sides", () => {
  const dashboard = readFileSync("charts/integration-workflow-operator/dashboards/integration-workflows.json", "utf8");
  expect(dashboard).toContain("label_values(integration_workflow_state{namespace=~");
  expect(dashboard).not.toMatch(/integration_workflow_worker_\w+\{[^}]*(workflow|pod_name)=/);
});
