/** `npm start`, `npm run stop`, `kubectl` and `sandbox`: a cluster of the project's own, with everything on it. */
import { spawnSync } from "node:child_process";
import { Command } from "commander";
import {
  askSandbox,
  type Demo,
  drillClusterOf,
  installDemo,
  uninstallDemo,
  untilDemoSettled,
  workflowTable,
} from "./demo.ts";
import { endTroubles, mendTrouble, stageTroubles, troublesNamed } from "./drill/drill.ts";
import { worldOf } from "./drill/world.ts";
import { ClusterError } from "./errors.ts";
import { type Commands, drillHints, hints } from "./hints.ts";
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
function commandsFor({ name, context }: Flags): Commands {
  if (context) {
    return {
      kubectl: `kubectl --context ${context}`,
      sandbox: `IW_CONTEXT=${context} npm run -s sandbox --`,
      stop: `npm run stop -- --context ${context}`,
      drill: `npm run drill -- --context ${context}`,
    };
  }
  const prefix = name === defaultName ? "" : `IW_NAME=${name} `;
  return {
    kubectl: `${prefix}npm run -s kubectl --`,
    sandbox: `${prefix}npm run -s sandbox --`,
    stop: `${prefix}npm run stop`,
    drill: `${prefix}npm run drill --`,
  };
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
  try {
    await untilDemoSettled(demo, step);
  } finally {
    process.stdout.write(`\n${await workflowTable(demo)}${hints(commandsFor(flags))}`);
  }
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

/** Troubles to practise on: stages the named ones, or takes them back. */
async function drill(
  words: readonly string[],
  flags: Flags & { readonly end?: true; readonly mend?: true },
): Promise<void> {
  const isEnd = flags.end === true || words[0] === "none";
  const named = troublesNamed(words[0] === "none" ? ["all"] : words);
  const demo = await demoOn(await findTarget(optionsOf(flags), environment), flags);
  const world = worldOf(drillClusterOf(demo));
  if (isEnd) await endTroubles(world, named, step);
  else if (flags.mend === true) for (const trouble of named) await mendTrouble(world, trouble);
  else {
    await stageTroubles(world, named, step);
    process.stdout.write(drillHints(commandsFor(flags), demo.target));
  }
}

/** The cluster that the environment names: for commands whose arguments are another program's. */
function namedTarget(): Promise<Target> {
  const context = environment["IW_CONTEXT"];
  return findTarget(context ? { name: ownName, context } : { name: ownName }, environment);
}

/** Runs kubectl at this terminal, and ends as it ends. */
async function kubectl(args: readonly string[]): Promise<void> {
  const target = await namedTarget();
  const programs = await clientPrograms(environment, console.error);
  const { status, error } = spawnSync(programs.kubectl, [...target.kubectlFlags, ...args], { stdio: "inherit" });
  if (error !== undefined) throw error;
  process.exitCode = status ?? 1;
}

/** Calls a method of the sandbox's control API, and shows what it answers. */
async function sandbox(method: string, body = "{}"): Promise<void> {
  const target = await namedTarget();
  const programs = await clientPrograms(environment, console.error);
  process.stdout.once("error", () => process.exit()); // Whoever reads has had enough.
  for await (const piece of askSandbox({ target, ...programs }, method, body)) process.stdout.write(piece);
}

const program = new Command("cluster").enablePositionalOptions();
command(program, "start", "make a cluster, install the operator and the sandbox, and run workflows")
  .option("--image <reference>", "with --context: the image to run, which that cluster can pull")
  .action(start);
command(program, "up", "make the cluster only, with the image on it").action(up);
command(program, "stop", "take all away").action(stop);
command(program, "drill", "stage troubles to practise on (docs/how-to/practise.md), or take them back")
  .argument("<troubles...>", "some troubles by name, all of them: all, or none: all are taken back")
  .option("--end", "take the named ones back, and their workflows away")
  .option("--mend", "bring the systems around their workflows in order, and leave the workflows alone")
  .action(drill);
program
  .command("kubectl")
  .description("run kubectl against the cluster that start made (IW_NAME, IW_CONTEXT)")
  .argument("[arguments...]")
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(kubectl);
program
  .command("sandbox")
  .description("see and change what the sandbox holds: a method of its control API (src/sandbox/README.md)")
  .argument("<method>")
  .argument("[arguments]", "a JSON object")
  .action(sandbox);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = 1;
  const verbose = process.argv.includes("--verbose");
  const [sentence, ...details] = error instanceof ClusterError ? error.message.split("\n") : [];
  if (verbose || sentence === undefined) console.error(error);
  else console.error(`\n${sentence}${details.length > 0 ? "\n(--verbose shows all that was said)" : ""}\n`);
}
