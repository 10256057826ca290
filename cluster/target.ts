/** Which cluster is meant: one that is named explicitly, kind where Docker answers, or a node of the project's own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { binaries } from "./binaries.ts";
import { ClusterError } from "./errors.ts";
import { buildImage, bundle, dockerAnswers, projectFolder } from "./image.ts";
import { kindKubeconfig, loadImageIntoKind, startKind, stopKind } from "./kind.ts";
import { findNode, importImage, requireNodeGround, startNode, stopNode } from "./node.ts";
import { ensurePackages } from "./packages.ts";
import type { RunStep } from "./steps.ts";

export interface TargetOptions {
  /** What the project's own cluster is called. */
  readonly name: string;
  /** A context of the user's kubeconfig. Never the current one unless it is named here. */
  readonly context?: string;
  /** The image to run, as repository:tag; required with `context`, as only a cluster of our own can be given one. */
  readonly image?: string;
}

/** A cluster, as kubectl and helm are pointed at it. */
export interface Target {
  readonly description: string;
  readonly kubectlFlags: readonly string[];
  readonly helmFlags: readonly string[];
}

/** An image that a target can run. */
export interface TargetImage {
  readonly repository: string;
  readonly tag: string;
}

/**
 * Makes the cluster that the options ask for, or finds it, with the image on it.
 * @throws ClusterError what could not be had, and the way out
 */
export async function prepareTarget(
  options: TargetOptions,
  environment: NodeJS.ProcessEnv,
  step: RunStep,
): Promise<{ target: Target; image: TargetImage }> {
  if (options.context !== undefined) {
    return { target: contextTarget(options.context), image: parseImage(options.image) };
  }
  return (await dockerAnswers()) ? prepareKind(options, environment, step) : prepareNode(options, environment, step);
}

/**
 * The cluster that the options mean, if it is there.
 * @throws ClusterError NoCluster
 */
export async function findTarget(options: TargetOptions, environment: NodeJS.ProcessEnv): Promise<Target> {
  if (options.context !== undefined) return contextTarget(options.context);
  const node = findNode(options.name);
  if (node !== undefined) return fileTarget(`the node ${options.name}`, node.kubeconfigPath);
  const kind = kindKubeconfig(options.name, environment);
  if (existsSync(kind)) return fileTarget(`the kind cluster ${options.name}`, kind);
  throw new ClusterError("NoCluster", "No cluster of this project runs here: npm start makes one");
}

/** Takes away the project's own cluster, whichever it is. */
export async function removeTarget(name: string, environment: NodeJS.ProcessEnv, step: RunStep): Promise<void> {
  await step(`cluster ${name} removed`, async (report) => {
    await stopNode(name);
    await stopKind(name, environment, report);
  });
}

async function prepareKind(
  { name }: TargetOptions,
  environment: NodeJS.ProcessEnv,
  step: RunStep,
): Promise<{ target: Target; image: TargetImage }> {
  const image = await step("image", async (report) => {
    await bundle();
    return buildImage({ context: projectFolder, docker: true }, environment, report);
  });
  await step(`kind cluster ${name}`, (report) => startKind(name, environment, report));
  await step("image on the cluster", (report) => loadImageIntoKind(name, image.reference, environment, report));
  return { target: fileTarget(`the kind cluster ${name}`, kindKubeconfig(name, environment)), image };
}

async function prepareNode(
  { name }: TargetOptions,
  environment: NodeJS.ProcessEnv,
  step: RunStep,
): Promise<{ target: Target; image: TargetImage }> {
  requireNodeGround();
  await step("Debian packages", (report) => ensurePackages(environment, report));
  const [controlPlaneBinaries, nodeBinaries] = await step("Kubernetes binaries", async (report) => [
    await binaries("control-plane", environment, report),
    await binaries("node", environment, report),
  ]);
  const image = await step("image", async (report) => {
    await bundle();
    return buildImage({ context: projectFolder, docker: false }, environment, report);
  });
  const node = await step(`Kubernetes node ${name}`, () =>
    startNode({ name, controlPlaneBinaries, nodeBinaries, bound: false }),
  );
  const { archivePath, reference } = image;
  if (archivePath !== undefined) {
    await step("image on the node", () => importImage(name, nodeBinaries, { reference, archivePath }));
  }
  return { target: fileTarget(`the node ${name}`, node.kubeconfigPath), image };
}

function fileTarget(description: string, kubeconfigPath: string): Target {
  const flags = ["--kubeconfig", kubeconfigPath];
  return { description, kubectlFlags: flags, helmFlags: flags };
}

function contextTarget(context: string): Target {
  return {
    description: `the context ${context}`,
    kubectlFlags: ["--context", context],
    helmFlags: ["--kube-context", context],
  };
}

/** The last colon parts the tag from the repository, if it stands after the last slash (before it, it is a port's). */
function parseImage(image: string | undefined): TargetImage {
  const match = /^(.+):([^:/]+)$/.exec(image ?? "");
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new ClusterError(
      "ImageNeeded",
      "With --context, name an image that the cluster can pull: --image registry/integration-workflow-operator:tag " +
        `(docker build ${projectFolder} makes one, after npm run build)`,
    );
  }
  return { repository: match[1], tag: match[2] };
}

/** kubectl and helm, built if they are not there. */
export async function clientPrograms(
  environment: NodeJS.ProcessEnv,
  report: (line: string) => void,
): Promise<{ kubectl: string; helm: string }> {
  const folder = await binaries("tools", environment, report);
  return { kubectl: join(folder, "kubectl"), helm: join(folder, "helm") };
}
