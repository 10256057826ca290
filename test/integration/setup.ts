/**
 * One control plane for all integration tests. A test makes a namespace of its own, or starts its own control plane
 * (cluster/control-plane.ts) when it breaks the API server.
 */
import type { TestProject } from "vitest/node";
import { controlPlaneBinaries } from "../../cluster/binaries.ts";
import { startControlPlane } from "../../cluster/control-plane.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The path of a kubeconfig that signs in as system:masters. */
    kubeconfig: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
  project.provide("kubeconfig", controlPlane.kubeconfigPath);
  return () => controlPlane.stop();
}
