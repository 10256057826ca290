import { Command, InvalidArgumentError } from "commander";
import { type FastifyInstance, fastify } from "fastify";
import { workerPaths, workerPort } from "../../api/worker-contract.ts";
import { listenFailure } from "../../telemetry/address.ts";
import { sleep, systemClock } from "../../telemetry/clock.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../../telemetry/log.ts";
import type { DialectName } from "../campaign/dialect.ts";
import { connect } from "../http/connect.ts";
import { noCallMetrics } from "../http/service.ts";
import { readCaBundle } from "../process/ca-bundle.ts";
import { MetadataDesk } from "./desk.ts";
import { addMetadataRoute } from "./routes.ts";

interface Flags {
  readonly dynamicsUrl: string;
  readonly dynamicsSecret: string;
  readonly share: number;
  readonly campaignUrl: string;
  readonly campaignSecret: string;
  readonly dialect: DialectName;
  readonly engineCallsPerSecond: number;
  readonly caConfigMap?: string;
  readonly credentials: string;
  readonly caBundle: string;
  readonly address: AddressFlag;
  readonly seconds: number;
  readonly logLevel: LogLevel;
}

/**
 * `integration-workflow metadata`: tells of both systems' tables and columns as a worker does, for a while, and moves nothing.
 * @param stop aborts when the process is to end
 */
export function metadataCommand(stop: AbortSignal): Command {
  return new Command("metadata")
    .description("tells of both systems' tables and columns for a while, and moves no records")
    .addOption(flag("--dynamics-url <url>", "as in spec.dynamics.url").makeOptionMandatory())
    .addOption(flag("--dynamics-secret <name>", "the Secret's name, for messages").makeOptionMandatory())
    .addOption(flag("--share <percent>", "as in spec.dynamics.share").argParser(positive).default(100))
    .addOption(flag("--campaign-url <url>", "as in spec.campaign.url").makeOptionMandatory())
    .addOption(flag("--campaign-secret <name>", "the Secret's name, for messages").makeOptionMandatory())
    .addOption(flag("--dialect <name>", "as in spec.campaign.dialect").choices(["Standard", "V8"]).default("Standard"))
    .addOption(
      flag("--engine-calls-per-second <n>", "as in spec.campaign.engineCallsPerSecond")
        .argParser(positive)
        .makeOptionMandatory(),
    )
    .addOption(flag("--ca-config-map <name>", "the ConfigMap of --ca-bundle, if there is any"))
    .addOption(
      flag("--credentials <directory>", "one folder a system, one file a key").default(workerPaths.credentials),
    )
    .addOption(flag("--ca-bundle <file>", "certificates to trust, with --ca-config-map").default(workerPaths.caBundle))
    .addOption(addressFlag("--address <address>", "where /metadata listens", workerPort))
    .addOption(flag("--seconds <n>", "when it ends by itself").argParser(positive).default(540))
    .addOption(logLevelFlag())
    .action((flags: Flags) => runMetadata(flags, stop));
}

async function runMetadata(flags: Flags, asked: AbortSignal): Promise<void> {
  const logger = createLogger("metadata", flags.logLevel);
  const { caConfigMap, dynamicsUrl, campaignUrl } = flags;
  const ended = new AbortController();
  const stop = AbortSignal.any([asked, ended.signal]);
  const connections = connect({
    dynamics: { url: dynamicsUrl, sharePercent: flags.share, secretName: flags.dynamicsSecret },
    campaign: {
      url: campaignUrl,
      engineCallsPerSecond: flags.engineCallsPerSecond,
      secretName: flags.campaignSecret,
      dialect: flags.dialect,
    },
    credentialsDirectory: flags.credentials,
    ...(caConfigMap === undefined ? {} : { caBundle: readCaBundle(flags.caBundle, caConfigMap) }),
    logger,
    metrics: noCallMetrics,
    stop,
  });
  const desk = new MetadataDesk({
    dynamics: { url: dynamicsUrl, definitions: connections.dataverse.definitions },
    campaign: { url: campaignUrl, descriptions: connections.campaign.descriptions },
    clock: systemClock,
    stop,
    logger,
  });
  const app = fastify({ logger: false, bodyLimit: 1024, requestTimeout: 10_000, forceCloseConnections: true });
  addMetadataRoute(app, () => desk);
  try {
    logger.info("metadata.listening", {
      url: await listening(app, listenAddress(flags.address) ?? { port: workerPort }),
    });
    await sleep(systemClock, flags.seconds * 1000, asked);
  } finally {
    ended.abort(new Error("it has told for as long as it was to"));
    await app.close();
    await connections.close();
  }
}

async function listening(
  app: FastifyInstance,
  { host = "::", port }: { host?: string; port: number },
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    const failure = listenFailure(cause);
    throw failure === undefined ? cause : new Error(failure, { cause });
  }
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0) || !Number.isFinite(number)) throw new InvalidArgumentError(`"${text}" is not a number above 0`);
  return number;
}
