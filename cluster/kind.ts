/** A cluster by kind (Kubernetes in Docker), for machines where a Docker daemon answers. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { binaries, cacheFolder } from "./binaries.ts";
import type { Report } from "./build.ts";
import { runTool } from "./tool.ts";

/** Where the kubeconfig of the kind cluster of this name is: a file of its own, the user's stays as it is. */
export function kindKubeconfig(name: string, environment: NodeJS.ProcessEnv): string {
  return join(cacheFolder(environment), `kind-${name}.kubeconfig`);
}

/** Makes the cluster, or finds it where it is there already. */
export async function startKind(name: string, environment: NodeJS.ProcessEnv, report: Report): Promise<void> {
  const kind = await kindProgram(environment, report);
  const kubeconfig = kindKubeconfig(name, environment);
  mkdirSync(cacheFolder(environment), { recursive: true });
  const known = (await runTool([kind, "get", "clusters"])).split("\n").includes(name);
  const args = known ? ["export", "kubeconfig"] : ["create", "cluster", "--wait", "180s"];
  await runTool([kind, ...args, "--name", name, "--kubeconfig", kubeconfig]);
}

/** Makes an image that Docker holds known to the cluster. */
export async function loadImageIntoKind(
  name: string,
  reference: string,
  environment: NodeJS.ProcessEnv,
  report: Report,
): Promise<void> {
  const kind = await kindProgram(environment, report);
  await runTool([kind, "load", "docker-image", reference, "--name", name]);
}

/** Deletes the cluster, if this project made it. */
export async function stopKind(name: string, environment: NodeJS.ProcessEnv, report: Report): Promise<void> {
  const kubeconfig = kindKubeconfig(name, environment);
  if (!existsSync(kubeconfig)) return;
  await runTool([
    await kindProgram(environment, report),
    "delete",
    "cluster",
    "--name",
    name,
    "--kubeconfig",
    kubeconfig,
  ]);
  rmSync(kubeconfig, { force: true });
}

async function kindProgram(environment: NodeJS.ProcessEnv, report: Report): Promise<string> {
  return join(await binaries("kind", environment, report), "kind");
}
