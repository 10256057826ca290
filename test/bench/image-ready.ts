/** How long the image's roles take until they are ready, started in its own root as its own user. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { controlPlaneBinaries } from "../../cluster/binaries.ts";
import { startControlPlane } from "../../cluster/control-plane.ts";
import { freePort } from "../../cluster/ports.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../src/telemetry/log.ts";

const runs = 5;
const nonRoot = 65_532;
const patienceMs = 60_000;

/** Milliseconds until each is ready, the least of some starts. @param root the image's, unpacked */
export async function untilReady(root: string): Promise<Readonly<Record<"operator" | "worker", number>>> {
  return { operator: await operatorReady(root), worker: await workerReady(root) };
}

/** An operator with nobody beside it, on an API server without workflows: its lists are done, and it leads. */
async function operatorReady(root: string): Promise<number> {
  const binaries = await controlPlaneBinaries(process.env, console.error);
  const controlPlane = await startControlPlane({ binaries });
  try {
    const kubectl = (...args: readonly string[]) =>
      promisify(execFile)(join(binaries, "kubectl"), ["--kubeconfig", controlPlane.kubeconfigPath, ...args]);
    await kubectl("apply", "--server-side", "-f", "crds/");
    const served = "jsonpath={.status.conditions[?(@.type=='Established')].status}";
    const established = async () => (await kubectl("get", "-f", "crds/", "-o", served)).stdout === "True";
    await until(established, "the CRD is served");
    cpSync(controlPlane.kubeconfigPath, join(root, "tmp/kubeconfig"));
    chownSync(join(root, "tmp/kubeconfig"), nonRoot, nonRoot);
    const given = ["--kubeconfig=/tmp/kubeconfig", "--worker-image=none", "--metrics-address=0", "--health-address"];
    return await leastOf(() => readyMs(root, ["operator", ...given]));
  } finally {
    await controlPlane.stop();
  }
}

/** A worker with a new queue, whose two systems answer from a process beside it. */
async function workerReady(root: string): Promise<number> {
  const sandbox = await startSandbox({ contacts: 0 }, silentLogger);
  try {
    const { dataverseUrl, campaignUrl, credentials, dataverseTokenUrl, campaignTokenUrl } = sandbox;
    const folder = join(root, "tmp/worker");
    const secret = (system: string, values: Readonly<Record<string, string>>): void => {
      mkdirSync(join(folder, "credentials", system), { recursive: true });
      for (const [key, value] of Object.entries(values)) writeFileSync(join(folder, "credentials", system, key), value);
    };
    secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl });
    secret("campaign", { ...credentials, scopes: "campaign", tokenUrl: campaignTokenUrl });
    const mapping = {
      table: "contact",
      resource: "profile",
      key: { column: "contactid", field: "externalId" },
      fields: [{ column: "firstname", field: "firstName" }],
    };
    const spec = {
      type: "Ingress",
      dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: { url: campaignUrl, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond: 20 },
      ingress: { mappings: [mapping] },
      worker: { terminationGracePeriodSeconds: 60, replicas: 1 },
    };
    const workflow = { name: "contacts", namespace: "crm", uid: "bench" };
    writeFileSync(join(folder, "workflow.json"), JSON.stringify({ workflow, spec }));
    let start = 0;
    return await leastOf(() => {
      start += 1;
      const state = join(folder, `state-${start}`);
      mkdirSync(state);
      for (const path of [state, folder]) chownSync(path, nonRoot, nonRoot);
      const files = ["--config=/tmp/worker/workflow.json", "--credentials=/tmp/worker/credentials"];
      files.push(`--state=/tmp/worker/state-${start}`, "--termination-log=/tmp/worker/last-words", "--address");
      return readyMs(root, ["worker", ...files]);
    });
  } finally {
    await sandbox.close();
  }
}

async function leastOf(measure: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  while (all.length < runs) all.push(await measure());
  return Math.min(...all);
}

/** @param args the last is the flag of the address that answers /readyz */
async function readyMs(root: string, args: readonly string[]): Promise<number> {
  const address = `127.0.0.1:${await freePort()}`;
  const program = [`--userspec=${nonRoot}:${nonRoot}`, root, "/nodejs/bin/node", "/app/dist/main.js", ...args];
  const startedAtMs = performance.now();
  const child = spawn("/usr/sbin/chroot", [...program, address], { env: {}, stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  try {
    const ready = async () => (await fetch(`http://${address}/readyz`).catch(() => undefined))?.status === 200;
    await until(() => ready(), `${args[0]} is ready`);
    return performance.now() - startedAtMs;
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await pause(5);
  }
}
