#!/usr/bin/env node
/** `kubectl integrationworkflow`, in short `kubectl iw`: the workflows at a terminal. */
import { basename } from "node:path";
import { Command, CommanderError } from "commander";
import { systemClock } from "../telemetry/clock.ts";
import { shutdownSignal } from "../telemetry/shutdown.ts";
import { completionCommands } from "./completion.ts";
import { refusalOf, type Surroundings, withCommonFlags } from "./context.ts";
import { deadCommand, whyCommand } from "./dead.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { diffCommand, historyCommand, rollbackCommand } from "./history.ts";
import { listCommand } from "./list.ts";
import { logsCommand } from "./logs.ts";
import { publishCommand } from "./publish.ts";
import { replayCommand } from "./replay.ts";
import { statusCommand } from "./status.ts";
import { switchCommands } from "./switching.ts";
import { plain } from "./words.ts";

/** The build puts it in. */
declare const PLUGIN_VERSION: string | undefined;

const endings = `Exit codes: 0 done, 1 failed, 2 asked wrongly, 3 not found, 4 --wait ended by --timeout, 5 --wait ended because the
workflow FAILED, 6 forbidden, 130 Ctrl-C.`;

function programOf(surroundings: Surroundings): Command {
  const version = typeof PLUGIN_VERSION === "string" ? PLUGIN_VERSION : "from its sources";
  const program = withCommonFlags(new Command("kubectl iw"))
    .description("Integration workflows between Dynamics 365 and Adobe Campaign: what they do, and steering them")
    .version(`kubectl-iw ${version} (Node ${process.versions.node})`)
    .addHelpText("after", `\n${endings}`)
    .enablePositionalOptions()
    .hook("preAction", flagsInFront);
  listCommand(program, surroundings);
  statusCommand(program, surroundings);
  switchCommands(program, surroundings);
  diffCommand(program, surroundings);
  historyCommand(program, surroundings);
  rollbackCommand(program, surroundings);
  replayCommand(program, surroundings);
  publishCommand(program, surroundings);
  logsCommand(program, surroundings);
  whyCommand(program, surroundings);
  deadCommand(program, surroundings);
  completionCommands(program, surroundings);
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().showHelpAfterError("(--help shows what there is)");
  }
  return program;
}

/** `kubectl iw -n crm list` is `kubectl iw list -n crm`. */
function flagsInFront(program: Command, command: Command): void {
  for (const [name, value] of Object.entries(program.opts())) {
    if (command.getOptionValue(name) === undefined) command.setOptionValue(name, value);
  }
}

/** @returns the exit code */
async function main(): Promise<number> {
  const signal = shutdownSignal();
  const outputClosed = new AbortController();
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return outputClosed.abort();
    process.stderr.write(`error: cannot write the answer: ${error.message}\n`);
    process.exit(exitCodes.failed);
  });
  // Nobody is left to be told.
  process.stderr.on("error", () => {});
  const [, invoked = "", ...given] = process.argv;
  // kubectl asks a program of that name what to offer next.
  const words = basename(invoked).startsWith("kubectl_complete-") ? ["__complete", ...given] : given;
  try {
    const { stdout: out, stderr: err } = process;
    const surroundings = { out, err, signal, outputClosed: outputClosed.signal, clock: systemClock, now: Date.now };
    await programOf(surroundings).parseAsync(words, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error === signal.reason) return exitCodes.interrupted;
    return saidBy(error);
  }
}

/** Commander has said what is wrong by itself. */
function saidBy(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const refusal = refusalOf(error);
  const isForeseen = refusal !== undefined || (error instanceof Error && "code" in error);
  const message = refusal?.message ?? linesOf(error instanceof Error ? error.message : String(error));
  if (message !== "") process.stderr.write(`error: ${message}\n`);
  if (!isForeseen && error instanceof Error) process.stderr.write(`${error.stack}\n(please report it)\n`);
  return refusal instanceof CommandError ? refusal.exitCode : exitCodes.failed;
}

function linesOf(text: string): string {
  return text.trim().split("\n").map(plain).join("\n");
}

main().then((code) => {
  process.exitCode = code;
});
