import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface OperatorProcess {
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

/** The operator as users run it, with a kubeconfig. Resolves at once: `said("operator started")` says when it is up. */
export async function startOperator(kubeconfig: string, args: readonly string[]): Promise<OperatorProcess> {
  const quiet = ["--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0", "--worker-poll", "off"];
  const always = ["--kubeconfig", kubeconfig, "--worker-image", "registry.example/integration-workflow:1.0.0"];
  const child = spawn(node, ["src/main.ts", "operator", ...always, ...quiet, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return watch(child);
}

function watch(child: ChildProcess): OperatorProcess {
  const lines: LogLine[] = [];
  const waiters = new Set<() => void>();
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
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
