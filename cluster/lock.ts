import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "./errors.ts";

/**
 * Waits for a lock file and takes it; the result gives it back. A lock whose process has ended is taken over.
 * `onWait` is told once whom this process waits for.
 * @throws ClusterError NotWritable
 */
export async function lock(path: string, onWait: (holder: number) => void): Promise<() => void> {
  for (let said = false; ; ) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (!hasCode(error, "EEXIST"))
        throw new ClusterError("NotWritable", `${path} cannot be written`, { cause: error });
    }
    const holder = lockHolder(path);
    if (holder === undefined) {
      rmSync(path, { force: true });
      continue;
    }
    if (!said) onWait(holder);
    said = true;
    await delay(500);
  }
}

/** The live process that holds the lock. An empty file is a lock whose process ended while it wrote. */
function lockHolder(path: string): number | undefined {
  try {
    const holder = Number(readFileSync(path, "utf8")) || Number.NaN;
    return isAlive(holder) ? holder : undefined;
  } catch {
    return undefined; // Gone since, or never a number: free to take.
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (hasCode(error, "EPERM")) return true; // It lives, and is another user's.
    if (hasCode(error, "ESRCH")) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
