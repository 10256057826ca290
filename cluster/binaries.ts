/** Where the Kubernetes binaries are. */
import { copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ClusterError } from "./errors.ts";

/** The project's cache folder: what is slow to get and may be thrown away. It lies outside the checkout. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const own = environment["INTEGRATION_WORKFLOW_CACHE"];
  if (own !== undefined && own !== "") return own;
  return join(environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "integration-workflow");
}

const controlPlaneBinaries = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/**
 * The folder with etcd, kube-apiserver, kube-controller-manager and kubectl: KUBEBUILDER_ASSETS if set, else the cache folder.
 * @throws ClusterError NoBinaries
 */
export async function controlPlaneFolder(environment: NodeJS.ProcessEnv): Promise<string> {
  const assets = environment["KUBEBUILDER_ASSETS"];
  if (assets !== undefined && assets !== "") return assets;
  const cache = cacheFolder(environment);
  const folder = join(cache, "control-plane-1.36.3");
  const earlier = join(cache, "proto-bin");
  if (!existsSync(folder) && existsSync(earlier)) {
    const temporary = `${folder}.${process.pid}`;
    mkdirSync(temporary, { recursive: true });
    for (const name of controlPlaneBinaries) copyFileSync(join(earlier, name), join(temporary, name));
    renameSync(temporary, folder);
  }
  if (!existsSync(folder)) throw new ClusterError("NoBinaries", `No Kubernetes binaries in ${folder}`);
  return folder;
}
