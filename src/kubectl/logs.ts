/** What workers log, read with the person's own right to `pods/log`. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { workerContainer } from "../api/worker-pod.ts";
import { ApiError } from "../kubernetes/errors.ts";
import type { ClusterFlags } from "./cluster.ts";
import { aboutOne, type Context, readWorkflow, type Surroundings, withCluster, withClusterFlags } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { plain } from "./words.ts";
import { noWorker, type Pod, podsOf } from "./workers.ts";

interface LogsFlags extends ClusterFlags {
  readonly follow?: true;
  readonly previous?: true;
  readonly tail: number;
}

export function logsCommand(parent: Command, surroundings: Surroundings): Command {
  return withClusterFlags(aboutOne(parent, "logs", "what its workers log"))
    .option("-f, --follow", "go on until they end")
    .option("-p, --previous", "of the container before the last restart")
    .option("--tail <lines>", "how many lines of each; -1 for all", tailOf, 100)
    .action((name: string, flags: LogsFlags) =>
      withCluster(surroundings, flags, (context) => logs(context, name, flags)),
    );
}

function tailOf(text: string): number {
  if (/^(-1|\d{1,9})$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number of lines, or -1 for all.");
}

async function logs(context: Context, name: string, flags: LogsFlags): Promise<void> {
  const workflow = await readWorkflow(context, name);
  const pods = await podsOf(context, name);
  if (pods.length === 0) throw noWorker(workflow);
  const refusals = await Promise.all(pods.map((pod) => logOf(context, pod, flags, pods.length > 1)));
  const refused = refusals.filter((refusal) => refusal !== undefined);
  for (const { message } of refused.slice(1)) context.err.write(`warning: ${message}\n`);
  if (refused[0] === undefined) return;
  if (refused.length === pods.length) throw refused[0];
  context.err.write(`warning: ${refused[0].message}\n`);
}

/** @returns why there is none, when that is a matter of this pod alone */
async function logOf(
  context: Context,
  pod: Pod,
  flags: LogsFlags,
  isNamed: boolean,
): Promise<CommandError | undefined> {
  const { cluster, out, signal, outputClosed } = context;
  const { name } = pod.metadata;
  const query = new URLSearchParams({
    container: workerContainer,
    ...(flags.follow ? { follow: "true" } : {}),
    ...(flags.previous ? { previous: "true" } : {}),
    ...(flags.tail < 0 ? {} : { tailLines: String(flags.tail) }),
  });
  const over = AbortSignal.any([signal, outputClosed]);
  try {
    const stream = await cluster.stream(`/api/v1/namespaces/${cluster.namespace}/pods/${name}/log?${query}`, over);
    for await (const line of linesOf(stream)) {
      const isTaken = out.write(`${isNamed ? `[${name}] ` : ""}${line}\n`);
      if (!isTaken) await once(out, "drain", { signal: over });
    }
    return undefined;
  } catch (error) {
    // Ctrl-C is how one stops following, and `| head` how one stops reading.
    if (over.aborted) return undefined;
    if (!(error instanceof ApiError) || error.status === 403) throw error;
    const hint =
      error.status === 400
        ? `: kubectl iw status ${pod.metadata.labels?.["integrationworkflow.io/workflow"]} says why`
        : "";
    return new CommandError(`${plain(error.said)}${hint}`, exitCodes.failed, { cause: error });
  }
}

/** Whole lines as they come, and what is left at the end; nothing in them may steer a terminal. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield plainLine(line);
  }
  if (rest !== "") yield plainLine(rest);
}

function plainLine(line: string): string {
  return plain(line.replace(/\r$/, "").replaceAll("\t", "    "));
}
