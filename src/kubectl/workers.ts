/** The pods of a workflow, as the person may see them. */
import type { V1Pod } from "@kubernetes/client-node";
import { labels } from "../api/group.ts";
import { isRecord } from "../api/json.ts";
import { workerContainer } from "../api/worker-pod.ts";
import type { ResourceKind, Stored } from "../kubernetes/objects.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import type { Context } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { age, plain } from "./words.ts";

export type Pod = Stored<V1Pod>;

const pods: ResourceKind<Pod> = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

/** By name. */
export async function podsOf({ cluster, signal }: Context, name: string): Promise<readonly Pod[]> {
  const query = { namespace: cluster.namespace, labelSelector: `${labels.workflow}=${name}` };
  const { items } = await cluster.reader.list(pods, query, { signal });
  return items.sort((one, other) => one.metadata.name.localeCompare(other.metadata.name));
}

export function noWorker({ metadata: { name }, status }: LiveWorkflow): CommandError {
  return new CommandError(
    `no worker of ${name} runs (it is ${status?.state ?? "not seen yet"}), and only a worker knows: kubectl iw status ${name}`,
    exitCodes.failed,
  );
}

/** A worker in the words of a row: its name, how it is, its restarts and its node. Pure. */
export function workerRow(pod: Pod): readonly string[] {
  const { metadata, spec, status } = pod;
  const worker = containerOf(pod);
  const waits = worker?.state?.waiting?.reason;
  const isEnding = metadata.deletionTimestamp !== undefined;
  const how = isEnding ? "ending" : worker?.ready === true ? "ready" : (waits ?? status?.phase ?? "Unknown");
  return [metadata.name, how, String(worker?.restartCount ?? 0), spec?.nodeName ?? "(no node)"];
}

/** What a worker said when it ended last; undefined when it never did. Pure. */
export function lastWords(pod: Pod, nowMs: number): string | undefined {
  const worker = containerOf(pod);
  const ended = worker?.state?.terminated ?? worker?.lastState?.terminated;
  return ended && endOf(ended, nowMs);
}

function containerOf({ status }: Pod) {
  return status?.containerStatuses?.find(({ name }) => name === workerContainer);
}

interface Terminated {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly finishedAt?: string;
}

function endOf({ exitCode, reason, message, finishedAt }: Terminated, nowMs: number): string {
  const when = finishedAt === undefined ? "" : `${age(finishedAt, nowMs)} ago, `;
  const said = [reasonIn(message), exitCode === 0 || reason === "Error" ? undefined : reason].find(Boolean);
  return `${when}exit code ${exitCode}${said === undefined ? "" : `: ${plain(said)}`}`;
}

function reasonIn(message = ""): string | undefined {
  try {
    const words: unknown = JSON.parse(message);
    if (!isRecord(words)) return message;
    return ["reason", "message"]
      .map((key) => words[key])
      .filter((word) => typeof word === "string")
      .join(": ");
  } catch {
    return message.trim().split("\n").at(-1);
  }
}
