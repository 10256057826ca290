/** Waiting until workflows run, and saying on the way what they do and in the end what they still wait for. */
import { setTimeout as delay } from "node:timers/promises";
import type { Report } from "./build.ts";
import { ClusterError } from "./errors.ts";

/** The part of a workflow that is looked at while waiting. */
export interface Workflow {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly state?: string; readonly type?: string; readonly restart?: string };
  readonly status?: {
    readonly state?: string;
    readonly backlog?: number;
    readonly mappings?: readonly { readonly phase?: string; readonly read?: number; readonly reading?: object }[];
    readonly handledRestart?: string;
    readonly failure?: { readonly reason?: string; readonly message?: string };
  };
}

export interface Patience {
  readonly seconds: number;
  readonly secondsBetweenLooks: number;
  /** The command that tells more about a workflow, up to the flags that name it. */
  readonly describeCommand: string;
}

/**
 * Waits until every workflow that was asked to run says RUNNING and has had nothing left to write, and reports each change.
 * @throws ClusterError NotSettled when the time is up: which have not, and what they say
 */
export async function untilSettled(
  list: () => Promise<readonly Workflow[]>,
  { seconds, secondsBetweenLooks, describeCommand }: Patience,
  report: Report,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  const said = new Map<string, string>();
  const settled = new Set<string>();
  for (;;) {
    const workflows = await list();
    for (const workflow of workflows) {
      sayOnce(workflow, said, report);
      // Once is enough: what comes in later waits for a moment and is written.
      if (isSettled(workflow)) settled.add(keyOf(workflow));
      else if (workflow.status?.state !== "RUNNING") settled.delete(keyOf(workflow));
    }
    const waiting = workflows.filter((workflow) => !settled.has(keyOf(workflow)));
    if (waiting.length === 0) return;
    if (performance.now() > deadline) {
      const first = waiting.find(({ status }) => status?.state === "FAILED") ?? waiting[0];
      const more = `${describeCommand} -n ${first?.metadata.namespace} describe iw ${first?.metadata.name}`;
      throw new ClusterError(
        "NotSettled",
        `Not settled after ${seconds} s: ${waiting.map(describe).join("; ")}. See why: ${more}`,
      );
    }
    await delay(secondsBetweenLooks * 1000);
  }
}

function keyOf({ metadata }: Workflow): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function sayOnce(workflow: Workflow, said: Map<string, string>, report: Report): void {
  const key = keyOf(workflow);
  const line = describe(workflow);
  if (said.get(key) !== line) report(line);
  said.set(key, line);
}

function describe(workflow: Workflow): string {
  const { spec, status } = workflow;
  const name = keyOf(workflow);
  const { failure, state = "not yet seen by the operator", backlog, handledRestart } = status ?? {};
  if (state === "FAILED") return `${name} FAILED: ${failure?.reason}: ${failure?.message}`;
  const restart = spec.restart !== undefined && spec.restart !== handledRestart ? ", about to restart" : "";
  return `${name} ${state}${restart}${backlog === undefined ? "" : `, ${backlog} records waiting to be written`}`;
}

function isSettled({ spec, status }: Workflow): boolean {
  if (spec.state !== "Running") return true;
  if (spec.restart !== undefined && spec.restart !== status?.handledRestart) return false;
  if (status?.state !== "RUNNING" || status.backlog !== 0) return false;
  const { mappings = [] } = status;
  if (mappings.some(({ reading }) => reading !== undefined)) return false;
  // Before its first page is read, nothing waits either. Events may be long in coming.
  return spec.type === "Egress" || mappings.some(({ phase, read = 0 }) => read > 0 || phase === "Disabled");
}
