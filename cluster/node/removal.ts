import { existsSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "../errors.ts";
import { removeCgroup } from "./cgroups.ts";
import { nodeLayout } from "./layout.ts";
import { lives, type ProcessIdentity, readProcessRecord } from "./process-record.ts";

const timeoutSeconds = 30;

/**
 * Ends a node and removes all that it left, also after a crash: its processes (and with them the kernel's namespaces,
 * mounts and links), its cgroups, its state folder. Does nothing if there is no such node.
 * @throws ClusterError StillRunning, CgroupBusy
 */
export async function removeNode(name: string): Promise<void> {
  const layout = nodeLayout(name);
  const { init, keeper } = readProcessRecord(layout.processes) ?? {};
  // The first process before its keeper: then the record still says what is left if this process is ended in between.
  for (const each of [init, keeper]) {
    if (each !== undefined && each.pid !== process.pid) await kill(each);
  }
  await removeCgroup(layout.cgroup, timeoutSeconds);
  if (existsSync(layout.state)) rmSync(layout.state, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

async function kill(process_: ProcessIdentity): Promise<void> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  if (lives(process_)) process.kill(process_.pid, "SIGKILL");
  while (lives(process_)) {
    if (performance.now() > deadline) {
      throw new ClusterError(
        "StillRunning",
        `Process ${process_.pid} was killed and is still there: it waits for the kernel`,
      );
    }
    await delay(20);
  }
}
