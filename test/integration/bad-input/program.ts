/** The program as users start it, and all that it said. */
import { spawn } from "node:child_process";
import { once } from "node:events";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

interface Ended {
  readonly code: number | string;
  /** What a person reads: the usage error, or what the last log line says is wrong. */
  readonly message: string;
  readonly output: string;
}

export interface Program {
  readonly output: string;
  readonly lines: readonly Line[];
  readonly ended: Promise<Ended>;
  stop(): Promise<Ended>;
}

/** Nothing of the variables around the tests reaches the program. */
const bare = { PATH: process.env["PATH"] ?? "" };

export function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const child = spawn(process.execPath, ["src/main.ts", ...args], { env: { ...bare, ...environment } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = once(child, "close").then(([code, signal]): Ended => {
    return { code: code ?? signal, message: complaint(output), output };
  });
  return {
    get output() {
      return output;
    },
    get lines() {
      return linesOf(output);
    },
    ended,
    stop: () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      return ended;
    },
  };
}

export function run(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Ended> {
  return start(args, environment).ended;
}

function linesOf(output: string): readonly Line[] {
  // Of the last one, its end may be yet to come.
  const whole = output.split("\n").slice(0, -1);
  return whole.filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => JSON.parse(line));
}

function complaint(output: string): string {
  const last = linesOf(output).findLast(({ level }) => level === "error");
  return last?.message ?? output.split("\n")[0] ?? "";
}
