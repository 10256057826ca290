import { spawn } from "node:child_process";
import { constants } from "node:os";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import type { Look } from "../steering/follow.ts";
import { type LiveWorkflow, workflows } from "../steering/workflow.ts";
import {
  aboutOne,
  type Context,
  readWorkflow,
  refusalOf,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { asData, isData } from "./output.ts";
import { ask, type SwitchFlags, settled, watched, withSwitchFlags } from "./switching.ts";
import { plain } from "./words.ts";

/** A worker that is RUNNING has compared its mappings; the operator asks it every few seconds. */
const comparedWithinMs = 120_000;

/**
 * `publish NAME -- COMMAND`: publishing a change of tables, fields or links while a workflow reads and writes them is what its
 * makers warn of. This is the safe way round, in one command.
 */
export function publishCommand(program: Command, surroundings: Surroundings): Command {
  const description =
    "stops it, publishes (your command, or waits for Enter), starts it, and checks that its mappings still fit";
  return withSwitchFlags(withCommonFlags(aboutOne(program, "publish", description)))
    .argument("[command...]", "what publishes, behind --")
    .action((name: string, command: readonly string[], flags: SwitchFlags) =>
      withCluster(surroundings, flags, (context) => publish(context, name, command, flags)),
    );
}

async function publish(context: Context, name: string, command: readonly string[], flags: SwitchFlags): Promise<void> {
  const { cluster, err } = context;
  const before = await readWorkflow(context, name);
  if (before.spec.state !== "Running") {
    const start = cluster.hint(`start ${name} --wait`);
    throw new CommandError(`${name} is stopped already, so nothing was done: publish, then ${start}`, exitCodes.failed);
  }
  // What is said on the way is for the person; the answer of a program is the workflow at the end.
  const told = { ...context, out: isData(flags.output) ? err : context.out };
  if (flags.dryRun === true) {
    await ask(context, name, { state: "Stopped" }, flags);
    const what = command.length === 0 ? "wait for Enter" : `run ${command.map(plain).join(" ")}`;
    told.out.write(`${name}: would be stopped; would then ${what}, and start it (server dry run)\n`);
    return;
  }
  await mayWatch(context, before);
  let isAsked = false;
  try {
    const asked = await ask(context, name, { state: "Stopped" }, flags);
    isAsked = true;
    told.out.write(`${name}: asked to stop\n`);
    await settled(told, asked, flags.timeout);
    await (command.length === 0 ? enterPressed(context) : ended(context, command));
    context.signal.throwIfAborted();
    const after = await startAndCompare(told, name, flags);
    if (isData(flags.output)) context.out.write(asData(flags.output, after));
  } catch (error) {
    // What was refused has changed nothing; of what was interrupted nobody knows.
    if (!isAsked && !context.signal.aborted) throw error;
    throw await leftStopped(told, name, error, flags);
  }
}

/** Who could not see it stop would leave it stopped, so that is found out first. @throws ApiError when it is refused */
async function mayWatch({ cluster, signal }: Context, { metadata }: LiveWorkflow): Promise<void> {
  const { namespace, name, resourceVersion } = metadata;
  const query = { namespace, fieldSelector: `metadata.name=${name}` };
  await cluster.reader.listPage(workflows, { ...query, limit: 1 }, { signal });
  const seen = new AbortController();
  const over = AbortSignal.any([signal, seen.signal]);
  const stream = await cluster.reader.watch(workflows, { ...query, resourceVersion, timeoutSeconds: 1 }, over);
  // An aborted body fails, and nobody reads this one.
  stream.on("error", () => {});
  seen.abort();
}

/** @returns the workflow when it is RUNNING and its worker has compared every mapping with both systems */
async function startAndCompare(context: Context, name: string, flags: SwitchFlags): Promise<LiveWorkflow> {
  const asked = await ask(context, name, { state: "Running" }, flags);
  context.out.write(`${name}: asked to start\n`);
  await settled(context, asked, flags.timeout);
  const { workflow, misfit } = await watched(context, asked, compared, Math.min(flags.timeout, comparedWithinMs)).catch(
    (error: unknown) => {
      if (!(error instanceof CommandError && error.exitCode === exitCodes.timeout)) throw error;
      const message =
        "it is RUNNING, but no worker has told whether its mappings fit (does the operator ask the workers?)";
      throw new CommandError(message, exitCodes.timeout, { cause: error });
    },
  );
  if (workflow === undefined) throw new CommandError("it was deleted meanwhile", exitCodes.notFound);
  if (misfit !== undefined) throw new CommandError(`what was published does not fit: ${misfit}`, exitCodes.failed);
  context.out.write(`${name}: RUNNING, and every mapping fits what was published\n`);
  return workflow;
}

/** Of a schema that no worker of this run has compared, the operator says nothing. */
function compared(
  workflow: LiveWorkflow | undefined,
): Look<{ readonly workflow: LiveWorkflow | undefined; readonly misfit?: string | undefined }> {
  if (workflow === undefined) return { wait: false, end: { workflow } };
  const drift = workflow.status?.conditions?.find(({ type }) => type === "SchemaDrift");
  if (drift === undefined) return { wait: true };
  return { wait: false, end: { workflow, misfit: drift.status === "True" ? plain(drift.message) : undefined } };
}

/** Whatever failed, nothing may go on writing to what is half published. What went wrong, and how it stands now. */
async function leftStopped(context: Context, name: string, error: unknown, flags: SwitchFlags): Promise<CommandError> {
  const { cluster, signal, out } = context;
  const refusal = refusalOf(error);
  const why = signal.aborted
    ? "it was interrupted"
    : (refusal?.message ?? (error instanceof Error ? plain(error.message) : String(error)));
  const code = signal.aborted ? exitCodes.interrupted : (refusal?.exitCode ?? exitCodes.failed);
  // The person's Ctrl-C has ended what went on; it must not end this.
  const patient = { ...context, signal: new AbortController().signal };
  const ending = (stands: string): CommandError =>
    new CommandError(`publishing failed: ${why}\n${stands}`, code, { cause: error });
  try {
    const asked = await ask(patient, name, { state: "Stopped" }, flags);
    if (asked.status?.state !== "STOPPED" || asked.status.observedGeneration !== asked.metadata.generation)
      out.write(`${name}: asked to stop\n`);
    const mend = `Mend it, then: ${cluster.hint(`start ${name} --wait`)}`;
    return ending(`${name} is left stopped; what is queued is kept. ${mend}`);
  } catch (cause) {
    const trouble = refusalOf(cause)?.message ?? (cause instanceof Error ? cause.message : String(cause));
    return ending(`${name} could not be stopped again: ${trouble}\nLook at it: ${cluster.hint(`status ${name}`)}`);
  }
}

async function enterPressed({ err, signal }: Context): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: err });
  const closed = Promise.withResolvers<never>();
  // Otherwise the end of the input ends the program in the middle, with the workflow stopped and nothing said.
  lines.on("close", () => closed.reject(new Error("nobody is there to press Enter: the standard input has ended")));
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const question = lines.question("It is stopped. Publish now, then press Enter to start it: ", { signal });
    await Promise.race([question, closed.promise]);
  } finally {
    closed.promise.catch(() => {});
    lines.close();
  }
}

/** Runs it on this terminal. @throws CommandError with its own exit code */
async function ended({ signal }: Context, [program = "", ...given]: readonly string[]): Promise<void> {
  const over = Promise.withResolvers<void>();
  const child = spawn(program, given, { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the command by itself, and twice would be too much; it is waited for in any case.
  const pass = (): void => void (process.stdin.isTTY || child.kill("SIGTERM"));
  signal.addEventListener("abort", pass, { once: true });
  child.on("error", (cause) => {
    const message = `cannot run ${plain(program)}: ${cause.message}`;
    over.reject(new CommandError(message, exitCodes.failed, { cause }));
  });
  child.on("exit", (code, killedBy) => {
    if (code === 0) return over.resolve();
    const how = killedBy ?? `exit code ${code}`;
    const kept = killedBy === null ? (code ?? exitCodes.failed) : 128 + constants.signals[killedBy];
    over.reject(new CommandError(`${plain(program)} ended with ${how}`, kept));
  });
  try {
    await over.promise;
  } finally {
    signal.removeEventListener("abort", pass);
  }
}
