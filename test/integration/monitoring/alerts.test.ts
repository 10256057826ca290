/** The alerts as helm renders them, judged by promtool. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Helm, startHelm } from "../chart/helm.ts";
import { type AlertCase, alertCases } from "./alert-cases.ts";
import { buildPatienceMs, findPromtool, type Promtool } from "./promtool.ts";
import { type Rule, renderedRules, ruleFile } from "./rendered-rules.ts";

const folder = mkdtempSync(join(tmpdir(), "integration-workflow-alerts-"));
const rulesFile = join(folder, "rules.json");

let helm: Helm;
let promtool: Promtool;
let rules: readonly Rule[];

beforeAll(async () => {
  [helm, promtool] = await Promise.all([startHelm(inject("kubeconfig")), findPromtool()]);
  rules = await renderedRules(helm);
  // JSON is YAML.
  writeFileSync(rulesFile, JSON.stringify(await ruleFile(helm)));
}, buildPatienceMs);
afterAll(() => {
  helm?.remove();
  rmSync(folder, { recursive: true });
});

const shortName = ({ alert }: Rule): string => alert.replace("IntegrationWorkflow", "");
const pageOf = (rule: Rule): string =>
  `${shortName(rule)
    .replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`)
    .toLowerCase()}.md`;

/** promtool's form of a case: at each minute, exactly these alerts fire. */
function unitTest({ name, series, firing }: AlertCase): object {
  return {
    name,
    interval: "1m",
    input_series: Object.entries(series).map(([metric, values]) => ({ series: metric, values })),
    promql_expr_test: Object.entries(firing).map(([minute, alerts]) => ({
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: `${minute}m`,
      exp_samples: alerts.map((alert) => ({ labels: `{alertname="IntegrationWorkflow${alert}"}`, value: 1 })),
    })),
  };
}

async function testRules(...tests: readonly object[]): Promise<string> {
  const file = join(mkdtempSync(join(folder, "case-")), "test.json");
  writeFileSync(file, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: "1m", tests }));
  return promtool(["test", "rules", file]);
}

test("promtool finds nothing to complain of in the rules", async () => {
  expect(await promtool(["check", "rules", "--lint=all", "--lint-fatal", rulesFile])).toContain(
    `SUCCESS: ${rules.length} rules found`,
  );
});

test.each(alertCases)("$name", async (alertCase) => {
  expect(await testRules(unitTest(alertCase))).toContain("SUCCESS");
});

test("every alert is seen to fire and seen not to fire", () => {
  const fired = new Set(alertCases.flatMap(({ firing }) => Object.values(firing).flat()));
  const silent = new Set(
    alertCases.flatMap(({ firing }) =>
      Object.values(firing)
        .flat()
        .filter((alert) => Object.values(firing).some((alerts) => !alerts.includes(alert))),
    ),
  );
  expect([...fired].sort()).toEqual(rules.map(shortName).sort());
  expect([...silent].sort()).toEqual([...fired].sort());
});

test("an alert names the workflow, says what is so, and where to read on", async () => {
  const alertTest = {
    ...unitTest({
      name: "",
      series: { 'integration_workflow_state{namespace="crm",name="contacts",state="FAILED"}': "1x60" },
      firing: {},
    }),
    alert_rule_test: [
      {
        eval_time: "10m",
        alertname: "IntegrationWorkflowFailed",
        exp_alerts: [
          {
            exp_labels: { severity: "critical", namespace: "crm", name: "contacts" },
            exp_annotations: {
              summary: "Workflow crm/contacts has failed",
              description:
                "It could not recover and moves no records. status.failure says why and what to do. Runbook: docs/runbooks/failed.md",
            },
          },
        ],
      },
    ],
  };
  expect(await testRules(alertTest)).toContain("SUCCESS");
});

test("every alert has a page that says what it means, how to look and what to do, and every page an alert", () => {
  for (const rule of rules) {
    const path = `docs/runbooks/${pageOf(rule)}`;
    expect(existsSync(path), path).toBe(true);
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(new RegExp(`^# ${rule.alert}\n`));
    for (const part of ["What it means", "How to look", "What to do"]) expect(text, path).toContain(`\n## ${part}\n`);
    expect(rule.annotations["description"]).toMatch(new RegExp(`Runbook: ${path}$`));
  }
  const pages = readdirSync("docs/runbooks").filter((name) => name !== "README.md");
  expect(pages.sort()).toEqual(rules.map(pageOf).sort());
  const index = readFileSync("docs/runbooks/README.md", "utf8");
  for (const name of pages) expect(index).toContain(`](${name})`);
});

test("alerts carry the labels and the address that are set, go by other figures, and are left out one by one", async () => {
  const changed = await renderedRules(
    helm,
    "prometheusRule.alertLabels.team=crm",
    "prometheusRule.runbookBaseUrl=https://wiki.example.com/runbooks/",
    "prometheusRule.alerts.backlogGrowing.records=77",
    "prometheusRule.alerts.failed.for=1m",
    "prometheusRule.alerts.failed.severity=page",
    "prometheusRule.alerts.throttled.enabled=false",
  );
  expect(changed.map(shortName).sort()).toEqual(
    rules
      .map(shortName)
      .filter((name) => name !== "Throttled")
      .sort(),
  );
  const failed = changed.find((rule) => shortName(rule) === "Failed");
  expect(failed).toMatchObject({
    for: "1m",
    labels: { severity: "page", team: "crm" },
    annotations: { runbook_url: "https://wiki.example.com/runbooks/failed.md" },
  });
  expect(changed.find((rule) => shortName(rule) === "BacklogGrowing")?.expr).toContain("> 77\n");
  expect((await renderedRules(helm, "console.enabled=false")).map(shortName)).not.toContain("ConsoleDown");
});

test("alerts of the operator are about the operator of this release", () => {
  const own = rules.filter((rule) =>
    ["OperatorDown", "NoLeader", "WatchStale", "ReconcileErrors"].includes(shortName(rule)),
  );
  expect(own).toHaveLength(4);
  for (const { expr } of own) expect(expr).toContain('namespace="system"');
});
