import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { Registry } from "prom-client";

/** What a scrape is answered with, piece by piece. */
export type MetricsText = () => AsyncIterable<string> | Iterable<string>;

/** `GET /metrics`, sent as it is written: thousands of workflows neither hold up the process nor lie in memory as one text. */
export function addMetricsRoute(server: FastifyInstance, text: MetricsText): void {
  server.get("/metrics", (_request, reply) =>
    reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(Readable.from(text(), { objectMode: false })),
  );
}
