import { Command, InvalidArgumentError } from "commander";
import { workerPaths, workerPort } from "../api/worker-contract.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import type { EngineSettings } from "./engine/settings.ts";
import { runWorker, type WorkerOptions } from "./process/run.ts";

const lingerMs = 500;

interface Flags {
  readonly config: string;
  readonly run?: number;
  readonly credentials: string;
  readonly state: string;
  readonly terminationLog: string;
  readonly caBundle: string;
  readonly address: AddressFlag;
  readonly callTimeoutSeconds: number;
  readonly leaseSeconds?: number;
  readonly pollSeconds?: number;
  readonly readySeconds?: number;
  readonly checkSeconds?: number;
  readonly pageSize?: number;
  readonly stillSeconds?: number;
  readonly strainWindowSeconds?: number;
  readonly logLevel: LogLevel;
}

/**
 * `integration-workflow worker`. Every path and port of the worker contract is a flag with the contract's own value, so
 * that a worker runs on a laptop too. Every flag can also be set as INTEGRATION_WORKFLOW_<FLAG>.
 * @param stop aborts when the process is to end
 */
export function workerCommand(stop: AbortSignal): Command {
  return new Command("worker")
    .description("moves one workflow's records between Dataverse and Adobe Campaign")
    .addOption(flag("--config <file>", "the workflow's pinned configuration").default(workerPaths.configuration))
    .addOption(flag("--run <n>", "the run's number, for the log").argParser(positive))
    .addOption(
      flag("--credentials <directory>", "one folder a system, one file a key").default(workerPaths.credentials),
    )
    .addOption(flag("--state <directory>", "where the queue is kept").default(workerPaths.state))
    .addOption(flag("--termination-log <file>", "where the last words go").default(workerPaths.lastWords))
    .addOption(
      flag("--ca-bundle <file>", "certificates to trust, if the workflow has any").default(workerPaths.caBundle),
    )
    .addOption(
      addressFlag(
        "--address <address>",
        "where /livez, /readyz, /status and /metrics listen; 0 for nowhere",
        workerPort,
      ),
    )
    .addOption(flag("--call-timeout-seconds <n>", "how long one call may take").argParser(positive).default(60))
    .addOption(
      flag("--lease-seconds <n>", "when an unanswered call can no longer land (default: call timeout + 60)").argParser(
        positive,
      ),
    )
    .addOption(flag("--poll-seconds <n>", "between two questions for changes (default: 3)").argParser(positive))
    .addOption(
      flag("--ready-seconds <n>", "how recently both systems must have answered (default: 60)").argParser(positive),
    )
    .addOption(
      flag(
        "--check-seconds <n>",
        "between two comparisons of a mapping with both systems' metadata (default: 60)",
      ).argParser(positive),
    )
    .addOption(flag("--page-size <rows>", "rows a page (default: 5000)").argParser(positive))
    .addOption(
      flag("--still-seconds <n>", "how long an exported file must stand still to be read (default: 60)").argParser(
        positive,
      ),
    )
    .addOption(
      flag(
        "--strain-window-seconds <n>",
        "over how long calls that a service holds back are summed up (default: 300)",
      ).argParser(positive),
    )
    .addOption(logLevelFlag())
    .action(async (flags: Flags) => {
      process.exitCode = await runWorker(optionsOf(flags), createLogger("worker", flags.logLevel), stop);
      // Its last words are said: whatever is left may keep the process for a moment, not for its own time.
      setTimeout(() => process.exit(), lingerMs).unref();
    });
}

function optionsOf(flags: Flags): WorkerOptions {
  const { leaseSeconds, pollSeconds, readySeconds, checkSeconds, pageSize } = flags;
  return {
    run: flags.run,
    configurationPath: flags.config,
    credentialsDirectory: flags.credentials,
    stateDirectory: flags.state,
    lastWordsPath: flags.terminationLog,
    caBundlePath: flags.caBundle,
    address: listenAddress(flags.address),
    callTimeoutSeconds: flags.callTimeoutSeconds,
    stillSeconds: flags.stillSeconds,
    strainWindowSeconds: flags.strainWindowSeconds,
    settings: {
      ...(leaseSeconds === undefined ? {} : { leaseMs: leaseSeconds * 1000 }),
      ...(pollSeconds === undefined ? {} : { pollIntervalMs: pollSeconds * 1000 }),
      ...(readySeconds === undefined ? {} : { readyWindowMs: readySeconds * 1000 }),
      ...(checkSeconds === undefined ? {} : checksEvery(checkSeconds * 1000)),
      ...(pageSize === undefined ? {} : { pageSize: Math.min(pageSize, 5000) }),
    },
  };
}

/** A mapping that cannot run is looked at as often; a refusal asks for one at any time. */
function checksEvery(checkIntervalMs: number): Partial<EngineSettings> {
  return { checkIntervalMs, lookAgainMs: checkIntervalMs, freshCheckMs: Math.min(5000, checkIntervalMs) };
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0) || !Number.isFinite(number)) throw new InvalidArgumentError(`"${text}" is not a number above 0`);
  return number;
}
