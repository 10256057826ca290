/**
 * A command in a worker's pod. kubectl carries it, with the person's own right to `pods/exec`: it knows every way to a pod that
 * a cluster may offer. What it says of its own doing stays here.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { workerContainer } from "../api/worker-pod.ts";
import { type Context, forbiddenBy } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { plain } from "./words.ts";

export interface Ended {
  /** Of the command in the pod. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @throws CommandError when the command was not run at all; the signal's reason */
export async function runInPod({ cluster, signal }: Context, pod: string, command: readonly string[]): Promise<Ended> {
  const tool = process.env["KUBECTL"] || "kubectl";
  const given = [...cluster.kubectlArguments, "exec", pod, "--container", workerContainer, "--", ...command];
  const child = spawn(tool, given, { stdio: ["ignore", "pipe", "pipe"], signal });
  const ended = Promise.withResolvers<number>();
  child.on("error", ended.reject);
  child.on("close", (code) => ended.resolve(code ?? exitCodes.failed));
  try {
    const [code, out, err] = await Promise.all([ended.promise, text(child.stdout), text(child.stderr)]);
    return judged(code, out, err, pod);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof CommandError || !(cause instanceof Error)) throw cause;
    const message = `cannot run ${tool}, which carries the question to the pod: ${cause.message}. Put kubectl on the PATH, or its path in KUBECTL`;
    throw new CommandError(message, exitCodes.failed, { cause });
  }
}

/** kubectl's own last line when the command ran and failed; it then ends with the command's code. */
const ranAndFailed = /^command terminated with exit code (\d+)$/;
/** What kubectl says besides: which container it took, and its log. */
const noise = [/^Defaulted container /, /^[EWIF]\d{4} /];

/**
 * Tells the command's own end from kubectl's. Pure.
 * @throws CommandError when kubectl failed, with its exit code for scripts
 */
export function judged(code: number, out: string, said: string, pod: string): Ended {
  const lines = said.split("\n").filter((line) => line !== "" && !noise.some((pattern) => pattern.test(line)));
  if (code === 0) return { code, out, err: lines.join("\n") };
  const ran = ranAndFailed.exec(lines.at(-1) ?? "");
  const err = lines
    .slice(0, ran === null ? undefined : -1)
    .map(plain)
    .join("\n");
  if (ran !== null) return { code: Number(ran[1]), out, err };
  if (/executable file not found|no such file or directory/.test(said)) {
    throw new CommandError(
      `the image of pod ${pod} has no program to ask: it is another worker than the operator's own`,
      exitCodes.failed,
    );
  }
  // kubectl puts one thing or another before it, and the sentence is always the API server's.
  const [forbidden] = /\S+(?: "[^"]*")? is forbidden: .*/.exec(err) ?? [];
  if (forbidden !== undefined) throw forbiddenBy(forbidden);
  const [, reason, message = ""] = /^Error from server \((\w+)\): (.*)$/s.exec(err) ?? [];
  const gone = reason === "NotFound" ? ": it ended just now, so ask again" : "";
  throw new CommandError(`${message || err.replace(/^error: /, "") || "kubectl failed"}${gone}`, exitCodes.failed);
}
