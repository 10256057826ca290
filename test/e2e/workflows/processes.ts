/** The processes behind the pods: the node runs on this machine, so they can be killed as a fault would. */
import { readdirSync, readFileSync } from "node:fs";

/** Every process of this role in the pod, by the cgroup that the kubelet gave it. */
function processesOf(podUid: string, role: string): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return command.includes(role) && readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(`pod${podUid}`);
      } catch {
        return false; // It ended while we looked.
      }
    });
}

/** SIGKILL, at once. @returns how many processes were killed */
export function killProcesses(podUid: string, role: string): number {
  const killed = processesOf(podUid, role);
  for (const pid of killed) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself in between: as dead as we want it.
    }
  }
  return killed.length;
}
