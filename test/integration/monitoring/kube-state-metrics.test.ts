/** The configuration for kube-state-metrics: against the schema of workflows, and, where there is one, by kube-state-metrics itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { freePort } from "../../../cluster/ports.ts";
import { customResourceDefinition } from "../../../src/api/crd.ts";
import { Ground, patience } from "../operator/ground.ts";
import { buildPatienceMs, findPromtool, type Promtool } from "./promtool.ts";

interface Kind {
  readonly path?: readonly string[];
  readonly list?: readonly string[];
  readonly valueFrom?: readonly string[];
  readonly labelsFromPath?: Readonly<Record<string, readonly string[]>>;
}
interface Metric {
  readonly name: string;
  readonly each: { readonly type: string } & Readonly<Record<"gauge" | "info" | "stateSet", Kind | undefined>>;
}
interface Values {
  readonly customResourceState: { readonly config: { readonly spec: { readonly resources: readonly Resource[] } } };
}
interface Resource {
  readonly groupVersionKind: Readonly<Record<string, string>>;
  readonly labelsFromPath: Readonly<Record<string, readonly string[]>>;
  readonly metrics: readonly Metric[];
}

const { config } = (load(readFileSync("examples/monitoring/kube-state-metrics.yaml", "utf8")) as Values)
  .customResourceState;
const [resource] = config.spec.resources;
const metrics = resource?.metrics ?? [];

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
}

/** What the CRD says of a field; a list's is that of its entries. The API server says the same of metadata for every kind. */
function schemaAt(from: Schema, path: readonly string[]): Schema {
  return path.reduce((schema, name) => {
    const found = (schema.items ?? schema).properties?.[name];
    expect(found, path.join(".")).toBeDefined();
    return found ?? {};
  }, from);
}

// The CRD is plain data: its schema is one of these.
const declared = customResourceDefinition.spec.versions[0]?.schema.openAPIV3Schema as Schema | undefined;
const whole: Schema = {
  properties: {
    ...declared?.properties,
    metadata: { properties: { name: {}, namespace: {}, creationTimestamp: {}, generation: {} } },
  },
};

test.each(metrics)("$name asks for fields that a workflow has", ({ each }) => {
  const { path = [], list, valueFrom, labelsFromPath = {} } = each.gauge ?? each.info ?? each.stateSet ?? {};
  const at = schemaAt(whole, path);
  if (valueFrom !== undefined) schemaAt(at, valueFrom);
  for (const label of Object.values(labelsFromPath)) schemaAt(at, label);
  if (list !== undefined) expect([...list].sort()).toEqual([...(at.enum ?? [])].sort());
});

test("it is about the kind that there is", () => {
  const { group, names, versions } = customResourceDefinition.spec;
  expect(resource?.groupVersionKind).toEqual({ group, version: versions[0]?.name, kind: names.kind });
});

/** It is not among what this project builds: whoever has one names it. */
const program = process.env["KUBE_STATE_METRICS"];

let ground: Ground;
let promtool: Promtool;
let child: ChildProcess | undefined;
const folder = mkdtempSync(join(tmpdir(), "integration-workflow-ksm-"));

beforeAll(async () => {
  if (program === undefined) return;
  [ground, promtool] = await Promise.all([Ground.make(inject("kubeconfig")), findPromtool()]);
}, buildPatienceMs);
afterAll(async () => {
  child?.kill();
  await ground?.end();
  rmSync(folder, { recursive: true });
});

test("kube-state-metrics tells the status of workflows by it", async ({ skip }) => {
  if (program === undefined) return skip("KUBE_STATE_METRICS names no kube-state-metrics");
  await ground.operator();
  await ground.apply("contacts", { state: "Running" });
  await ground.apply("accounts", { state: "Stopped" });
  await ground.until("contacts", { state: "RUNNING" });
  await ground.until("accounts", { state: "STOPPED" });
  const { appliedRevision } = await ground.status("contacts");
  const file = join(folder, "config.yaml");
  writeFileSync(file, JSON.stringify(config));
  const port = await freePort();
  const where = [
    "--host=127.0.0.1",
    `--port=${port}`,
    "--telemetry-host=127.0.0.1",
    `--telemetry-port=${await freePort()}`,
  ];
  const what = ["--custom-resource-state-only=true", `--custom-resource-state-config-file=${file}`];
  child = spawn(program, [`--kubeconfig=${ground.kubeconfig}`, `--namespaces=${ground.namespace}`, ...where, ...what], {
    stdio: "ignore",
  });
  const text = await vi.waitFor(async () => {
    const told = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(told).toContain("kube_integrationworkflow_status_state");
    return told;
  }, patience);
  const sample = (metric: string, name: string, labels: Readonly<Record<string, string>> = {}) =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`kube_integrationworkflow_${metric}{`) && line.includes(`name="${name}"`))
      .filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
      .map((line) => Number(line.slice(line.lastIndexOf(" "))));
  expect(sample("status_state", "contacts", { state: "RUNNING", namespace: ground.namespace })).toEqual([1]);
  expect(sample("status_state", "contacts", { state: "FAILED" })).toEqual([0]);
  expect(sample("status_state", "accounts", { state: "STOPPED" })).toEqual([1]);
  expect(sample("spec_state", "accounts", { state: "Stopped" })).toEqual([1]);
  expect(sample("info", "contacts", { type: "Ingress", revision: appliedRevision?.name ?? "" })).toEqual([1]);
  expect(sample("status_condition", "contacts", { type: "Ready", reason: "Running" })).toEqual([1]);
  expect(sample("status_condition", "contacts", { type: "Stalled" })).toEqual([0]);
  expect(sample("status_pending_restart", "contacts")).toEqual([0]);
  expect(sample("status_run", "contacts")).toEqual([1]);
  expect(sample("status_failure", "contacts")).toEqual([]);
  expect((await promtool(["check", "metrics"], text)).trim()).toBe("");
});
