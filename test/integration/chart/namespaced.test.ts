/** An operator whose rights are Roles in named namespaces, when one of them, or its Role, goes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "../api/api-server.ts";
import { smallest } from "../api/manifests.ts";
import { type OperatorProcess, startRole } from "../operator/operator-process.ts";
import { chartFolder, type Helm, startHelm } from "./helm.ts";

const release = "integration-workflow-operator";
const waiting = { timeout: 60_000, interval: 200 };

let server: ApiServer;
let helm: Helm;
let folder: string;
let system: string;
const operators: OperatorProcess[] = [];

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  helm = await startHelm(inject("kubeconfig"));
  folder = mkdtempSync(join(tmpdir(), "integration-workflow-namespaced-"));
  await installCrd(server);
  system = await makeNamespace(server, "namespaced-system");
});
afterAll(async () => {
  for (const operator of operators) await operator.kill();
  helm?.remove();
  await server?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** The operator of the release, with its arguments and as its account. */
async function startReleased(): Promise<OperatorProcess> {
  const config = JSON.parse(readFileSync(inject("kubeconfig"), "utf8")) as { users: { name: string }[] };
  const token = (await server.kubectl(["--namespace", system, "create", "token", release])).trim();
  const path = join(folder, "kubeconfig");
  const users = config.users.map(({ name }) => ({ name, user: { token } }));
  writeFileSync(path, JSON.stringify({ ...config, users }));
  const given = "jsonpath={.spec.template.spec.containers[0].args}";
  const text = await server.kubectl(["--namespace", system, "get", "deployment", release, "-o", given]);
  const own = ["--kubeconfig", path, "--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"];
  const operator = startRole([...(JSON.parse(text) as string[]), ...own]);
  operators.push(operator);
  return operator;
}

async function make(namespace: string, name: string): Promise<void> {
  const { status, body } = await server.request("POST", workflowsPath(namespace), smallest("Ingress", name));
  expect(status, body.message).toBe(201);
}

const stateOf = async (namespace: string, name: string): Promise<unknown> =>
  (await server.request("GET", workflowsPath(namespace, name))).body.status?.["state"];

test("a watched namespace that is deleted with its Role holds up no other, also for an operator that starts then", async () => {
  const [stays, goes] = [await makeNamespace(server, "stays"), await makeNamespace(server, "goes")];
  const values = `watchNamespaces={${stays},${goes}},crds.enabled=false,rbac.aggregateToDefaultRoles=false`;
  await helm.run("upgrade", "--install", release, chartFolder, "--namespace", system, "--set", values);
  await server.kubectl(["delete", "namespace", goes]);
  const operator = await startReleased();
  await make(stays, "contacts");
  await expect.poll(() => stateOf(stays, "contacts"), waiting).toBe("STOPPED");
  const { health } = await operator.said("operator started");
  await expect.poll(async () => (await fetch(`${health}/readyz`)).status, waiting).toBe(200);
  await operator.stop();
});

test("a workflow is left alone while a part of its namespace may not be seen, and is looked after when it may", async () => {
  const [stays, partly] = [await makeNamespace(server, "stays"), await makeNamespace(server, "partly")];
  const values = `watchNamespaces={${stays},${partly}},crds.enabled=false,rbac.aggregateToDefaultRoles=false`;
  await helm.run("upgrade", "--install", release, chartFolder, "--namespace", system, "--set", values);
  const role = await server.kubectl(["-n", partly, "get", "role", release, "-o", "json"]);
  const { rules } = JSON.parse(role) as { rules: { resources: string[] }[] };
  const withoutPods = rules.filter(({ resources }) => !resources.includes("pods"));
  expect(withoutPods).toHaveLength(rules.length - 1);
  const write = (changed: object): Promise<string> =>
    server.kubectl(["-n", partly, "patch", "role", release, "--type=merge", "-p", JSON.stringify({ rules: changed })]);
  await write(withoutPods);
  await make(partly, "contacts");
  const operator = await startReleased();
  await make(stays, "contacts");
  await expect.poll(() => stateOf(stays, "contacts"), waiting).toBe("STOPPED");
  expect(await stateOf(partly, "contacts")).toBeUndefined();
  // Not even tried: what the caches do not show would be decided on.
  expect(operator.lines.filter(({ workflow }) => workflow === `${partly}/contacts`)).toEqual([]);
  const isToldOfPods = () =>
    operator.lines.some(({ resource, namespace }) => resource === "pods" && namespace === partly);
  await expect.poll(isToldOfPods, waiting).toBe(true);
  await write(rules);
  await expect.poll(() => stateOf(partly, "contacts"), waiting).toBe("STOPPED");
});
