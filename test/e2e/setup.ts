/** One node for all end-to-end tests, with the product's image on it; the chart is the tests' own to install. */
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { binaries } from "../../cluster/binaries.ts";
import { buildImage, bundle, projectFolder } from "../../cluster/image.ts";
import { importImage, startNode, stopNode } from "../../cluster/node.ts";
import { ensurePackages } from "../../cluster/packages.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The node's name: see cluster/node.ts. */
    node: string;
    /** The path of a kubeconfig that signs in as system:masters. */
    kubeconfig: string;
    /** The product's image as built from this checkout; it is on the node, so imagePullPolicy must not be Always. */
    image: { repository: string; tag: string; reference: string };
    /** The paths of kubectl and helm. */
    kubectl: string;
    helm: string;
    /** The folders of the binary sets that a node is started from. */
    binaries: { controlPlane: string; node: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const report = console.log;
  const name = process.env["IW_NAME"] || "iw-e2e"; // Another name runs beside: several checkouts, one machine.
  await ensurePackages(process.env, report);
  const controlPlane = await binaries("control-plane", process.env, report);
  const node = await binaries("node", process.env, report);
  const tools = await binaries("tools", process.env, report);
  await bundle();
  const image = await buildImage({ context: projectFolder, docker: false }, process.env, report);
  const cluster = await startNode({ name, controlPlaneBinaries: controlPlane, nodeBinaries: node, bound: true });
  const { archivePath, reference } = image;
  if (archivePath !== undefined) await importImage(name, node, { reference, archivePath });
  project.provide("node", name);
  project.provide("kubeconfig", cluster.kubeconfigPath);
  project.provide("image", { repository: image.repository, tag: image.tag, reference });
  project.provide("kubectl", join(tools, "kubectl"));
  project.provide("helm", join(tools, "helm"));
  project.provide("binaries", { controlPlane, node });
  return () => stopNode(name);
}
