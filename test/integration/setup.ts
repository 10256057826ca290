/**
 * One control plane for all integration tests. A test makes a namespace of its own, or starts its own control plane
 * (cluster/control-plane.ts) when it breaks the API server.
 */
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { binaries as binariesOf, controlPlaneBinaries } from "../../cluster/binaries.ts";
import { startControlPlane } from "../../cluster/control-plane.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The path of a kubeconfig that signs in as system:masters. */
    kubeconfig: string;
    /** The path of kubectl. */
    kubectl: string;
    /** The path of kstatus: every status that a test sees is judged by it. */
    kstatus: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const binaries = await controlPlaneBinaries(process.env, console.log);
  const kstatus = await binariesOf("kstatus", process.env, console.log);
  const controlPlane = await startControlPlane({ binaries });
  project.provide("kubeconfig", controlPlane.kubeconfigPath);
  project.provide("kubectl", join(binaries, "kubectl"));
  project.provide("kstatus", join(kstatus, "kstatus"));
  return () => controlPlane.stop();
}
