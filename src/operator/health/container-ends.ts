import type { ContainerEnd, SeenMetadata } from "../sight/snapshot.ts";
import { parseLastWords } from "./last-words.ts";
import { quote } from "./quote.ts";

/** How a container's program ended. */
export interface End {
  readonly kind: "NotStarted" | "OutOfMemory" | "Killed" | "Ended";
  /** Its last words, or what was said of it; "" when there is nothing. */
  readonly said: string;
}

export function endOf(ended: ContainerEnd): End {
  const said = lastSaid(ended.message);
  if (ended.reason === "StartError" || ended.reason === "ContainerCannotRun" || isWrongFormat(said)) {
    return { kind: "NotStarted", said: startError(said) };
  }
  if (ended.reason === "OOMKilled") return { kind: "OutOfMemory", said };
  // 128 and a signal's number: SIGKILL, SIGTERM.
  if (ended.exitCode === 137 || ended.exitCode === 143) return { kind: "Killed", said };
  return { kind: "Ended", said };
}

/** The image is for processors of another kind than the node's. Source: what runc writes to the container's log. */
export function isWrongFormat(said: string): boolean {
  return said.includes("exec format error");
}

const speaksOfError = /error|fatal|panic|exception|cannot|denied|no such file/i;

/** runc's own words, without those of everybody who passed them on. */
function startError(said: string): string {
  return said.replace(/^.*unable to start container process: /s, "");
}

/**
 * The last words as the worker contract has them; or what a program left by itself (the kubelet takes the end of the log
 * where there are no last words): the last line that speaks of an error, else the last.
 */
function lastSaid(message: string): string {
  const words = parseLastWords(message);
  if (words !== undefined) return `${words.reason === "Unknown" ? "" : `${words.reason}: `}${quote(words.message)}`;
  const lines = message.split("\n").filter((line) => line.trim() !== "" && !/^\s+at /.test(line)); // No stack traces.
  const line = lines.findLast((text) => speaksOfError.test(text)) ?? lines.at(-1) ?? "";
  const logged = parseLastWords(line);
  return quote(logged === undefined || logged.message === "" ? line : logged.message);
}

export function saying(said: string): string {
  return said === "" ? "said nothing" : `said: ${said}`;
}

/** The command that shows the log of the container that ended. */
export function logsOf({ name, namespace }: SeenMetadata): string {
  return `kubectl logs -n ${namespace} ${name} --previous shows its log`;
}

/** A container that a signal ended; nobody writes down who sent it, so it is said who does. */
export function killed({ exitCode }: ContainerEnd, { name, namespace }: SeenMetadata): string {
  return `killed (exit code ${exitCode}), as the kubelet does with one that does not answer its probes on /livez: kubectl describe pod -n ${namespace} ${name} then says "probe failed", and kubectl logs --previous what it was doing`;
}

/** How the container before the present one ended, for a worker that is up again and not ready. */
export function endedBefore(ended: ContainerEnd, metadata: SeenMetadata): string {
  const { kind, said } = endOf(ended);
  switch (kind) {
    case "OutOfMemory":
      return "ran out of memory and was killed: worker.resources.limits.memory may be too low";
    case "Killed":
      return `was ${killed(ended, metadata)}`;
    default:
      return `ended with exit code ${ended.exitCode}, and ${saying(said)}`;
  }
}
