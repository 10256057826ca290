/** The last lines of a workflow's workers, by the rights of the person who asks. */
import type { V1Pod } from "@kubernetes/client-node";
import { labels } from "../api/group.ts";
import { isRecord } from "../api/json.ts";
import { ApiError, isForbidden } from "../kubernetes/errors.ts";
import type { ResourceKind, Stored } from "../kubernetes/objects.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import type { Person } from "./person.ts";

const pods: ResourceKind<Stored<V1Pod>> = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };
const workerContainer = "worker";
const mostPods = 4;
const mostLines = 200;
/** Of one container: 200 lines of the worker are far below. */
const mostBytes = 256 * 1024;

export interface ContainerLog {
  readonly pod: string;
  /** Of the container before the last restart. */
  readonly isEarlier: boolean;
  /** The oldest first; or what the API server said instead. */
  readonly lines: readonly string[];
  readonly refused?: string;
}

export interface Logs {
  readonly containers: readonly ContainerLog[];
  /** What the person may not get, as RBAC names it. */
  readonly missingRight: "pods" | "pods/log" | undefined;
}

export async function logsOf({ reader }: Person, { metadata }: LiveWorkflow): Promise<Logs> {
  const { namespace, name } = metadata;
  try {
    const { items } = await reader.list(pods, { namespace, labelSelector: `${labels.workflow}=${name}` });
    const newest = items
      .sort((one, other) => createdAt(other) - createdAt(one) || one.metadata.name.localeCompare(other.metadata.name))
      .slice(0, mostPods);
    const asked = newest.flatMap((pod) => {
      const worker = pod.status?.containerStatuses?.find((container) => container.name === workerContainer);
      const earlier = (worker?.restartCount ?? 0) > 0 ? [true] : [];
      return [false, ...earlier].map((isEarlier) => ({ pod: pod.metadata.name, isEarlier }));
    });
    const containers = await Promise.all(
      asked.map(async ({ pod, isEarlier }) => ({
        pod,
        isEarlier,
        ...(await linesOf(reader, namespace, pod, isEarlier)),
      })),
    );
    return { containers, missingRight: undefined };
  } catch (error) {
    if (error instanceof MissingRight) return { containers: [], missingRight: "pods/log" };
    if (isForbidden(error)) return { containers: [], missingRight: "pods" };
    throw error;
  }
}

/** The log itself is another right than the pods are. */
class MissingRight extends Error {}

async function linesOf(
  reader: Person["reader"],
  namespace: string,
  pod: string,
  previous: boolean,
): Promise<Pick<ContainerLog, "lines" | "refused">> {
  const query = new URLSearchParams({
    container: workerContainer,
    tailLines: String(mostLines),
    limitBytes: String(mostBytes),
    ...(previous && { previous: "true" }),
  });
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
  try {
    const text = await reader.getText(`${path}?${query}`);
    return { lines: text.slice(-mostBytes).split("\n").filter(Boolean).map(readable) };
  } catch (error) {
    if (isForbidden(error)) throw new MissingRight("pods/log", { cause: error });
    // It has not begun, its node does not answer, or it went meanwhile: what the API server says is worth a line.
    if (error instanceof ApiError) return { lines: [], refused: error.said };
    throw error;
  }
}

/** A line of the worker's JSON as people read logs, without what the page says already; any other as it is. */
function readable(line: string): string {
  try {
    const { timestamp, level, message, role: _, workflow: __, ...fields } = JSON.parse(line) as Record<string, unknown>; // Checked below.
    if (typeof timestamp !== "string" || typeof level !== "string" || typeof message !== "string") return line;
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
    return [timestamp, level, message, ...rest].join("  ");
  } catch {
    return line;
  }
}

/** Of an error its code and message: where in the program it came about is in the log itself. */
function fieldText(value: unknown): string {
  if (typeof value === "string") return value;
  if (isRecord(value) && typeof value["message"] === "string" && "stack" in value) {
    return `${String(value["code"] ?? value["name"] ?? "Error")}: ${value["message"]}`;
  }
  return JSON.stringify(value);
}

function createdAt({ metadata }: Stored<V1Pod>): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}
