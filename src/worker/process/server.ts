import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { type ListenAddress, listenFailure } from "../../telemetry/address.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { MetadataDesk } from "../metadata/desk.ts";
import { addMetadataRoute } from "../metadata/routes.ts";
import type { RecordDesk } from "../records/desk.ts";
import { addRecordRoutes } from "../records/routes.ts";
import type { WorkerMetrics } from "./metrics.ts";

export interface ServerSources {
  /** Undefined while the queue is not open: a backlog that nobody counted is never shown as 0. */
  readonly status: () => Promise<WorkerStatus | undefined>;
  /** Undefined when the worker is ready. */
  readonly notReady: () => WorkerStatus["notReady"];
  readonly metrics: WorkerMetrics;
  /** Brings the metrics up to date. */
  readonly observe: () => Promise<void>;
  /** Undefined until the worker has begun. */
  readonly records: () => RecordDesk | undefined;
  /** Undefined until the worker has begun. */
  readonly metadata: () => MetadataDesk | undefined;
}

export interface WorkerServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The worker's side of the contract over HTTP: /livez, /readyz, /status, /metrics and /metadata, which change nothing; and,
 * for whoever is inside the pod, what becomes of single records.
 */
export async function startServer(
  address: ListenAddress,
  sources: ServerSources,
  logger: Logger,
): Promise<WorkerServer> {
  const app = Fastify({
    logger: false,
    bodyLimit: 1024,
    requestTimeout: 10_000,
    forceCloseConnections: true,
    frameworkErrors: (_error, _request, reply: FastifyReply) => {
      const message = "the address is not well formed: a % that is part of a key is written %25, a slash %2F";
      void reply.code(400).send({ code: "BadQuestion", message });
    },
  });
  addRoutes(app, sources);
  addMetadataRoute(app, sources.metadata);
  await addRecordRoutes(app, sources.records, logger);
  try {
    const url = await app.listen({ port: address.port, host: address.host ?? "::" });
    return { url, close: () => app.close() };
  } catch (cause) {
    const failure = listenFailure(cause);
    throw failure === undefined ? cause : new Error(failure, { cause });
  }
}

function addRoutes(app: FastifyInstance, sources: ServerSources): void {
  app.get("/livez", () => "ok\n");
  app.get("/readyz", async (_request, reply) => {
    const notReady = sources.notReady();
    if (notReady === undefined) return "ok\n";
    return reply.code(503).send(`${notReady.reason}: ${notReady.message}\n`);
  });
  app.get("/status", async (_request, reply) => {
    const status = await sources.status();
    if (status !== undefined) return status;
    return reply.code(503).send({ notReady: sources.notReady() });
  });
  app.get("/metrics", async (_request, reply) => {
    await sources.observe();
    const { registry } = sources.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
