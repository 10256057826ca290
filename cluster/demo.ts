/** What `npm start` puts on a cluster: the operator with its sandbox, and workflows to try. */
import type { DrillCluster } from "./drill/world.ts";
import { ClusterError } from "./errors.ts";
import { projectFolder } from "./image.ts";
import { callSandbox } from "./sandbox-control.ts";
import { applyInThisWorld } from "./sandbox-world.ts";
import { untilSettled, type Workflow } from "./settling.ts";
import type { RunStep } from "./steps.ts";
import type { Target, TargetImage } from "./target.ts";
import { runTool } from "./tool.ts";

export interface Demo {
  readonly target: Target;
  /** kubectl as a person calls it for this cluster: what a hint begins with. */
  readonly kubectlCommand: string;
  readonly kubectl: string;
  readonly helm: string;
}

const release = "integration-workflow";
const chart = `${projectFolder}charts/integration-workflow-operator`;
export const examples = `${projectFolder}examples/sandbox`;
const sandboxService = "integration-workflow-sandbox";
/** As many contacts as all three workflows have seen within a minute, and events to watch without waiting for them. */
export const sandboxArguments = ["--contacts=2000", "--export-every-seconds=5", "--delivery-every-seconds=30"];

/**
 * Installs or upgrades the operator, and makes the workflows of examples/sandbox and the Secrets they name.
 * @throws ClusterError NotInstalled, with the command that shows why
 */
export async function installDemo(demo: Demo, image: TargetImage, step: RunStep): Promise<void> {
  const tag = ["--set-string", `image.repository=${image.repository},image.tag=${image.tag}`];
  const sandbox = ["--set", `sandbox.enabled=true,sandbox.extraArgs={${sandboxArguments.join(",")}}`];
  const flags = ["--namespace", release, "--create-namespace", ...tag, ...sandbox];
  await step("operator and sandbox (Helm chart)", async () => {
    try {
      await helm(demo, "upgrade", "--install", release, chart, ...flags, "--wait", "--timeout", "3m");
    } catch (cause) {
      const look = `${demo.kubectlCommand} -n ${release} describe pods`;
      const said = cause instanceof Error ? cause.message : String(cause);
      const sentence = `The operator and its sandbox did not come up on ${demo.target.description}; see why: ${look}`;
      throw new ClusterError("NotInstalled", `${sentence}\n${said}`, { cause });
    }
  });
  await step("workflows and their Secrets (examples/sandbox)", async (report) => {
    const anew = await applyInThisWorld((...args) => kubectl(demo, ...args), release, examples);
    if (anew) report("the sandbox was replaced, and its records with it: the workflows begin anew");
  });
}

/** Takes the workflows, the operator and the sandbox away; for clusters that are not ours to delete. The CRD stays. */
export async function uninstallDemo(demo: Demo, step: RunStep): Promise<void> {
  await step("workflows deleted", () =>
    kubectl(demo, "delete", "--ignore-not-found", "--filename", `${examples}/1-namespace.yaml`),
  );
  await step("operator and sandbox uninstalled", async () => {
    await helm(demo, "uninstall", release, "--namespace", release, "--ignore-not-found", "--wait");
    await kubectl(demo, "delete", "namespace", release, "--ignore-not-found");
  });
}

/**
 * Waits until the workflows run and have nothing left to write.
 * @throws ClusterError NotSettled
 */
export async function untilDemoSettled(demo: Demo, step: RunStep): Promise<void> {
  const describeCommand = demo.kubectlCommand;
  await step("workflows run", (report) =>
    untilSettled(() => listWorkflows(demo), { seconds: 180, secondsBetweenLooks: 2, describeCommand }, report),
  );
}

/**
 * Calls a method of the sandbox's control API, and gives its answer piece by piece.
 * @throws ClusterError NoSandbox, SandboxRefused
 */
export function askSandbox(
  { kubectl, target }: Pick<Demo, "target" | "kubectl">,
  method: string,
  body: string,
): AsyncIterable<string> {
  const place = ["--namespace", release];
  return callSandbox([kubectl, ...target.kubectlFlags, ...place], sandboxService, method, body);
}

/** Where troubles are staged beside the workflows of `npm start`. */
export function drillClusterOf({ kubectl, helm, target }: Demo): DrillCluster {
  return {
    kubectl: [kubectl, ...target.kubectlFlags],
    helm: [helm, ...target.helmFlags],
    release: { name: release, namespace: release, chart },
    namespace: "troubles",
  };
}

/** The table of workflows, as `kubectl get iw` prints it. */
export async function workflowTable(demo: Demo): Promise<string> {
  return kubectl(demo, "get", "integrationworkflows", "--all-namespaces");
}

async function listWorkflows(demo: Demo): Promise<readonly Workflow[]> {
  const text = await kubectl(demo, "get", "integrationworkflows", "--all-namespaces", "--output", "json");
  return (JSON.parse(text) as { items: readonly Workflow[] }).items; // The CRD's schema has checked it.
}

function kubectl({ kubectl: program, target }: Demo, ...args: readonly string[]): Promise<string> {
  return runTool([program, ...target.kubectlFlags, ...args]);
}

function helm({ helm: program, target }: Demo, ...args: readonly string[]): Promise<string> {
  return runTool([program, ...target.helmFlags, ...args]);
}
