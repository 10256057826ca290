import { readFileSync } from "node:fs";
import { ConfigurationError, parseConfiguration, type WorkflowConfiguration } from "../../api/configuration.ts";
import { exitCodes, type WorkerStatus } from "../../api/worker-contract.ts";
import type { ListenAddress } from "../../telemetry/address.ts";
import { systemClock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { fatalOf } from "../engine/fatal.ts";
import type { EngineSettings } from "../engine/settings.ts";
import { type Connections, connect } from "../http/connect.ts";
import { MetadataDesk } from "../metadata/desk.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Outage, Queue } from "../queue/interface.ts";
import { readCaBundle } from "./ca-bundle.ts";
import { type Engine, flowOf, type Parts } from "./flows.ts";
import { encodeLastWords, writeLastWords } from "./last-words.ts";
import { WorkerMetrics } from "./metrics.ts";
import { openQueue } from "./open-queue.ts";
import { startServer } from "./server.ts";

export interface WorkerOptions {
  /** The run's number, for the log; absent: not known. */
  readonly run?: number | undefined;
  readonly configurationPath: string;
  readonly credentialsDirectory: string;
  readonly stateDirectory: string;
  readonly lastWordsPath: string;
  readonly caBundlePath: string;
  /** undefined: no HTTP. */
  readonly address: ListenAddress | undefined;
  /** How long one call may take, its waits included. */
  readonly callTimeoutSeconds: number;
  /** Departures from the engine's own figures. */
  readonly settings: Partial<EngineSettings>;
  /** How long a process that reads a mapping and says nothing is waited for by its replicas; undefined: as documented. */
  readonly readingLeaseMs?: number | undefined;
  /** How long an exported file is to look alike before it is read; undefined: as documented. */
  readonly stillSeconds?: number | undefined;
  /** Over how long calls that are held back are summed up; undefined: as documented. */
  readonly strainWindowSeconds?: number | undefined;
}

/** What remains of the grace period for saving and last words. */
const savingSeconds = 5;

/**
 * Runs a worker until `stop` aborts or it cannot go on. It leaves its last words either way.
 * @returns the process's exit code
 */
export async function runWorker(options: WorkerOptions, logger: Logger, stop: AbortSignal): Promise<number> {
  const worker = new Worker(options, logger);
  try {
    await worker.run(stop);
    worker.leave("Stopped", "stopped as asked");
    return exitCodes.stopped;
  } catch (error) {
    if (stop.aborted && error === stop.reason) {
      worker.leave("Stopped", "stopped as asked, before it began");
      return exitCodes.stopped;
    }
    const fatal = error instanceof ConfigurationError ? error : fatalOf(error);
    if (fatal !== undefined) {
      worker.logger.error("worker.cannot-go-on", { error: fatal });
      worker.leave(fatal.code, fatal.message);
      return exitCodes.cannotRecover;
    }
    worker.logger.error("worker.failed", { error });
    worker.leave("WorkerError", error instanceof Error ? error.message : String(error));
    return 1;
  }
}

class Worker {
  readonly #options: WorkerOptions;
  #logger: Logger;
  readonly #metrics = new WorkerMetrics();
  #queue: Queue | undefined;
  #connections: Connections | undefined;
  #engine: Engine | undefined;
  #metadata: MetadataDesk | undefined;
  #lastStatus: WorkerStatus | undefined;
  #storeWaits: Outage = { reason: "Starting", message: "the queue's store is not open yet" };

  constructor(options: WorkerOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  /** Once the configuration is read, every line names the workflow as the operator's do. */
  get logger(): Logger {
    return this.#logger;
  }

  async run(stop: AbortSignal): Promise<void> {
    const configuration = readConfiguration(this.#options.configurationPath);
    const { namespace, name } = configuration.workflow;
    const { run } = this.#options;
    this.#logger = this.#logger.child({ workflow: `${namespace}/${name}`, ...(run === undefined ? {} : { run }) });
    const flow = flowOf(configuration);
    const { address } = this.#options;
    const server =
      address === undefined
        ? undefined
        : await startServer(
            address,
            {
              status: () => this.#status(),
              notReady: () => this.#notReady(),
              metrics: this.#metrics,
              observe: () => this.#observe(),
              records: () => this.#engine?.records,
              metadata: () => this.#metadata,
            },
            this.#logger,
          );
    this.#logger.info("worker.started", { url: server?.url });
    try {
      await this.#move(configuration, flow, stop);
    } finally {
      this.#lastStatus = await this.#engine?.status().catch(() => undefined);
      await server?.close(); // It asks the queue.
      await this.#connections?.close();
      await this.#queue?.close();
    }
  }

  leave(reason: string, message: string): void {
    const path = this.#options.lastWordsPath;
    try {
      writeLastWords(path, encodeLastWords(reason, message, this.#lastStatus));
    } catch (error) {
      this.#logger.warn("last-words.not-written", { path, error });
    }
    this.#logger.info("worker.ended", { reason, backlog: this.#lastStatus?.backlog });
  }

  async #move(configuration: WorkflowConfiguration, flow: (parts: Parts) => Engine, stop: AbortSignal): Promise<void> {
    const { callTimeoutSeconds, credentialsDirectory, stateDirectory, settings, stillSeconds } = this.#options;
    const { spec } = configuration;
    const logger = this.#logger;
    const waits = (outage: Outage) => {
      this.#storeWaits = outage;
    };
    const caBundle = this.#caBundle(configuration);
    const queue = await openQueue(this.#options, configuration, caBundle, { logger, stop, waits });
    this.#queue = queue;
    this.#connections = this.#connect(configuration, stop);
    this.#metadata = metadataDesk(configuration, this.#connections, stop, logger);
    this.#engine = flow({
      queue,
      connections: this.#connections,
      credentialsDirectory,
      stateDirectory,
      share: { ...shareOfOne(configuration), callTimeoutSeconds },
      settings,
      stillSeconds,
      logger,
    });
    const giveUp = new AbortController();
    const graceSeconds = spec.worker.terminationGracePeriodSeconds;
    const patienceMs = Math.max(graceSeconds / 2, graceSeconds - savingSeconds) * 1000;
    stop.addEventListener("abort", () => {
      logger.info("worker.stopping", { graceSeconds });
      setTimeout(() => giveUp.abort(new Error("the grace period is over")), patienceMs).unref();
      // A database that another process holds up is not waited for until the kubelet ends this one: leases end by themselves.
      setTimeout(() => queue.abandon(), patienceMs + (savingSeconds * 1000) / 2).unref();
    });
    await this.#engine.run(stop, giveUp.signal);
  }

  #caBundle({ spec }: WorkflowConfiguration): string | undefined {
    return spec.caBundle && readCaBundle(this.#options.caBundlePath, spec.caBundle.configMapRef.name);
  }

  #connect(configuration: WorkflowConfiguration, stop: AbortSignal): Connections {
    const { credentialsDirectory, callTimeoutSeconds, strainWindowSeconds } = this.#options;
    const { spec } = configuration;
    const { sharePercent, engineCallsPerSecond } = shareOfOne(configuration);
    const caBundle = this.#caBundle(configuration);
    return connect({
      dynamics: {
        url: spec.dynamics.url,
        sharePercent,
        secretName: spec.dynamics.credentialsSecretRef.name,
      },
      campaign: {
        url: spec.campaign.url,
        engineCallsPerSecond,
        secretName: spec.campaign.credentialsSecretRef.name,
        dialect: spec.campaign.dialect,
      },
      credentialsDirectory,
      ...(caBundle === undefined ? {} : { caBundle }),
      logger: this.#logger,
      metrics: this.#metrics.calls,
      callTimeoutSeconds,
      ...(strainWindowSeconds === undefined ? {} : { strainWindowMs: strainWindowSeconds * 1000 }),
      stop,
    });
  }

  #notReady(): WorkerStatus["notReady"] {
    return this.#engine === undefined ? this.#storeWaits : this.#engine.notReady();
  }

  /** Undefined while nobody can count. */
  async #status(): Promise<WorkerStatus | undefined> {
    try {
      const status = await this.#engine?.status();
      const throttling = this.#connections?.throttling();
      return status === undefined || throttling === undefined ? status : { ...status, throttling };
    } catch (error) {
      if (error instanceof StoreOutage) return undefined;
      throw error;
    }
  }

  async #observe(): Promise<void> {
    const status = await this.#status();
    const connections = this.#connections;
    if (status === undefined || connections === undefined) return;
    this.#metrics.observe(status, (service) => connections.governorState(service));
  }
}

function metadataDesk(
  { spec }: WorkflowConfiguration,
  { dataverse, campaign }: Connections,
  stop: AbortSignal,
  logger: Logger,
): MetadataDesk {
  return new MetadataDesk({
    dynamics: { url: spec.dynamics.url, definitions: dataverse.definitions },
    campaign: { url: spec.campaign.url, descriptions: campaign.descriptions },
    clock: systemClock,
    stop,
    logger,
  });
}

function readConfiguration(path: string): WorkflowConfiguration {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`the configuration ${path} cannot be read: the operator mounts it there`, { cause });
  }
  return parseConfiguration(text);
}

/** Of what the workflow may use: its replicas divide it among them. */
function shareOfOne({ spec }: WorkflowConfiguration): { sharePercent: number; engineCallsPerSecond: number } {
  const { replicas } = spec.worker;
  return {
    sharePercent: spec.dynamics.share / replicas,
    engineCallsPerSecond: spec.campaign.engineCallsPerSecond / replicas,
  };
}
