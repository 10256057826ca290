/** The operator itself, with the chart's arguments, signed in as the chart's account: its rights are enough, and used. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "../api/api-server.ts";
import { smallest } from "../api/manifests.ts";
import { chartFolder, type Helm, startHelm } from "./helm.ts";

let server: ApiServer;
let helm: Helm;
let folder: string;
let operator: ChildProcess | undefined;
let system: string;
let crm: string;
let logged = "";

const release = "integration-workflow-operator";
const waiting = { timeout: 60_000, interval: 200 };

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  helm = await startHelm(inject("kubeconfig"));
  folder = mkdtempSync(join(tmpdir(), "integration-workflow-rights-"));
  await installCrd(server);
  system = await makeNamespace(server, "rights-system");
  crm = await makeNamespace(server, "rights-crm");
  // Other tests' workflows on this API server are none of its business.
  const values = `watchNamespaces={${crm}},crds.enabled=false,rbac.aggregateToDefaultRoles=false`;
  await helm.run("install", release, chartFolder, "--namespace", system, "--set", values);
});
afterAll(async () => {
  operator?.kill("SIGKILL");
  helm?.remove();
  await server?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** The kubeconfig of the chart's service account. */
async function accountKubeconfig(): Promise<string> {
  const config = JSON.parse(readFileSync(inject("kubeconfig"), "utf8")) as { users: { name: string; user: object }[] };
  const token = (await server.kubectl(["--namespace", system, "create", "token", release])).trim();
  const path = join(folder, "kubeconfig");
  writeFileSync(
    path,
    JSON.stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: { token } })) }),
  );
  return path;
}

/** The arguments that the chart gives its operator. */
async function chartArguments(): Promise<readonly string[]> {
  const path = "jsonpath={.spec.template.spec.containers[0].args}";
  const text = await server.kubectl(["--namespace", system, "get", "deployment", release, "-o", path]);
  return JSON.parse(text) as readonly string[];
}

function patch(name: string, spec: object): Promise<string> {
  return server.kubectl(["-n", crm, "patch", "iw", name, "--type=merge", "-p", JSON.stringify({ spec })]);
}

async function status(name: string): Promise<Record<string, unknown>> {
  return (await server.request("GET", workflowsPath(crm, name))).body.status ?? {};
}

async function names(resource: string): Promise<string[]> {
  const out = await server.kubectl(["-n", crm, "get", resource, "-l", "integrationworkflow.io/workflow", "-o", "name"]);
  return out.split("\n").filter((line) => line !== "");
}

test("starts, edits, restarts and stops a workflow, and is refused nothing", async () => {
  const args = [...(await chartArguments()), "--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"];
  const env = { ...process.env, KUBECONFIG: await accountKubeconfig() };
  operator = spawn(process.execPath, ["src/main.ts", ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  operator.stdout?.on("data", (chunk: Buffer) => {
    logged += chunk.toString();
  });

  const made = smallest("Ingress");
  made.spec["revisionHistoryLimit"] = 0;
  await server.request("POST", workflowsPath(crm), made);
  await expect.poll(() => status("contacts"), waiting).toMatchObject({ state: "STOPPED" });

  await patch("contacts", { state: "Running" });
  await expect
    .poll(() => status("contacts"), waiting)
    .toMatchObject({ state: "STARTING", appliedRevision: { run: 1 } });
  expect(await names("deployment,pvc,networkpolicy")).toHaveLength(3);
  const pins = await names("configmap");
  expect(pins).toHaveLength(1);

  // Each of these ends in another kind of write: a claim and a policy are patched, a pin goes, a Deployment is replaced.
  const open = JSON.stringify({ spec: { ingress: [{}] } });
  await server.kubectl(["-n", crm, "patch", "networkpolicy", "--type=merge", "-p", open, "contacts-worker"]);
  await patch("contacts", { queue: { volume: { size: "2Gi", whenDeleted: "Delete" } }, restart: "1" });
  await expect
    .poll(() => status("contacts"), waiting)
    .toMatchObject({ appliedRevision: { run: 2 }, handledRestart: "1" });
  await expect.poll(() => names("configmap"), waiting).toHaveLength(1);
  expect(await names("configmap")).not.toEqual(pins);
  const owner = "jsonpath={.items[0].metadata.ownerReferences[0].kind}";
  await expect.poll(() => server.kubectl(["-n", crm, "get", "pvc", "-o", owner]), waiting).toBe("IntegrationWorkflow");

  await patch("contacts", { state: "Stopped" });
  await expect.poll(() => status("contacts"), waiting).toMatchObject({ state: "STOPPED" });
  const events = [
    "-n",
    crm,
    "get",
    "events",
    "--field-selector",
    "involvedObject.kind=IntegrationWorkflow",
    "-o",
    "name",
  ];
  await expect.poll(() => server.kubectl(events), waiting).not.toBe("");

  const ended = new Promise((resolve) => operator?.once("exit", resolve));
  operator.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(logged).not.toMatch(/forbidden|"status":403/i);
});
