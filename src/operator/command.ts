import { Command, InvalidArgumentError } from "commander";
import { ConfigurationError } from "../kubernetes/errors.ts";
import { LabelSelectorError } from "../kubernetes/label-selector.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { DefinitionError } from "./crd-check.ts";
import { runOperator } from "./process.ts";
import type { OperatorSettings } from "./settings.ts";
import { type Shard, shardOf } from "./shell/shard.ts";
import { type PollMode, pollModes } from "./shell/worker-poll.ts";

interface Flags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly watchNamespaces: readonly string[];
  readonly shardSelector: Shard;
  readonly leaderElect: "true" | "false";
  readonly leaderElectionNamespace?: string;
  readonly workerImage: string;
  readonly allowedWorkerImages: readonly string[];
  readonly allowedServiceAccounts: readonly string[];
  readonly workerPoll?: PollMode;
  readonly metricsAddress: AddressFlag;
  readonly healthAddress: AddressFlag;
  readonly concurrency: number;
  readonly logLevel: LogLevel;
}

/**
 * `integration-workflow operator`. Every flag can also be set as INTEGRATION_WORKFLOW_<FLAG>.
 * @param stop aborts when the process is to end
 */
export function operatorCommand(stop: AbortSignal): Command {
  const none: readonly string[] = [];
  return new Command("operator")
    .description("makes the cluster match every IntegrationWorkflow, and writes what it sees into status")
    .addOption(flag("--kubeconfig <file>", "which cluster; else KUBECONFIG, else the one that this pod is in"))
    .addOption(flag("--context <name>", "a context of the kubeconfig; else its current one"))
    .addOption(
      flag("--watch-namespaces <names>", "namespaces to look after, with commas between; else all")
        .argParser(names("--watch-namespaces", dnsLabel, "namespaces such as crm,marketing"))
        .default(none, "all"),
    )
    .addOption(
      flag(
        "--shard-selector <labels>",
        "run the workflows with these labels alone, such as shard=a or '!shard'; else all",
      )
        .argParser(shard)
        .default(shardOf(undefined), "all"),
    )
    .addOption(
      // With a value, because an environment variable has one: "false" must not mean true.
      flag("--leader-elect [yes]", "stand for leader: for more than one replica")
        .choices(["true", "false"])
        .preset("true")
        .default("false"),
    )
    .addOption(
      flag("--leader-election-namespace <name>", "where the lease is; else the namespace of this pod or context"),
    )
    .addOption(flag("--worker-image <image>", "the image that workers run").argParser(image).makeOptionMandatory())
    .addOption(
      flag(
        "--allowed-worker-images <images>",
        "other images that worker.image may name; a * at the end stands for the rest",
      )
        .argParser(names("--allowed-worker-images", pattern, "images such as registry.example/team/*"))
        .default(none, "none"),
    )
    .addOption(
      flag("--allowed-service-accounts <names>", "service accounts that worker.template.serviceAccountName may name")
        .argParser(names("--allowed-service-accounts", pattern, "names such as crm-worker"))
        .default(none, "none"),
    )
    .addOption(
      flag(
        "--worker-poll <way>",
        "how workers are asked for their figures; else direct in a pod, proxy elsewhere",
      ).choices(pollModes),
    )
    .addOption(addressFlag("--metrics-address <address>", "where /metrics listens; 0 for nowhere", 8080))
    .addOption(addressFlag("--health-address <address>", "where /livez and /readyz listen; 0 for nowhere", 8081))
    .addOption(
      flag("--concurrency <n>", "workflows looked at at the same time, 1 to 256").argParser(concurrency).default(16),
    )
    .addOption(logLevelFlag())
    .action(async (flags: Flags) => {
      const logger = createLogger("operator", flags.logLevel);
      try {
        await runOperator(settingsOf(flags), logger, stop);
      } catch (error) {
        if (!(error instanceof ConfigurationError) && !(error instanceof DefinitionError)) throw error;
        logger.error(error.message, { code: error.code });
        process.exitCode = error instanceof ConfigurationError ? 2 : 1;
      }
    });
}

/** A name, or the beginning of one and a star. */
const pattern = /^[^\s,*]+\*?$/;
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function names(flagName: string, each: RegExp, accepted: string) {
  return (text: string): readonly string[] => {
    const entries = text.split(",").map((entry) => entry.trim());
    const bad = entries.find((entry) => !each.test(entry));
    // An empty variable is one that was not set.
    if (text.trim() === "") return [];
    if (bad !== undefined) throw new InvalidArgumentError(`"${bad}" does not fit: ${flagName} takes ${accepted}`);
    return entries;
  };
}

function shard(text: string): Shard {
  const selector = text.trim();
  try {
    // An empty variable is one that was not set.
    return shardOf(selector === "" ? undefined : selector);
  } catch (error) {
    if (!(error instanceof LabelSelectorError)) throw error;
    throw new InvalidArgumentError(error.message);
  }
}

function image(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("name an image, such as registry.example/team/worker:1.0");
  return text;
}

function concurrency(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 256) return value;
  throw new InvalidArgumentError(`"${text}" is not a whole number from 1 to 256`);
}

function settingsOf(flags: Flags): OperatorSettings {
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    watchNamespaces: flags.watchNamespaces,
    shard: flags.shardSelector,
    leaderElection: flags.leaderElect === "true" ? { namespace: flags.leaderElectionNamespace } : undefined,
    policy: {
      defaultWorkerImage: flags.workerImage,
      allowedWorkerImages: flags.allowedWorkerImages,
      allowedServiceAccounts: flags.allowedServiceAccounts,
    },
    workerPoll: flags.workerPoll,
    metricsAddress: listenAddress(flags.metricsAddress),
    healthAddress: listenAddress(flags.healthAddress),
    concurrency: flags.concurrency,
    logLevel: flags.logLevel,
  };
}
