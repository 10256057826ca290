import Fastify, { type FastifyInstance } from "fastify";
import { Gauge, Histogram, type Registry } from "prom-client";
import { type ListenAddress, listenFailure } from "../telemetry/address.ts";
import { addMetricsRoute } from "../telemetry/metrics-route.ts";

/** Below it, an answer goes on for as long as the page is open. */
const livePages = "/live/";

/** Counts what browsers ask, by route: never by address, which names workflows. */
export function measureRequests(server: FastifyInstance, registry: Registry): void {
  const registers = [registry];
  const took = new Histogram({
    name: "integration_workflow_console_request_duration_seconds",
    help: "How long answers took; open pages are not in it.",
    labelNames: ["method", "route", "code"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const live = new Gauge({
    name: "integration_workflow_console_live_pages",
    help: "Pages that are open and told of changes.",
    registers,
  });
  server.addHook("onRequest", async ({ method, routeOptions }, { raw }) => {
    const route = routeOptions.url ?? "none";
    if (route.startsWith(livePages)) {
      live.inc();
      raw.once("close", () => live.dec());
      return;
    }
    const startedAtMs = performance.now();
    raw.once("close", () =>
      took.observe({ method, route, code: raw.statusCode }, (performance.now() - startedAtMs) / 1000),
    );
  });
}

/** On an address of its own: what people reach through an ingress tells nothing of the process. @throws when it is in use */
export async function serveMetrics({ host = "::", port }: ListenAddress, registry: Registry) {
  const server = Fastify({ logger: false, forceCloseConnections: true });
  addMetricsRoute(server, async function* () {
    yield await registry.metrics();
  });
  try {
    return { url: await server.listen({ host, port }), close: () => server.close() };
  } catch (cause) {
    const failure = listenFailure(cause);
    throw failure === undefined ? cause : new Error(failure, { cause });
  }
}
