/**
 * The operator itself, with the chart's arguments and as the chart's account of named namespaces: all that it does is
 * allowed, and all that is allowed it does. The API server's audit log says which.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AuditedRequest, type AuditLog, createAuditLog } from "../../../cluster/audit-log.ts";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { granted } from "../../../scripts/rights-table.ts";
import { labels } from "../../../src/api/group.ts";
import { runsAnnotation } from "../../../src/api/run-record.ts";
import { type ApiServer, apiServer, installCrd, workflowsPath } from "../api/api-server.ts";
import { smallest } from "../api/manifests.ts";
import { clientOver, connectionTo, type TestClient } from "../kubernetes/ground.ts";
import { Kubelet } from "../operator/kubelet.ts";
import { chartFolder, type Helm, startHelm } from "./helm.ts";

const release = "integration-workflow-operator";
const [system, crm] = ["rights-system", "rights-crm"];
const account = `system:serviceaccount:${system}:${release}`;
const waiting = { timeout: 60_000, interval: 200 };

let audit: AuditLog;
let own: ControlPlane;
let server: ApiServer;
let helm: Helm;
let folder: string;
let client: TestClient;
let kubelet: Kubelet;
let operator: ChildProcess | undefined;
let logged = "";

beforeAll(async () => {
  audit = createAuditLog([account]);
  const binaries = await controlPlaneBinaries(process.env, console.error);
  own = await startControlPlane({ binaries, apiServerArguments: audit.apiServerArguments });
  server = await apiServer(own.kubeconfigPath);
  helm = await startHelm(own.kubeconfigPath);
  folder = mkdtempSync(join(tmpdir(), "integration-workflow-rights-"));
  await installCrd(server);
  for (const name of [system, crm]) {
    const enforced = { "pod-security.kubernetes.io/enforce": "restricted" };
    await server.request("POST", "/api/v1/namespaces", { metadata: { name, labels: enforced } });
  }
  client = clientOver(connectionTo(own.kubeconfigPath), "kubelet");
  kubelet = new Kubelet(client.client, crm);
  await kubelet.start();
  // By proxy, so that the right that it takes is there to be used.
  const values = `watchNamespaces={${crm}},crds.enabled=false,operator.workerPoll=proxy`;
  await helm.run("install", release, chartFolder, "--namespace", system, "--set", values);
});
afterAll(async () => {
  operator?.kill("SIGKILL");
  await kubelet?.stop();
  await client?.close();
  helm?.remove();
  await server?.close();
  await own?.stop();
  audit?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** The kubeconfig of the chart's service account. */
async function accountKubeconfig(): Promise<string> {
  const config = JSON.parse(readFileSync(own.kubeconfigPath, "utf8")) as { users: { name: string; user: object }[] };
  const token = (await server.kubectl(["--namespace", system, "create", "token", release])).trim();
  const path = join(folder, "kubeconfig");
  const users = config.users.map(({ name }) => ({ name, user: { token } }));
  writeFileSync(path, JSON.stringify({ ...config, users }));
  return path;
}

/** The arguments that the chart gives its operator. */
async function chartArguments(): Promise<readonly string[]> {
  const path = "jsonpath={.spec.template.spec.containers[0].args}";
  const text = await server.kubectl(["--namespace", system, "get", "deployment", release, "-o", path]);
  return JSON.parse(text) as readonly string[];
}

function kubectl(...args: readonly string[]): Promise<string> {
  return server.kubectl(["--namespace", crm, ...args]);
}

async function make(name: string, spec: object = {}): Promise<void> {
  const made = smallest("Ingress", name);
  Object.assign(made.spec, spec);
  const { status, body } = await server.request("POST", workflowsPath(crm), made);
  expect(status, body.message).toBe(201);
}

function patch(name: string, spec: object): Promise<string> {
  return kubectl("patch", "iw", name, "--type=merge", "-p", JSON.stringify({ spec }));
}

async function until(name: string, status: object): Promise<void> {
  await expect
    .poll(async () => (await server.request("GET", workflowsPath(crm, name))).body.status ?? {}, waiting)
    .toMatchObject(status);
}

async function pinsOf(name: string): Promise<string[]> {
  const out = await kubectl("get", "configmap", "-l", `${labels.workflow}=${name}`, "-o", "name");
  return out.split("\n").filter((line) => line !== "");
}

async function putBackTimes(): Promise<number> {
  const output = await kubectl("get", "events.events.k8s.io", "-o", "json");
  const { items } = JSON.parse(output) as { items: { reason: string; series?: { count: number } }[] };
  return items.filter(({ reason }) => reason === "PutBack").reduce((sum, { series }) => sum + (series?.count ?? 1), 0);
}

test("all that the operator does it may do, and all that it may do it does", async () => {
  const args = [...(await chartArguments()), "--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"];
  const env = { ...process.env, KUBECONFIG: await accountKubeconfig() };
  operator = spawn(process.execPath, ["src/main.ts", ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  operator.stdout?.on("data", (chunk: Buffer) => (logged += chunk.toString()));

  // A start, an edit, a restart with a larger volume that now goes with its workflow, and a stop.
  await make("contacts", { revisionHistoryLimit: 0 });
  await until("contacts", { state: "STOPPED" });
  await patch("contacts", { state: "Running" });
  await until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } });
  const asked: AuditedRequest[] = [];
  const asksWorkers = () => {
    asked.push(...audit.read());
    return asked.some(({ resource }) => resource === "pods/proxy");
  };
  await expect.poll(asksWorkers, waiting).toBe(true);
  const [firstPin = ""] = await pinsOf("contacts");
  const open = JSON.stringify({ spec: { ingress: [{}] } });
  await kubectl("patch", "networkpolicy", "contacts-worker", "--type=merge", "-p", open);
  await patch("contacts", { queue: { volume: { size: "2Gi", whenDeleted: "Delete" } }, restart: "1" });
  await until("contacts", { state: "RUNNING", appliedRevision: { run: 2 }, handledRestart: "1" });
  await expect.poll(() => pinsOf("contacts"), waiting).not.toContain(firstPin);

  // What somebody edits by hand is put back; the same one twice is one Event that counts.
  for (const times of [1, 2]) {
    await kubectl("scale", "deployment/contacts", "--replicas=3");
    await expect.poll(putBackTimes, waiting).toBe(times);
  }
  await kubectl("annotate", "deployment/contacts", `${runsAnnotation}-`);
  const record = `jsonpath={.metadata.annotations.${runsAnnotation.replaceAll(".", "\\.")}}`;
  await expect.poll(() => kubectl("get", "deployment", "contacts", "-o", record), waiting).not.toBe("");

  // Names that others have taken are looked at: a pin's, in the place of one that is kept no longer.
  const [pin = ""] = await pinsOf("contacts");
  await patch("contacts", { worker: { terminationGracePeriodSeconds: 90 }, restart: "2" });
  await until("contacts", { state: "RUNNING", appliedRevision: { run: 3 }, handledRestart: "2" });
  await expect.poll(() => pinsOf("contacts"), waiting).not.toContain(pin);
  await kubectl("create", "configmap", pin.replace("configmap/", ""));
  await patch("contacts", { worker: null, restart: "3" });
  await until("contacts", { state: "FAILED", failure: { reason: "NameConflict" } });
  await kubectl("delete", pin);
  await until("contacts", { state: "RUNNING", appliedRevision: { run: 4 }, handledRestart: "3" });
  await patch("contacts", { state: "Stopped" });
  await until("contacts", { state: "STOPPED" });

  const others = [
    { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", name: "taken-worker", spec: { podSelector: {} } },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      name: "kept-queue",
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    },
  ];
  for (const { name, ...object } of others)
    await server.kubectl(["-n", crm, "create", "-f", "-"], { ...object, metadata: { name } });
  for (const name of ["taken", "kept"]) {
    await make(name, { state: "Running" });
    await until(name, { state: "FAILED", failure: { reason: "NameConflict" } });
  }

  // Not "exit": what it said last may still be on its way then.
  const ended = new Promise((resolve) => operator?.once("close", resolve));
  operator.kill("SIGTERM");
  expect(await ended).toBe(0);
  const table = granted["namespaced operator"].flatMap(({ where, rights }) =>
    rights.flatMap(({ verbs, resource }) =>
      verbs.map((verb) => `${verb} ${resource} in ${where === "own" ? system : crm}`),
    ),
  );
  const used = () => {
    asked.push(...audit.read());
    const done = asked.filter(({ code, resource }) => code !== 403 && !resource.startsWith("/"));
    return [...new Set(done.map(told))].sort();
  };
  // A watch is in the audit log when the API server has noticed that it ended.
  await expect.poll(used, waiting).toEqual(table.sort());
  // Whether a namespace is missing is asked once of who may not know.
  const refused = asked.filter(({ code }) => code === 401 || code === 403).map(told);
  expect(refused).toEqual([`get namespaces in ${crm}`]);
  expect(logged).not.toMatch(/forbidden|"status":403/i);

  const paths = asked.filter(({ code, resource }) => code !== 403 && resource.startsWith("/")).map(told);
  expect(new Set(paths)).toEqual(new Set(["get /openapi/v3/apis/integrationworkflow.io/v1 in the cluster"]));
});

function told({ verb, resource, namespace }: AuditedRequest): string {
  return `${verb} ${resource} in ${namespace ?? "the cluster"}`;
}
