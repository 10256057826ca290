/** Processes that end with the one that started them, whatever ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { ClusterError } from "./errors.ts";

/** A child process that does not outlive its parent. Its output goes to `logPath`. */
export interface BoundProcess {
  readonly name: string;
  readonly logPath: string;
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended, or could not be started. */
  readonly ended: Promise<void>;
  /** True until the process has ended. */
  running(): boolean;
  /** Asks the process to end, kills it after `graceMilliseconds`, and resolves when it is gone. */
  stop(graceMilliseconds: number): Promise<void>;
  /** Kills the process as a crash would, and resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Starts a command bound to this process: on Linux the kernel kills it when this process dies, even by SIGKILL
 * (prctl PR_SET_PDEATHSIG, by util-linux's setpriv). Elsewhere it ends when this process exits in its own way.
 */
export function startBound(
  name: string,
  command: readonly string[],
  logPath: string,
  environment: NodeJS.ProcessEnv = process.env,
): BoundProcess {
  const [file = "", ...args] = process.platform === "linux" ? ["setpriv", "--pdeathsig", "KILL", ...command] : command;
  const log = openSync(logPath, "a");
  const child = spawn(file, args, { stdio: ["ignore", log, log], env: environment });
  closeSync(log);
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const ended = new Promise<void>((resolve) => {
    const settle = (): void => {
      process.removeListener("exit", killAtExit);
      resolve();
    };
    child.once("exit", settle);
    child.once("error", settle); // Could not be started: running() says so, and the log stays empty.
  });
  const running = (): boolean => isRunning(child);
  return {
    name,
    logPath,
    pid: child.pid,
    ended,
    running,
    stop: async (graceMilliseconds) => {
      if (!running()) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMilliseconds);
      await ended;
      clearTimeout(timer);
    },
    kill: async () => {
      if (!running()) return;
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/**
 * Waits until `ready` resolves to true, asking every 50 ms.
 * @throws ClusterError ProcessEnded when the process ends first, NotReady at the deadline; both quote the end of its log
 */
export async function untilReady(
  started: BoundProcess,
  ready: () => Promise<boolean>,
  timeoutSeconds: number,
): Promise<void> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  while (!(await ready())) {
    if (!started.running()) {
      throw new ClusterError("ProcessEnded", `${started.name} ended while it started:\n${lastLines(started.logPath)}`);
    }
    if (performance.now() > deadline) {
      const waited = `${started.name} was not ready after ${timeoutSeconds} s`;
      throw new ClusterError("NotReady", `${waited}; its log is ${started.logPath}:\n${lastLines(started.logPath)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The last 15 lines of a log. */
function lastLines(logPath: string): string {
  return readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-15).join("\n");
}
