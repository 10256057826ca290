/** What `npm start` puts on a cluster: the operator with its sandbox, and workflows to try. */
import { setTimeout as delay } from "node:timers/promises";
import type { Report } from "./build.ts";
import { ClusterError } from "./errors.ts";
import { projectFolder } from "./image.ts";
import { beginAnewIfReplaced } from "./sandbox-world.ts";
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
const examples = `${projectFolder}examples/sandbox`;
const settleSeconds = 180;
const secondsBetweenLooks = 2;

/**
 * Installs or upgrades the operator, and makes the workflows of examples/sandbox and the Secrets they name.
 * @throws ClusterError NotInstalled, with the command that shows why
 */
export async function installDemo(demo: Demo, image: TargetImage, step: RunStep): Promise<void> {
  const chart = `${projectFolder}charts/integration-workflow-operator`;
  const tag = ["--set-string", `image.repository=${image.repository},image.tag=${image.tag}`];
  const flags = ["--namespace", release, "--create-namespace", ...tag, "--set", "sandbox.enabled=true"];
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
    await kubectl(demo, "apply", "--filename", examples);
    await beginAnewIfReplaced((...args) => kubectl(demo, ...args), release, report);
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
 * Waits until every workflow that was asked to run says RUNNING and has nothing left to write, and reports each change.
 * Gives a sentence for each that is FAILED when the time is up.
 */
export async function watchWorkflows(demo: Demo, step: RunStep): Promise<string[]> {
  return step("workflows run", async (report) => {
    const deadline = performance.now() + settleSeconds * 1000;
    const said = new Map<string, string>();
    for (;;) {
      const workflows = await listWorkflows(demo);
      for (const workflow of workflows) sayOnce(workflow, said, report);
      if (workflows.every(isSettled)) return [];
      if (performance.now() > deadline) {
        report(`not all have settled after ${settleSeconds} s; the table below tells how far they are`);
        return workflows.filter(({ status }) => status?.state === "FAILED").map(describe);
      }
      await delay(secondsBetweenLooks * 1000);
    }
  });
}

/** The table of workflows, as `kubectl get iw` prints it. */
export async function workflowTable(demo: Demo): Promise<string> {
  return kubectl(demo, "get", "integrationworkflows", "--all-namespaces");
}

/** The part of a workflow that is shown while waiting. */
interface Workflow {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly state?: string; readonly restart?: string };
  readonly status?: {
    readonly state?: string;
    readonly backlog?: number;
    readonly lastSyncTime?: string;
    readonly handledRestart?: string;
    readonly failure?: { readonly reason?: string; readonly message?: string };
  };
}

async function listWorkflows(demo: Demo): Promise<readonly Workflow[]> {
  const text = await kubectl(demo, "get", "integrationworkflows", "--all-namespaces", "--output", "json");
  return (JSON.parse(text) as { items: readonly Workflow[] }).items; // The CRD's schema has checked it.
}

function sayOnce(workflow: Workflow, said: Map<string, string>, report: Report): void {
  const key = `${workflow.metadata.namespace}/${workflow.metadata.name}`;
  const line = describe(workflow);
  if (said.get(key) !== line) report(line);
  said.set(key, line);
}

function describe({ metadata, status }: Workflow): string {
  const name = `${metadata.namespace}/${metadata.name}`;
  const { failure, state = "not yet seen by the operator", backlog } = status ?? {};
  if (state === "FAILED") return `${name} FAILED: ${failure?.reason}: ${failure?.message}`;
  return `${name} ${state}${backlog === undefined ? "" : `, ${backlog} records waiting to be written`}`;
}

function isSettled({ spec, status }: Workflow): boolean {
  if (spec.state !== "Running") return true;
  if (spec.restart !== undefined && spec.restart !== status?.handledRestart) return false;
  return status?.state === "RUNNING" && status.lastSyncTime !== undefined && status.backlog === 0;
}

function kubectl({ kubectl: program, target }: Demo, ...args: readonly string[]): Promise<string> {
  return runTool([program, ...target.kubectlFlags, ...args]);
}

function helm({ helm: program, target }: Demo, ...args: readonly string[]): Promise<string> {
  return runTool([program, ...target.helmFlags, ...args]);
}
