import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";

function coreApi(kubeconfigPath: string): CoreV1Api {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  return config.makeApiClient(CoreV1Api);
}

test("the shared control plane answers as system:masters and runs its controllers", async () => {
  const core = coreApi(inject("kubeconfig"));
  const account = await core.readNamespacedServiceAccount({ name: "default", namespace: "default" });
  expect(account.metadata?.uid).toBeDefined();
});

describe("a control plane of one's own", () => {
  let own: ControlPlane;
  beforeAll(async () => {
    own = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
  });
  afterAll(() => own?.stop());

  test("keeps port and data over a killed API server", async () => {
    const core = coreApi(own.kubeconfigPath);
    await core.createNamespace({ body: { metadata: { name: "kept" } } });
    await own.killApiServer();
    await expect(core.readNamespace({ name: "kept" })).rejects.toThrow();
    await own.startApiServer();
    await expect(core.readNamespace({ name: "kept" })).resolves.toMatchObject({ metadata: { name: "kept" } });
  });
});

test.runIf(process.platform === "linux")(
  "nothing of a control plane outlives the process that started it, even by SIGKILL",
  async () => {
    const module = (name: string): string => JSON.stringify(new URL(`../../../cluster/${name}`, import.meta.url).href);
    const program = `
    const { startControlPlane } = await import(${module("control-plane.ts")});
    const { logs } = await startControlPlane({ binaries: ${JSON.stringify(await controlPlaneBinaries(process.env, console.log))} });
    console.log(logs);
    process.stdin.resume();`;
    const starter = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [logs] = await once(starter.stdout.setEncoding("utf8"), "data");
    const folder = dirname(String(logs).trim());
    expect(processesNaming(folder)).toHaveLength(3);
    starter.kill("SIGKILL");
    await vi.waitFor(() => expect(processesNaming(folder)).toEqual([]), 60_000);
    // A process has no command line any more before its last thread has put down what it wrote.
    rmSync(folder, { recursive: true, maxRetries: 5 });
  },
);

/** The live processes with `text` on their command line; that of an ended one is empty. */
function processesNaming(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // It ended meanwhile.
    }
  });
}
