/** What the contract says of a status, and what kstatus, by which Flux and Helm judge, takes it for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import type { ManagedFieldsEntry } from "../../../src/kubernetes/objects.ts";

export type Judged = Pick<IntegrationWorkflow, "apiVersion" | "kind" | "spec" | "status"> & {
  readonly metadata: Pick<IntegrationWorkflow["metadata"], "name" | "generation" | "deletionTimestamp">;
};

interface Managed {
  readonly metadata: { readonly managedFields?: readonly ManagedFieldsEntry[] };
  readonly status?: unknown;
}

export type Verdict = "Current" | "InProgress" | "Failed" | "Terminating";

/** @param program the kstatus of cluster/modules/kstatus */
async function kstatusOf(
  program: string,
  resources: readonly Judged[],
): Promise<{ status: string; message: string }[]> {
  const child = spawn(program, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "close");
  child.stdin.end(resources.map((resource) => `${JSON.stringify(resource)}\n`).join(""));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  if (code !== 0) throw new Error(`kstatus ended with ${code}: ${err}`);
  return out
    .trimEnd()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** The table of the contract: Ready, Running, Reconciling, Stalled. A `*` is as the pods are. */
const rows = {
  unseen: "Unknown Unknown - -",
  starting: "False False True False",
  running: "True True False False",
  stopping: "False * True False",
  stopped: "True False False False",
  failed: "False False False True",
};

function rowOf({ spec, status = {} }: Judged): keyof typeof rows {
  const reason = conditionOf(status, "Ready")?.reason;
  if (status.state === undefined) return "unseen";
  if (reason === "Stopping") return "stopping";
  switch (status.state) {
    case "STOPPED":
      return "stopped";
    case "STARTING":
      return "starting";
    case "FAILED":
      return spec.state === "Running" ? "failed" : "stopping";
    case "RUNNING":
      // What was asked for is not so yet.
      return spec.state === "Running" && !isRestartDue(spec, status) ? "running" : "stopping";
  }
}

function isRestartDue({ restart }: Judged["spec"], { handledRestart }: NonNullable<Judged["status"]>): boolean {
  return restart !== undefined && restart !== handledRestart;
}

const verdicts: Readonly<Record<keyof typeof rows, Verdict>> = {
  unseen: "InProgress",
  starting: "InProgress",
  running: "Current",
  stopping: "InProgress",
  stopped: "Current",
  failed: "Failed",
};

/** What a GitOps tool must take the workflow for. */
export function verdictOfContract(workflow: Judged): Verdict {
  const { metadata, status } = workflow;
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  // What it says is not of what is asked for now.
  if (status?.observedGeneration !== metadata.generation) return "InProgress";
  return verdicts[rowOf(workflow)];
}

/** In this order, each once; the last three only where they ever applied. */
const order = [
  ...["Ready", "Running", "Reconciling", "Stalled", "RestartRequired"],
  ...["SchemaDrift", "LimitsOvercommitted", "Throttled"],
];

/** What is wrong with a status by the contract itself; empty: nothing. */
export function faultsOf(workflow: Judged): readonly string[] {
  const { metadata, status = {} } = workflow;
  const { observedGeneration, conditions = [], state } = status;
  if (state === undefined) return [];
  const faults: string[] = [];
  const types = conditions.map(({ type }) => type);
  const inOrder = order.filter((type) => types.includes(type));
  if (types.join() !== inOrder.join()) faults.push(`conditions are in the order ${types}, not ${inOrder}`);
  for (const type of order.slice(0, 5)) if (!types.includes(type)) faults.push(`there is no condition ${type}`);
  for (const condition of conditions) {
    const { type, reason, message } = condition;
    if (condition.observedGeneration === undefined) faults.push(`${type} has no observedGeneration`);
    if (!/^[A-Z][A-Za-z0-9]*$/.test(reason)) faults.push(`${type} has the reason ${reason}`);
    if (message === "") faults.push(`${type} has no message`);
  }
  for (const { type, observedGeneration: of } of conditions.slice(0, 5)) {
    if (of !== observedGeneration) faults.push(`${type} speaks of generation ${of}, status of ${observedGeneration}`);
  }
  // The rest is said of the spec that was seen.
  if (observedGeneration !== metadata.generation) return faults;
  const expected = rows[rowOf(workflow)];
  const words = order.slice(0, 4).map((type) => conditionOf(status, type)?.status ?? "-");
  const row = words.map((word, index) => (expected.split(" ")[index] === "*" ? "*" : word)).join(" ");
  if (row !== expected) faults.push(`${rowOf(workflow)} is ${row}, not ${expected}`);
  return faults;
}

function conditionOf({ conditions }: NonNullable<Judged["status"]>, type: string) {
  return conditions?.find((condition) => condition.type === type);
}

/** Each status that the contract, or kstatus, takes for something else than the contract says; empty: none. */
export async function misjudged(program: string, workflows: readonly Judged[]): Promise<readonly object[]> {
  const answers = await kstatusOf(program, workflows);
  if (answers.length !== workflows.length)
    throw new Error(`${answers.length} verdicts on ${workflows.length} statuses`);
  return workflows.flatMap((workflow, index) => {
    const expected = verdictOfContract(workflow);
    const { status: verdict } = answers[index] ?? {};
    const faults = faultsOf(workflow);
    if (verdict === expected && faults.length === 0) return [];
    const { state, restart } = workflow.spec;
    return [
      { expected, verdict, faults, metadata: workflow.metadata, spec: { state, restart }, status: workflow.status },
    ];
  });
}

/** Whether it has a status, and nobody but this manager has written it. A definition without a schema gives it none. */
export function isStatusOf(manager: string, { metadata: { managedFields = [] }, status }: Managed): boolean {
  if (status === undefined) return false;
  return managedFields.every((entry) => entry.subresource !== "status" || entry.manager === manager);
}
