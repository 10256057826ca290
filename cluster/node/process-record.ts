/** Processes as they are told apart over time: a pid alone may be another process's by now. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since boot, as in /proc/PID/stat. */
  readonly startTime: string;
}

/** The processes of a node. */
export interface ProcessRecord {
  /** The process outside the node's namespaces, which everything else ends with. */
  readonly keeper: ProcessIdentity;
  /** The first process of the node's PID namespace: when it ends, the kernel ends all others in there. */
  readonly init?: ProcessIdentity;
}

interface ProcessStatus {
  readonly parent: number;
  readonly startTime: string;
  readonly ended: boolean;
}

function statusOf(pid: number): ProcessStatus | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // proc(5): "pid (name) state ppid ..."; the name may hold anything, also spaces and parentheses.
    const [state = "", parent = "", ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(parent), startTime: rest[17] ?? "", ended: state === "Z" || state === "X" };
  } catch {
    return undefined; // No such process.
  }
}

/** The identity of a live process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const status = statusOf(pid);
  return status === undefined || status.ended ? undefined : { pid, startTime: status.startTime };
}

/** Whether this very process still lives. */
export function lives(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

/** The first live child of a process. */
export function childOf(parent: number): ProcessIdentity | undefined {
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && statusOf(pid)?.parent === parent) return identify(pid);
  }
  return undefined;
}

export function writeProcessRecord(path: string, record: ProcessRecord): void {
  writeFileSync(`${path}.new`, JSON.stringify(record));
  renameSync(`${path}.new`, path);
}

/** The record, if there is one. */
export function readProcessRecord(path: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessRecord; // Only writeProcessRecord writes it, by a rename.
  } catch {
    return undefined; // Not written yet.
  }
}
