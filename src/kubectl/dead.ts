/** What only the worker itself can tell: the fate of a record, and dead letters. */
import type { Command } from "commander";
import {
  aboutOne,
  type CommonFlags,
  type Context,
  readWorkflow,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { runInPod } from "./exec.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { asData } from "./output.ts";
import { plain } from "./words.ts";
import { noWorker, podsOf } from "./workers.ts";

/** Where the program is in the operator's image, and in any that honours the contract by being built on it. */
const program = "integration-workflow";

interface RecordFlags extends CommonFlags {
  readonly mapping?: string;
  readonly look?: true;
}

export function whyCommand(parent: Command, surroundings: Surroundings): Command {
  return withCommonFlags(aboutOne(parent, "why", "what became of one record"))
    .argument("<key>", "its id in Dynamics 365, or its key in Campaign")
    .option("--mapping <table>", "only in this mapping")
    .option("--look", "ask Campaign too")
    .action((name: string, key: string, flags: RecordFlags) =>
      withCluster(surroundings, flags, (context) =>
        askWorker(context, name, flags, [
          "record",
          ...given(flags, "mapping"),
          ...(flags.look ? ["--look"] : []),
          "--",
          key,
        ]),
      ),
    );
}

interface DeadFlags extends CommonFlags {
  readonly mapping?: string;
  readonly reason?: string;
  readonly limit?: string;
  readonly before?: string;
  readonly all?: true;
  readonly yes?: true;
}

export function deadCommand(parent: Command, surroundings: Surroundings): Command {
  const dead = parent.command("dead").description("records that were refused for good");
  withCommonFlags(aboutOne(dead, "list", "which, and why"))
    .option("--mapping <table>", "only of this mapping")
    .option("--reason <reason>", "only with this reason")
    .option("--limit <n>", "how many at most, up to 1000; else 50")
    .option("--before <place>", "go on where an earlier list ended")
    .action((name: string, flags: DeadFlags) =>
      withCluster(surroundings, flags, (context) => {
        const question = ["dead-letters", ...given(flags, "mapping", "reason", "limit", "before")];
        return askWorker(context, name, flags, question, exitCodes.done);
      }),
    );
  withCommonFlags(aboutOne(dead, "show", "one of them"))
    .argument("<key>", "its id in Dynamics 365, or its key in Campaign")
    .option("--mapping <table>", "only in this mapping")
    .action((name: string, key: string, flags: DeadFlags) =>
      withCluster(surroundings, flags, (context) =>
        askWorker(context, name, flags, ["record", ...given(flags, "mapping"), "--", key]),
      ),
    );
  withCommonFlags(aboutOne(dead, "redrive", "reads them again and tries to write them, when the cause is mended"))
    .argument("[key]", "of one of them")
    .option("--mapping <table>", "all of this mapping")
    .option("--reason <reason>", "all with this reason")
    .option("--all", "all there are")
    .option("--yes", "also make records again that somebody removed in Campaign; never during a privacy request")
    .action((name: string, key: string | undefined, flags: DeadFlags) => {
      if ((key ?? flags.mapping ?? flags.reason) === undefined && !flags.all)
        throw new CommandError("say which: a key, --mapping, --reason, or --all", exitCodes.usage);
      return withCluster(surroundings, flags, (context) => {
        const question = [
          ...given(flags, "mapping", "reason"),
          ...(flags.all ? ["--all"] : []),
          ...(flags.yes ? ["--yes"] : []),
          ...(key === undefined ? [] : ["--", key]),
        ];
        const nothing = key === undefined ? exitCodes.done : exitCodes.notFound;
        return askWorker(context, name, flags, ["dead-letters", "redrive"], nothing, question);
      });
    });
  return dead;
}

function given(flags: DeadFlags, ...names: readonly ("mapping" | "reason" | "limit" | "before")[]): readonly string[] {
  return names.flatMap((name) => (flags[name] === undefined ? [] : [`--${name}`, flags[name]]));
}

/** @param nothing how the program ends when there is nothing of that kind */
async function askWorker(
  context: Context,
  name: string,
  { output }: CommonFlags,
  [command = "", ...words]: readonly string[],
  nothing: number = exitCodes.notFound,
  more: readonly string[] = [],
): Promise<void> {
  const workflow = await readWorkflow(context, name);
  const pods = await podsOf(context, name);
  const running = pods.find(
    ({ status, metadata }) => status?.phase === "Running" && metadata.deletionTimestamp === undefined,
  );
  if (running === undefined) throw noWorker(workflow);
  const form = output === "json" || output === "yaml" ? ["--output", "json"] : [];
  const { name: pod } = running.metadata;
  const { code, out, err } = await runInPod(context, pod, [program, command, ...words, ...form, ...more]);
  context.out.write(
    output === "yaml" && out !== "" ? asData("yaml", JSON.parse(out)) : output === "json" ? out : hereFor(out, name),
  );
  if (err !== "" && code < 2) context.err.write(`${err}\n`);
  if (code !== 0) throw endOf(code, err, nothing, name);
}

/** What to do next, as it is done from here. */
function hereFor(answer: string, name: string): string {
  const lines = answer.split("\n").map(plain).join("\n");
  return lines
    .replaceAll(`${program} dead-letters redrive`, `kubectl iw dead redrive ${name}`)
    .replaceAll(`${program} dead-letters`, `kubectl iw dead list ${name}`)
    .replaceAll(`${program} record`, `kubectl iw why ${name}`);
}

/** The worker's command ends with 1 for nothing found, 2 for a wrong question, 3 for no answer; a signal counts from 128 on. */
function endOf(code: number, err: string, nothing: number, name: string): CommandError {
  const said = err.replace(/^error: /, "");
  if (code === 1) return new CommandError("", nothing);
  if (code === 2) return new CommandError(said, exitCodes.usage);
  if (code === 137) {
    const message = `the question was killed in the pod, probably for want of memory: raise worker.resources.limits.memory of ${name}, and restart it`;
    return new CommandError(message, exitCodes.failed);
  }
  return new CommandError(said || `the question ended in the pod with exit code ${code}`, exitCodes.failed);
}
