import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "./errors.ts";

/**
 * Waits for a lock file and takes it; the result gives it back. A lock whose process has ended is taken over.
 * `onWait` is told once whom this process waits for.
 * @throws ClusterError NotWritable
 */
export async function lock(path: string, onWait: (holder: number) => void): Promise<() => void> {
  for (let said = false; ; ) {
    const taken = tryLock(path);
    if (typeof taken === "function") return taken;
    if (!said) onWait(taken);
    said = true;
    await delay(500);
  }
}

/**
 * The same without waiting.
 * @returns what gives the lock back, or the process that holds it
 * @throws ClusterError NotWritable
 */
export function tryLock(path: string): (() => void) | number {
  const draft = `${path}.${process.pid}`;
  try {
    for (;;) {
      if (linked(draft, path)) return () => rmSync(path, { force: true });
      const holder = lockHolder(path);
      if (holder !== undefined) return holder;
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Written before it has its name: nobody sees a lock without its holder. */
function linked(draft: string, path: string): boolean {
  try {
    writeFileSync(draft, String(process.pid));
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw new ClusterError("NotWritable", `${path} cannot be written`, { cause: error });
  }
}

/** The live process that holds the lock. A file that names none is nobody's. */
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
