import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Registry } from "prom-client";
import { Agent } from "undici";
import { apiGroup, operatorName } from "../api/group.ts";
import { Client } from "../kubernetes/client.ts";
import { type Connection, findConnection } from "../kubernetes/connection.ts";
import { ConfigurationError } from "../kubernetes/errors.ts";
import { EventRecorder } from "../kubernetes/events.ts";
import { LeaderElection, type Leadership } from "../kubernetes/lease.ts";
import { requestCounter } from "../kubernetes/request-metrics.ts";
import { createTransport } from "../kubernetes/transport.ts";
import { createWorkQueueMetrics } from "../kubernetes/work-queue-metrics.ts";
import { systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { processRegistry } from "../telemetry/process-metrics.ts";
import { watchDefinition } from "./crd-check.ts";
import type { OperatorSettings } from "./settings.ts";
import { Controller } from "./shell/controller.ts";
import { CounterBudget, defaultCounterBudget } from "./shell/counter-budget.ts";
import { serveHttp } from "./shell/http.ts";
import { LimitsLedger } from "./shell/limits-ledger.ts";
import { deafness } from "./shell/liveness.ts";
import { Memories } from "./shell/memory.ts";
import { controllerName, createMetrics } from "./shell/metrics.ts";
import { informersOf, type Watched, watchCluster } from "./shell/watched.ts";
import { tellMissingNamespaces } from "./shell/watched-namespaces.ts";
import { pollWorkers } from "./shell/worker-poll.ts";

/**
 * Runs the operator until the signal aborts: then it takes no more work, ends what it does, gives its lease back and
 * resolves.
 * @throws ConfigurationError, DefinitionError: what a person must mend first
 */
export async function runOperator(settings: OperatorSettings, logger: Logger, signal: AbortSignal): Promise<void> {
  const { kubeconfig, context } = settings;
  const connection = findConnection({ kubeconfig, context, environment: process.env });
  const registry = processRegistry("operator");
  const onRequest = requestCounter(registry, connection.server);
  const transport = createTransport({ connection, userAgent: `${operatorName}/1`, onRequest });
  try {
    await runConnected(settings, connection, { transport, registry, logger }, signal);
  } finally {
    await transport.close();
  }
}

interface Reach {
  readonly transport: ReturnType<typeof createTransport>;
  readonly registry: Registry;
  readonly logger: Logger;
}

async function runConnected(
  settings: OperatorSettings,
  connection: Connection,
  { transport, registry, logger }: Reach,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client({ transport, server: connection.server, fieldManager: operatorName });
  const watched = watchCluster(client, settings.watchNamespaces, logger);
  const informers = informersOf(watched);
  const { now: monotonicMs } = systemClock;
  const { concurrency } = settings;
  const metrics = createMetrics({ registry, watched, shard: settings.shard, concurrency, monotonicMs });
  const queueMetrics = createWorkQueueMetrics(registry);
  const unsynced = (): string | undefined => {
    const found = informers.find((informer) => !informer.hasSynced());
    return found === undefined ? undefined : `${found.resource} was not listed yet`;
  };
  const election = electionOf(settings, connection, client, { metrics, logger });
  const unelected = (): string | undefined => election?.neverSeen();
  const servers = await serveHttp({
    healthAddress: settings.healthAddress,
    metricsAddress: settings.metricsAddress,
    health: { live: () => deafness(informers, monotonicMs()), ready: () => unsynced() ?? unelected() },
    metrics: metrics.text,
  });
  // The watches outlive the leader, who ends first: it may still wait for its own last writes.
  const end = new AbortController();
  const misfit = new AbortController();
  const stop = AbortSignal.any([signal, misfit.signal]);
  const fits = Promise.withResolvers<void>();
  const checking = watchDefinition({ client, clock: systemClock, logger, onFits: fits.resolve }, end.signal).catch(
    (error: unknown) => misfit.abort(error),
  );
  const { watchNamespaces: namespaces } = settings;
  const watch = async (): Promise<void> => {
    const onLook = metrics.onWatchedNamespace;
    await Promise.all([
      ...informers.map((informer) => informer.run(end.signal)),
      tellMissingNamespaces({ client, namespaces, clock: systemClock, logger, onLook }, end.signal),
    ]);
  };
  const work = async (): Promise<void> => {
    await Promise.race([Promise.all(informers.map(({ synced }) => synced)), aborted(stop)]);
    if (stop.aborted) return;
    const leading = { settings, connection, client, watched, metrics, queueMetrics, logger };
    if (election === undefined) {
      metrics.onLeading(true);
      return leadUntil(leading, { signal: stop, assertHeld: () => {} });
    }
    const lead = (leadership: Leadership): Promise<void> => {
      // Whoever was cut off, or stood by while its watches went dead, must not lead by what it saw before.
      for (const informer of informers) informer.reopen();
      return leadUntil(leading, leadership);
    };
    return election.run(lead, stop);
  };
  let watching: Promise<void> | undefined;
  try {
    await Promise.race([fits.promise, aborted(stop)]);
    if (!stop.aborted) {
      logger.info("operator started", {
        cluster: connection.server,
        by: connection.origin,
        namespaces,
        ...servers.addresses,
      });
      watching = watch();
      await work();
    }
  } finally {
    end.abort(stop.reason);
    await Promise.all([checking, watching]);
    await servers.close();
    if (watching !== undefined) logger.info("operator stopped");
  }
  // Why it was stopped, if not by a signal: what a person must mend.
  misfit.signal.throwIfAborted();
}

/** @returns undefined when this process is the only one */
function electionOf(
  { leaderElection, shard: { leaseName: name } }: OperatorSettings,
  connection: Connection,
  client: Client,
  { metrics, logger }: Pick<Leading, "metrics" | "logger">,
): LeaderElection | undefined {
  if (leaderElection === undefined) return undefined;
  const namespace = leaderElection.namespace ?? connection.namespace;
  if (namespace === undefined) {
    throw new ConfigurationError("no namespace is known for the lease: give --leader-election-namespace");
  }
  const identity = `${hostname()}_${randomUUID().slice(0, 8)}`;
  return new LeaderElection({ client, namespace, name, identity, logger, onChange: metrics.onLeading });
}

interface Leading {
  readonly settings: OperatorSettings;
  readonly connection: Connection;
  readonly client: Client;
  readonly watched: Watched;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly queueMetrics: ReturnType<typeof createWorkQueueMetrics>;
  readonly logger: Logger;
}

/** One leadership: with a memory of its own, so that nothing of an earlier one is believed. */
async function leadUntil(options: Leading, leadership: Leadership): Promise<void> {
  const { settings, connection, watched, metrics, queueMetrics, logger } = options;
  const client = options.client.guarded(() => leadership.assertHeld());
  const memories = new Memories();
  const budget = new CounterBudget(defaultCounterBudget);
  const events = new EventRecorder({
    client,
    reportingController: `${apiGroup}/operator`,
    reportingInstance: hostname(),
    logger,
    objectField: "workflow",
  });
  const controller = new Controller({
    client,
    watched,
    shard: settings.shard,
    memories,
    limits: new LimitsLedger(),
    budget,
    events,
    logger,
    policy: settings.policy,
    now: () => Date.now(),
    concurrency: settings.concurrency,
    observer: queueMetrics.observer(controllerName),
    onReconcile: metrics.onReconcile,
    onStatus: metrics.onStatus,
  });
  queueMetrics.watch(controllerName, controller.queue);
  metrics.tellOf({ memories, queue: controller.queue });
  const mode = settings.workerPoll ?? (connection.origin === "in cluster" ? "direct" : "proxy");
  const dispatcher = new Agent({ connections: 1, keepAliveTimeout: 10_000 });
  const { queue } = controller;
  const polling =
    mode === "off"
      ? undefined
      : pollWorkers(
          {
            mode,
            client,
            dispatcher,
            watched,
            shard: settings.shard,
            memories,
            budget,
            queue,
            clock: systemClock,
            logger,
          },
          leadership.signal,
        );
  try {
    await Promise.all([controller.run(leadership.signal), polling]);
    await events.flush();
  } finally {
    metrics.tellOf(undefined);
    await dispatcher.destroy();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
