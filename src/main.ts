#!/usr/bin/env node
/** Picks the role, or the question to a worker. The code of each is loaded only when it is asked for. */
import { Command, CommanderError } from "commander";
import { shutdownSignal } from "./telemetry/shutdown.ts";

/** From the first moment on: a signal that nobody listens to kills, and passes by the first process of a container. */
const stop = shutdownSignal();

/** Bad flags and unknown roles, as the shell's own commands answer them. */
const usageExitCode = 2;

const roles: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  operator: {
    summary: "makes the cluster match every IntegrationWorkflow, and writes what it sees into status",
    load: async () => (await import("./operator/command.ts")).operatorCommand(stop),
  },
  worker: {
    summary: "moves one workflow's records between Dataverse and Adobe Campaign",
    load: async () => (await import("./worker/command.ts")).workerCommand(stop),
  },
  metadata: {
    summary: "tells of both systems' tables and columns for a while, for whoever edits a workflow that does not run",
    load: async () => (await import("./worker/metadata/command.ts")).metadataCommand(stop),
  },
  record: {
    summary: "says what became of one record; run it in a worker's pod",
    load: async () => (await import("./worker/records/command.ts")).recordCommand(stop),
  },
  "dead-letters": {
    summary: "lists the records that were refused for good, or tries them again; run it in a worker's pod",
    load: async () => (await import("./worker/records/command.ts")).deadLettersCommand(stop),
  },
  console: {
    summary: "the Workflows page: what workflows do, and start, stop and edit",
    load: async () => (await import("./console/command.ts")).consoleCommand(stop),
  },
  sandbox: {
    summary: "stand-ins of Dataverse and Adobe Campaign, so that everything runs without an account",
    load: async () => (await import("./sandbox/command.ts")).sandboxCommand(stop),
  },
};

async function main(args: readonly string[]): Promise<void> {
  const program = new Command("integration-workflow")
    .description("Runs the integration between Microsoft Dynamics 365 and Adobe Campaign as Kubernetes resources")
    .enablePositionalOptions(); // A command and its subcommand may have options of one name.
  const [asked = ""] = args;
  for (const [name, { summary, load }] of Object.entries(roles)) {
    program.addCommand(name === asked ? await load() : new Command(name).description(summary));
  }
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().showHelpAfterError("(--help shows what there is)");
  }
  await program.parseAsync([...args], { from: "user" });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  // Commander has said what is wrong by then; help that was asked for is no error.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : usageExitCode);
  await sayWhyItEnds(error);
  process.exit(1);
}

/** An error with a code was foreseen: its message says what to do. Any other is a fault of this program's. */
async function sayWhyItEnds(error: unknown): Promise<void> {
  const { createLogger } = await import("./telemetry/log.ts");
  const { listenFailure } = await import("./telemetry/address.ts");
  const logger = createLogger(process.argv[2] ?? "");
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    logger.error(listenFailure(error) ?? error.message, { code: error.code });
  } else {
    logger.error("ended by an error that was not foreseen: please report it with this line", { error });
  }
}
