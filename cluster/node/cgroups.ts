/** The cgroup that all pods of a node are in, so that two kubelets on one machine leave each other's pods alone. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "../errors.ts";

/** A mounted cgroup hierarchy: one of version 1's many, or version 2's only one. */
interface Hierarchy {
  readonly mountPoint: string;
  readonly version: 1 | 2;
}

function hierarchies(): Hierarchy[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "cgroup" || type === "cgroup2")
    .map(([, mountPoint = "", type]) => ({ mountPoint, version: type === "cgroup" ? 1 : 2 }));
}

/**
 * Makes the cgroup in every hierarchy, with all controllers that version 2 offers.
 * @throws ClusterError NoCgroup
 */
export function createCgroup(path: string): void {
  for (const { mountPoint, version } of hierarchies()) {
    const folder = join(mountPoint, path);
    try {
      if (version === 1) mkdirSync(folder, { recursive: true });
      else createUnified(mountPoint, folder);
    } catch (cause) {
      const why = "it must be writable, and its root must be the machine's own, not a container's";
      throw new ClusterError("NoCgroup", `No cgroup for pods can be made in ${mountPoint}: ${why}`, { cause });
    }
  }
}

/** A version 2 cgroup gives controllers to those below it only when told to. Beside version 1 it has none. */
function createUnified(mountPoint: string, folder: string): void {
  const controllers = readFileSync(join(mountPoint, "cgroup.controllers"), "utf8").trim();
  if (controllers === "") return;
  const enable = controllers.replaceAll(/\S+/g, "+$&");
  writeFileSync(join(mountPoint, "cgroup.subtree_control"), enable);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "cgroup.subtree_control"), enable);
}

/**
 * Removes the cgroup from every hierarchy once its processes have ended.
 * @throws ClusterError CgroupBusy when some have not after `timeoutSeconds`
 */
export async function removeCgroup(path: string, timeoutSeconds: number): Promise<void> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (const { mountPoint } of hierarchies()) {
    const folder = join(mountPoint, path);
    for (let cause = tryRemove(folder); cause !== undefined; cause = tryRemove(folder)) {
      if (performance.now() > deadline) {
        throw new ClusterError("CgroupBusy", `Processes in ${folder} do not end: look at its cgroup.procs`, { cause });
      }
      await delay(50);
    }
  }
}

/** Removes a cgroup and those below it; the error if one is still in use. */
function tryRemove(folder: string): Error | undefined {
  try {
    if (existsSync(folder)) removeTree(folder);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}
