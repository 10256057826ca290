import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Registry } from "prom-client";
import { Agent } from "undici";
import { apiGroup, operatorName } from "../api/group.ts";
import { Client } from "../kubernetes/client.ts";
import { type Connection, findConnection } from "../kubernetes/connection.ts";
import { ConfigurationError } from "../kubernetes/errors.ts";
import { EventRecorder } from "../kubernetes/events.ts";
import { LeaderElection, type Leadership } from "../kubernetes/lease.ts";
import { createTransport } from "../kubernetes/transport.ts";
import { createWorkQueueMetrics } from "../kubernetes/work-queue-metrics.ts";
import { systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { checkDefinition } from "./crd-check.ts";
import type { OperatorSettings } from "./settings.ts";
import { Controller } from "./shell/controller.ts";
import { CounterBudget, defaultCounterBudget } from "./shell/counter-budget.ts";
import { serveHttp } from "./shell/http.ts";
import { Memories } from "./shell/memory.ts";
import { createMetrics } from "./shell/metrics.ts";
import { informersOf, type Watched, watchCluster } from "./shell/watched.ts";
import { tellMissingNamespaces } from "./shell/watched-namespaces.ts";
import { pollWorkers } from "./shell/worker-poll.ts";

/** A watch is taken for dead after 150 s without a word and opened anew; when even that does not help, a new process may. */
const stalenessLimitMs = 6 * 60_000;

/**
 * Runs the operator until the signal aborts: then it takes no more work, ends what it does, gives its lease back and
 * resolves.
 * @throws ConfigurationError, DefinitionError: what a person must mend first
 */
export async function runOperator(settings: OperatorSettings, logger: Logger, signal: AbortSignal): Promise<void> {
  const { kubeconfig, context } = settings;
  const connection = findConnection({ kubeconfig, context, environment: process.env });
  const transport = createTransport({ connection, userAgent: `${operatorName}/1` });
  try {
    await runConnected(settings, connection, { transport, logger }, signal);
  } finally {
    await transport.close();
  }
}

type Reach = { readonly transport: ReturnType<typeof createTransport>; readonly logger: Logger };

async function runConnected(
  settings: OperatorSettings,
  connection: Connection,
  { transport, logger }: Reach,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client({ transport, server: connection.server, fieldManager: operatorName });
  await checkDefinition(client);
  const watched = watchCluster(client, settings.watchNamespaces, logger);
  const informers = informersOf(watched);
  const registry = new Registry();
  const { now: monotonicMs } = systemClock;
  const metrics = createMetrics({ registry, watched, leaseName: operatorName, monotonicMs });
  const queueMetrics = createWorkQueueMetrics(registry);
  const stale = (): string | undefined => {
    const found = informers.find((informer) => !informer.isHealthy(monotonicMs(), stalenessLimitMs));
    return found === undefined ? undefined : `nothing was heard of ${found.resource} for ${stalenessLimitMs / 1000} s`;
  };
  const unsynced = (): string | undefined => {
    const found = informers.find((informer) => !informer.hasSynced());
    return found === undefined ? undefined : `${found.resource} was not listed yet`;
  };
  const election = electionOf(settings, connection, client, { metrics, logger });
  const unelected = (): string | undefined => election?.neverSeen();
  const servers = await serveHttp({
    healthAddress: settings.healthAddress,
    metricsAddress: settings.metricsAddress,
    health: { live: stale, ready: () => unsynced() ?? unelected() },
    registry,
  });
  logger.info("operator started", {
    cluster: connection.server,
    by: connection.origin,
    namespaces: settings.watchNamespaces,
    ...servers.addresses,
  });

  // The watches outlive the leader, who ends first: it may still wait for its own last writes.
  const end = new AbortController();
  const { watchNamespaces: namespaces } = settings;
  const onLook = metrics.onWatchedNamespace;
  const watching = Promise.all([
    ...informers.map((informer) => informer.run(end.signal)),
    tellMissingNamespaces({ client, namespaces, clock: systemClock, logger, onLook }, end.signal),
  ]);
  const lead = (leadership: Leadership): Promise<void> =>
    leadUntil({ settings, connection, client, watched, metrics, queueMetrics, logger }, leadership);
  try {
    await Promise.race([Promise.all(informers.map(({ synced }) => synced)), aborted(signal)]);
    if (signal.aborted) return;
    if (election !== undefined) return await election.run(lead, signal);
    metrics.onLeading(true);
    await lead({ signal, assertHeld: () => {} });
  } finally {
    end.abort(signal.reason);
    await watching;
    await servers.close();
    logger.info("operator stopped");
  }
}

/** @returns undefined when this process is the only one */
function electionOf(
  { leaderElection }: OperatorSettings,
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
  return new LeaderElection({ client, namespace, name: operatorName, identity, logger, onChange: metrics.onLeading });
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
  });
  const controller = new Controller({
    client,
    watched,
    memories,
    budget,
    events,
    logger,
    policy: settings.policy,
    now: () => Date.now(),
    concurrency: settings.concurrency,
    observer: queueMetrics.observer("integrationworkflow"),
    onReconcile: metrics.onReconcile,
    onStatus: metrics.onStatus,
  });
  queueMetrics.watch("integrationworkflow", controller.queue);
  metrics.tellOf(memories);
  const mode = settings.workerPoll ?? (connection.origin === "in cluster" ? "direct" : "proxy");
  const dispatcher = new Agent({ connections: 1, keepAliveTimeout: 10_000 });
  const { queue } = controller;
  const polling =
    mode === "off"
      ? undefined
      : pollWorkers(
          { mode, client, dispatcher, watched, memories, budget, queue, clock: systemClock, logger },
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
