import Fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import type { ListenAddress } from "../../telemetry/address.ts";

export interface Health {
  /** Undefined: alive. Else why not. */
  readonly live: () => string | undefined;
  readonly ready: () => string | undefined;
}

export interface HttpOptions {
  readonly healthAddress: ListenAddress | undefined;
  readonly metricsAddress: ListenAddress | undefined;
  readonly health: Health;
  readonly registry: Registry;
}

export interface HttpServers {
  /** Where they listen: with port 0, the port that was given. */
  readonly addresses: { readonly health: string | undefined; readonly metrics: string | undefined };
  close(): Promise<void>;
}

/**
 * /livez and /readyz on one address, /metrics on another, or all on one.
 * @throws when an address is in use
 */
export async function serveHttp(options: HttpOptions): Promise<HttpServers> {
  const { healthAddress, metricsAddress } = options;
  const servers: FastifyInstance[] = [];
  const serve = async (address: ListenAddress | undefined, ...routes: ((server: FastifyInstance) => void)[]) => {
    if (address === undefined) return undefined;
    const server = Fastify({ logger: false });
    for (const add of routes) add(server);
    servers.push(server);
    return server.listen({ host: address.host ?? "::", port: address.port });
  };
  const health = (server: FastifyInstance): void => addHealth(server, options.health);
  const metrics = (server: FastifyInstance): void => addMetrics(server, options.registry);
  try {
    if (isSame(healthAddress, metricsAddress)) {
      const url = await serve(healthAddress, health, metrics);
      return { addresses: { health: url, metrics: url }, close };
    }
    const addresses = { health: await serve(healthAddress, health), metrics: await serve(metricsAddress, metrics) };
    return { addresses, close };
  } catch (error) {
    await close();
    throw error;
  }

  async function close(): Promise<void> {
    await Promise.all(servers.map((server) => server.close()));
  }
}

function addHealth(server: FastifyInstance, { live, ready }: Health): void {
  for (const [path, check] of [["/livez", live] as const, ["/readyz", ready] as const]) {
    server.get(path, (_request, reply) => {
      const problem = check();
      return reply
        .code(problem === undefined ? 200 : 503)
        .type("text/plain")
        .send(problem ?? "ok");
    });
  }
}

function addMetrics(server: FastifyInstance, registry: Registry): void {
  server.get("/metrics", async (_request, reply) => {
    const text = await registry.metrics();
    return reply.type(registry.contentType).send(text);
  });
}

function isSame(left: ListenAddress | undefined, right: ListenAddress | undefined): boolean {
  return left !== undefined && left.port !== 0 && left.port === right?.port && left.host === right.host;
}
