import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface OperatorProcess {
  readonly pid: number | undefined;
  readonly lines: readonly LogLine[];
  /** Resolves with the first line with this message. */
  said(message: string): Promise<LogLine>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  readonly exited: Promise<number | null>;
}

const node = process.execPath;

export interface HowToStart {
  /** Arguments of Node itself. */
  readonly node?: readonly string[];
  /** Another build of the program. */
  readonly main?: string;
}

/** The operator as users run it, with a kubeconfig. Resolves at once: `said("operator started")` says when it is up. */
export async function startOperator(
  kubeconfig: string,
  args: readonly string[],
  how: HowToStart = {},
): Promise<OperatorProcess> {
  const quiet = ["--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0", "--worker-poll", "off"];
  const always = ["--kubeconfig", kubeconfig, "--worker-image", "registry.example/integration-workflow:1.0.0"];
  return startRole(["operator", ...always, ...quiet, ...args], how);
}

/** Any role as a process of its own, with the lines that it logs. */
export function startRole(args: readonly string[], { node: ofNode = [], main = "src/main.ts" }: HowToStart = {}) {
  return watch(spawn(node, [...ofNode, main, ...args], { stdio: ["ignore", "pipe", "inherit"] }));
}

function watch(child: ChildProcess): OperatorProcess {
  const lines: LogLine[] = [];
  const waiters = new Set<() => void>();
  // Not "exit": what it said last may still be on its way then.
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  if (child.stdout === null) throw new Error("the operator's output is not piped");
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(JSON.parse(line) as LogLine);
    for (const wake of waiters) wake();
  });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid,
    lines,
    exited,
    said: (message) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find((line) => line.message === message);
          if (found === undefined) return;
          waiters.delete(look);
          resolve(found);
        };
        waiters.add(look);
        void exited.then((code) =>
          reject(new Error(`the operator ended with ${code} before it said "${message}": ${JSON.stringify(lines)}`)),
        );
        look();
      }),
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
  };
}
