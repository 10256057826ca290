import { Argument, Command, InvalidArgumentError } from "commander";
import { workerPort } from "../../api/worker-contract.ts";
import { type AddressFlag, addressFlag, flag, listenAddress } from "../../telemetry/flags.ts";
import {
  type DeadLettersAnswer,
  longestKeyCharacters,
  type RecordsAnswer,
  type RedriveAnswer,
  type RedriveQuestion,
} from "./answers.ts";
import { askWorker, NoAnswerError } from "./client.ts";
import { deadLettersText, isFound, recordsText } from "./text.ts";

/** `nothing`: the question is answered, and there is nothing of what was asked for. */
const exitCodes = { found: 0, nothing: 1, wrongQuestion: 2, noAnswer: 3 } as const;
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

interface AskFlags {
  readonly address: AddressFlag;
  readonly output: "text" | "json";
}

const endings = "Exit codes: 0 found or done, 1 nothing of that kind, 2 asked wrongly, 3 the worker did not answer.";

/** `integration-workflow record <key>`: asks the worker in the same pod what became of a record. */
export function recordCommand(stop: AbortSignal): Command {
  return asking("record", "says what became of one record, and what to do next")
    .addArgument(keyArgument("<key>"))
    .option("--mapping <table>", "only in this mapping", nonEmpty)
    .option("--look", "ask Campaign too whether it has the key now: one engine call for each mapping")
    .action((key: string, flags: AskFlags & { mapping?: string; look?: true }) =>
      answer(async () => {
        const query = queryOf({ key, mapping: flags.mapping, look: flags.look && "true" });
        const found = await askWorker<RecordsAnswer>(placeOf(flags), `/records?${query}`, undefined, stop);
        print(flags, found, recordsText(found));
        return found.records.some(isFound) ? exitCodes.found : exitCodes.nothing;
      }),
    );
}

/** `integration-workflow dead-letters [redrive]`. */
export function deadLettersCommand(stop: AbortSignal): Command {
  return asking("dead-letters", "lists the records that were refused for good, the newest first")
    .enablePositionalOptions()
    .option("--mapping <table>", "only of this mapping", nonEmpty)
    .option("--reason <reason>", "only with this reason", nonEmpty)
    .option("--limit <n>", "how many at most, up to 1000", nonEmpty, "50")
    .option("--before <place>", "go on where an earlier list ended", nonEmpty)
    .action((flags: AskFlags & Readonly<Record<"mapping" | "reason" | "limit" | "before", string | undefined>>) =>
      answer(async () => {
        const { mapping, reason, limit, before } = flags;
        const path = `/dead-letters?${queryOf({ mapping, reason, limit, before })}`;
        const list = await askWorker<DeadLettersAnswer>(placeOf(flags), path, undefined, stop);
        print(flags, list, deadLettersText(list));
        return list.counts.length > 0 ? exitCodes.found : exitCodes.nothing;
      }),
    )
    .addCommand(redriveCommand(stop));
}

interface RedriveFlags extends AskFlags {
  readonly mapping?: string;
  readonly reason?: string;
  readonly all?: true;
  readonly yes?: true;
}

function redriveCommand(stop: AbortSignal): Command {
  return asking("redrive", "reads refused records again and tries to write them")
    .addArgument(keyArgument("[key]"))
    .option("--mapping <table>", "all of this mapping", nonEmpty)
    .option("--reason <reason>", "all with this reason", nonEmpty)
    .option("--all", "all there are")
    .option("--yes", "also make records again that somebody removed in Campaign; never during a privacy request")
    .action((key: string | undefined, flags: RedriveFlags) =>
      answer(async () => {
        const { mapping, reason, all = false, yes = false } = flags;
        const question: RedriveQuestion = {
          all,
          makeRemovedAgain: yes,
          ...(key === undefined ? {} : { key }),
          ...(mapping === undefined ? {} : { mapping }),
          ...(reason === undefined ? {} : { reason }),
        };
        if ((key ?? mapping ?? reason) === undefined && !all) {
          throw new NoAnswerError("say which: a key, --mapping, --reason, or --all", true);
        }
        const done = await askWorker<RedriveAnswer>(placeOf(flags), "/dead-letters/redrive", question, stop);
        print(flags, done, `${done.message}\n`);
        return done.redriven > 0 ? exitCodes.found : exitCodes.nothing;
      }),
    );
}

function asking(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addHelpText("after", `\n${endings}`)
    .addOption(addressFlag("--address <address>", "where the worker of this pod listens", workerPort))
    .addOption(flag("--output <form>", "how to answer").choices(["text", "json"]).default("text"));
}

function keyArgument(name: string): Argument {
  const description = "a Dataverse id, or a value of the mapping's key field in Campaign";
  return new Argument(name, description).argParser((text) => {
    if (text.length <= longestKeyCharacters) return nonEmpty(text);
    throw new InvalidArgumentError(`no key has more than ${longestKeyCharacters} characters`);
  });
}

function nonEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("it is empty");
  return text;
}

function placeOf({ address }: AskFlags) {
  const place = listenAddress(address);
  if (place === undefined)
    throw new NoAnswerError("the worker listens nowhere (--address 0), so it cannot be asked", true);
  return place;
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return new URLSearchParams(entries).toString();
}

function print({ output }: AskFlags, answered: unknown, text: string): void {
  process.stdout.write(output === "json" ? `${JSON.stringify(answered, undefined, 2)}\n` : text);
}

async function answer(ask: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await ask();
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = error.isQuestion ? exitCodes.wrongQuestion : exitCodes.noAnswer;
  }
}
