/** What the real programs tell at /metrics, and that all that asks for it asks for what is there. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type Helm, startHelm } from "../chart/helm.ts";
import { ConsoleGround } from "../console/ground.ts";
import { patience } from "../operator/ground.ts";
import type { OperatorProcess } from "../operator/operator-process.ts";
import { Ground as WorkerGround } from "../worker/harness.ts";
import { buildPatienceMs, findPromtool, type Promtool } from "./promtool.ts";
import { renderedRules } from "./rendered-rules.ts";

let promtool: Promtool;
let helm: Helm;
let page: ConsoleGround;
let workers: WorkerGround;
let operators: readonly OperatorProcess[];
const texts: Record<"leader" | "follower" | "worker" | "console", string> = {
  leader: "",
  follower: "",
  worker: "",
  console: "",
};

beforeAll(async () => {
  [promtool, helm, page, workers] = await Promise.all([
    findPromtool(),
    startHelm(inject("kubeconfig")),
    ConsoleGround.make(inject("kubeconfig"), "--metrics-address", "127.0.0.1:0"),
    WorkerGround.make({ contacts: 20 }),
  ]);
  const { cluster } = page;
  const election = ["--leader-elect", "--leader-election-namespace", cluster.namespace];
  const leader = await cluster.operator(...election);
  await leader.said("leading");
  const follower = await cluster.operator(...election);
  await follower.said("operator started");
  operators = [leader, follower];
  await cluster.apply("contacts", { state: "Running" });
  await cluster.until("contacts", { state: "RUNNING" });
  const worker = workers.start();
  const workerUrl = await vi.waitFor(async () => {
    const url = String(worker.logged("worker.started")[0]?.["url"]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    return url;
  }, patience);
  await fetch(`${page.url}/workflows/crm/contacts`, { redirect: "manual" });
  texts.leader = await scrape(leader);
  texts.follower = await scrape(follower);
  texts.worker = await (await fetch(`${workerUrl}/metrics`)).text();
  const listening = await page.server.said("console.listening");
  texts.console = await (await fetch(`${String(listening["metrics"])}/metrics`)).text();
}, buildPatienceMs);
afterAll(async () => {
  helm?.remove();
  await workers?.end();
  await page?.end();
});

async function scrape(operator: OperatorProcess): Promise<string> {
  const { metrics } = await operator.said("operator started");
  return (await fetch(`${String(metrics)}/metrics`)).text();
}

const endings: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
};

/** The names of all series that the programs tell, or would. */
function served(): Set<string> {
  const types = Object.values(texts)
    .join("\n")
    .matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return new Set(
    [...types].flatMap(([, name, type = ""]) => (endings[type] ?? [""]).map((ending) => `${name}${ending}`)),
  );
}

/** The metrics that an expression asks for: names that are no function, keyword or label. */
function askedFor(expression: string): string[] {
  const withoutLabels = expression
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)/g, " ");
  return withoutLabels.match(/[a-z][a-z0-9]*_[a-z0-9_]+(?![a-z0-9_(]| *\()/g) ?? [];
}

describe.each(["leader", "follower", "worker", "console"] as const)("%s", (program) => {
  test("tells metrics that promtool finds nothing to complain of in", async () => {
    expect(texts[program]).toContain("integration_workflow_build_info{");
    expect((await promtool(["check", "metrics"], texts[program])).trim()).toBe("");
  });
});

test("every metric that users expect is there by its name", () => {
  const names = served();
  for (const name of [
    ...[
      "state",
      "backlog_records",
      "pending_restart",
      "last_sync_timestamp_seconds",
      "records_total",
      "dead_letters",
    ].map((metric) => `integration_workflow_${metric}`),
    "integration_workflow_transition_duration_seconds_sum",
    ...["depth", "adds_total", "retries_total", "unfinished_work_seconds", "longest_running_processor_seconds"].map(
      (metric) => `workqueue_${metric}`,
    ),
    ...["queue", "work"].map((metric) => `workqueue_${metric}_duration_seconds_bucket`),
    ...["reconcile_total", "reconcile_errors_total", "terminal_reconcile_errors_total"].map(
      (metric) => `controller_runtime_${metric}`,
    ),
    "controller_runtime_reconcile_time_seconds_bucket",
    "controller_runtime_active_workers",
    "controller_runtime_max_concurrent_reconciles",
    "rest_client_requests_total",
    "leader_election_master_status",
    "integration_workflow_operator_watch_staleness_seconds",
    "integration_workflow_build_info",
  ]) {
    expect(names, name).toContain(name);
  }
});

test("every metric of ours is explained, and nothing is that there is not", () => {
  const told = Object.values(texts)
    .join("\n")
    .matchAll(/^# TYPE (integration_workflow_\S+)/gm);
  const pages = ["monitor", "watch-progress"].map((page) => readFileSync(`docs/how-to/${page}.md`, "utf8")).join("\n");
  const rows = pages.split("\n").filter((line) => line.startsWith("| `integration_workflow_"));
  const explained = rows.flatMap(
    (row) => (row.split("|")[1] ?? "").match(/(?<=`)integration_workflow_\w+(?=[`{])/g) ?? [],
  );
  const known = new Set([...explained, "integration_workflow_build_info"]);
  const families = new Set([...told].map(([, name]) => name));
  expect([...families].filter((name) => name !== undefined && !known.has(name))).toEqual([]);
  expect(explained.filter((name) => !families.has(name))).toEqual([]);
});

test("the controller's metrics have controller-runtime's labels and buckets", () => {
  for (const result of ["success", "error", "requeue", "requeue_after"]) {
    expect(texts.leader).toContain(
      `controller_runtime_reconcile_total{controller="integrationworkflow",result="${result}"}`,
    );
  }
  const own = 'name="integrationworkflow",controller="integrationworkflow"';
  for (const bucket of ["1e-8", "0.000001", "1000", "+Inf"]) {
    expect(texts.leader).toContain(`workqueue_queue_duration_seconds_bucket{le="${bucket}",${own}}`);
  }
  for (const bucket of ["0.005", "1.75", "60"]) {
    expect(texts.leader).toContain(`reconcile_time_seconds_bucket{le="${bucket}",controller="integrationworkflow"}`);
  }
});

test("the leader alone tells of workflows: figures of two would be added up", async () => {
  const ofWorkflows = /^integration_workflow_(?!operator_|build_)/m;
  expect(texts.leader).toMatch(ofWorkflows);
  expect(texts.follower).not.toMatch(ofWorkflows);
  const leads = (text: string) => /^leader_election_master_status\{.*\} (\d)$/m.exec(text)?.[1];
  expect([leads(texts.leader), leads(texts.follower)]).toEqual(["1", "0"]);
  const [leader, follower] = operators;
  await leader?.stop();
  await expect.poll(async () => follower && (await scrape(follower)), patience).toMatch(ofWorkflows);
});

test("the page tells of requests by route, never by address, and not at the address that people reach", async () => {
  const requests = /^integration_workflow_console_request_duration_seconds_count\{(.*)\} \d+$/gm;
  expect([...texts.console.matchAll(requests)].map(([, labels]) => labels)).toEqual([
    'method="GET",route="/workflows/:namespace/:name",code="303"',
  ]);
  expect((await fetch(`${page.url}/metrics`)).status).toBe(404);
});

test("every metric that an alert asks for is told by a program", async () => {
  const names = served();
  for (const { alert, expr } of await renderedRules(helm)) {
    const asked = askedFor(expr);
    expect(asked.length, alert).toBeGreaterThan(0);
    for (const name of asked) expect(names, alert).toContain(name);
  }
});

interface Panel {
  readonly title: string;
  readonly description?: string;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { name: string; type: string; query: string | { query: string } }[] };
}

describe("the dashboard", () => {
  const file = "charts/integration-workflow-operator/dashboards/integration-workflows.json";
  // Our own file, whose form Grafana's linter has approved of.
  const dashboard = JSON.parse(readFileSync(file, "utf8")) as Dashboard;
  const chosen = "$".concat("{datasource}");
  const panels = dashboard.panels.filter(({ type }) => type !== "row");

  test("lets people choose data source, namespace and workflow", () => {
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ["datasource", "datasource"],
      ["namespace", "query"],
      ["workflow", "query"],
    ]);
    const names = served();
    for (const { query } of dashboard.templating.list.slice(1)) {
      const metric = /label_values\((\w+)/.exec(typeof query === "string" ? query : query.query)?.[1];
      expect(names).toContain(metric);
    }
  });

  test.each(panels)("$title: has words, a unit, the chosen data source, and asks for what there is", async (panel) => {
    expect(panel.description).toMatch(/\S/);
    expect(panel.fieldConfig?.defaults.unit).toMatch(/\S/);
    expect(panel.datasource?.uid).toBe(chosen);
    const names = served();
    for (const { expr, datasource } of panel.targets ?? []) {
      expect(datasource.uid).toBe(chosen);
      const asked = askedFor(expr);
      expect(asked.length, expr).toBeGreaterThan(0);
      for (const name of asked) expect(names, expr).toContain(name);
      for (const [, range] of expr.matchAll(/\[([^\]]+)\]/g)) expect(range, expr).toBe("$__rate_interval");
      for (const name of asked.filter((each) => /_(total|bucket|count|sum)$/.test(each)))
        expect(expr).toContain(`rate(${name}`);
      if (/integration_workflow_(?!operator|console|build)/.test(expr) && !expr.includes("operator_transition"))
        expect(expr).toContain('namespace=~"$namespace", name=~"$workflow"');
      const plain = expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, "any");
      await promtool(["--experimental", "promql", "format", plain]);
    }
  });

  test("comes to Grafana as it is, with the label that its sidecar looks for, and not unless it is asked for", async () => {
    const found = (objects: Awaited<ReturnType<Helm["render"]>>) =>
      objects.filter(({ metadata }) => metadata.name.endsWith("-dashboard"));
    expect(found(await helm.render())).toEqual([]);
    const [map] = found(
      await helm.render("grafanaDashboard.enabled=true", "grafanaDashboard.annotations.grafana_folder=CRM"),
    );
    expect(map?.metadata).toMatchObject({ labels: { grafana_dashboard: "1" }, annotations: { grafana_folder: "CRM" } });
    const { data } = map as unknown as { data: Record<string, string> };
    expect(JSON.parse(data["integration-workflows.json"] ?? "")).toEqual(dashboard);
  });
});
