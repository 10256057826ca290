/** `npm start`, `npm run stop`, `npm run kubectl`: a cluster of the project's own, with everything on it. */
import { spawnSync } from "node:child_process";
import { Command } from "commander";
import { type Demo, installDemo, uninstallDemo, watchWorkflows, workflowTable } from "./demo.ts";
import { ClusterError } from "./errors.ts";
import { hints } from "./hints.ts";
import { stepsOn } from "./steps.ts";
import { clientPrograms, findTarget, prepareTarget, removeTarget, type Target, type TargetOptions } from "./target.ts";

interface Flags {
  readonly name: string;
  readonly context?: string;
  readonly image?: string;
  readonly verbose?: boolean;
}

const environment = process.env;
const defaultName = "iw-demo";
const ownName = environment["IW_NAME"] || defaultName;
const step = stepsOn(process.stdout);

function command(parent: Command, name: string, description: string): Command {
  const context = "a context of your kubeconfig, instead of a cluster of the project's own (IW_CONTEXT)";
  return parent
    .command(name)
    .description(description)
    .option("--name <name>", "what the project's own cluster is called (IW_NAME)", ownName)
    .option("--context <context>", context, environment["IW_CONTEXT"])
    .option("--verbose", "show all that is known of an error");
}

function optionsOf({ name, context, image }: Flags): TargetOptions {
  return { name, ...(context ? { context } : {}), ...(image === undefined ? {} : { image }) };
}

/** The commands that the user calls for this cluster. */
function commandsFor({ name, context }: Flags): { kubectl: string; stop: string } {
  if (context) return { kubectl: `kubectl --context ${context}`, stop: `npm run stop -- --context ${context}` };
  const prefix = name === defaultName ? "" : `IW_NAME=${name} `;
  return { kubectl: `${prefix}npm run -s kubectl --`, stop: `${prefix}npm run stop` };
}

async function demoOn(target: Target, flags: Flags): Promise<Demo> {
  const programs = await step("kubectl and helm", (report) => clientPrograms(environment, report));
  return { target, ...programs, kubectlCommand: commandsFor(flags).kubectl };
}

/** A start that is broken off loses nothing: each step is found done by the next start. */
function sayWhatInterruptLeaves(): void {
  process.once("SIGINT", () => {
    process.stderr.write(
      "\nInterrupted. What is there stays: npm start goes on from it, npm run stop takes it away.\n",
    );
    process.exit(130);
  });
}

async function start(flags: Flags): Promise<void> {
  sayWhatInterruptLeaves();
  const { target, image } = await prepareTarget(optionsOf(flags), environment, step);
  const demo = await demoOn(target, flags);
  await installDemo(demo, image, step);
  const failures = await watchWorkflows(demo, step);
  const commands = commandsFor(flags);
  process.stdout.write(`\n${await workflowTable(demo)}${hints(commands.kubectl, commands.stop)}`);
  if (failures.length > 0) throw new ClusterError("WorkflowFailed", failures.join("; "));
}

async function up(flags: Flags): Promise<void> {
  sayWhatInterruptLeaves();
  const { target } = await prepareTarget(optionsOf(flags), environment, step);
  process.stdout.write(`${target.description} is up: kubectl ${target.kubectlFlags.join(" ")}\n`);
}

async function stop(flags: Flags): Promise<void> {
  if (flags.context) await uninstallDemo(await demoOn(await findTarget(optionsOf(flags), environment), flags), step);
  else await removeTarget(flags.name, environment, step);
}

/** Runs kubectl at this terminal, and ends as it ends. */
async function kubectl(args: readonly string[]): Promise<void> {
  const options = { name: ownName };
  const context = environment["IW_CONTEXT"];
  const target = await findTarget(context ? { ...options, context } : options, environment);
  const programs = await clientPrograms(environment, console.error);
  const { status, error } = spawnSync(programs.kubectl, [...target.kubectlFlags, ...args], { stdio: "inherit" });
  if (error !== undefined) throw error;
  process.exitCode = status ?? 1;
}

const program = new Command("cluster").enablePositionalOptions();
command(program, "start", "make a cluster, install the operator and the sandbox, and run workflows")
  .option("--image <reference>", "with --context: the image to run, which that cluster can pull")
  .action(start);
command(program, "up", "make the cluster only, with the image on it").action(up);
command(program, "stop", "take all away").action(stop);
program
  .command("kubectl")
  .description("run kubectl against the cluster that start made (IW_NAME, IW_CONTEXT)")
  .argument("[arguments...]")
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(kubectl);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = 1;
  const verbose = process.argv.includes("--verbose");
  const [sentence, ...details] = error instanceof ClusterError ? error.message.split("\n") : [];
  if (verbose || sentence === undefined) console.error(error);
  else console.error(`\n${sentence}${details.length > 0 ? "\n(--verbose shows all that was said)" : ""}\n`);
}
