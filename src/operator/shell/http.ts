import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Registry } from "prom-client";
import type { ListenAddress } from "../../telemetry/address.ts";
import type { MetricsText } from "../../telemetry/metrics-route.ts";

export interface Health {
  /** Undefined: alive. Else why not. */
  readonly live: () => string | undefined;
  readonly ready: () => string | undefined;
}

export interface HttpOptions {
  readonly healthAddress: ListenAddress | undefined;
  readonly metricsAddress: ListenAddress | undefined;
  readonly health: Health;
  readonly metrics: MetricsText;
}

export interface HttpServers {
  /** Where they listen: with port 0, the port that was given. */
  readonly addresses: { readonly health: string | undefined; readonly metrics: string | undefined };
  close(): Promise<void>;
}

type Routes = ReadonlyMap<string, (response: ServerResponse) => void>;

/**
 * /livez and /readyz on one address, /metrics on another, or all on one. By Node's own server: a framework takes
 * longer to load than three paths that take nothing are worth.
 * @throws when an address is in use
 */
export async function serveHttp(options: HttpOptions): Promise<HttpServers> {
  const { healthAddress, metricsAddress } = options;
  const servers: Server[] = [];
  const serve = async (address: ListenAddress | undefined, routes: Routes): Promise<string | undefined> => {
    if (address === undefined) return undefined;
    const server = createServer((request, response) => answer(routes, request, response));
    server.listen({ host: address.host ?? "::", port: address.port });
    await once(server, "listening");
    servers.push(server);
    const { address: host, port, family } = server.address() as AddressInfo; // That of a server that listens on a port.
    return `http://${family === "IPv6" ? `[${host}]` : host}:${port}`;
  };
  const health = healthRoutes(options.health);
  const metrics: Routes = new Map([["/metrics", (response) => sendMetrics(options.metrics, response)]]);
  try {
    if (isSame(healthAddress, metricsAddress)) {
      const url = await serve(healthAddress, new Map([...health, ...metrics]));
      return { addresses: { health: url, metrics: url }, close };
    }
    const addresses = { health: await serve(healthAddress, health), metrics: await serve(metricsAddress, metrics) };
    return { addresses, close };
  } catch (error) {
    await close();
    throw error;
  }

  async function close(): Promise<void> {
    const closing = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const server of servers) server.closeAllConnections();
    await Promise.all(closing);
  }
}

function answer(routes: Routes, { method, url = "" }: IncomingMessage, response: ServerResponse): void {
  const [path = ""] = url.split("?", 1);
  const route = routes.get(path);
  if (route === undefined) sendText(response, 404, `here is ${[...routes.keys()].join(", ")}`);
  else if (method === "GET" || method === "HEAD") route(response);
  else sendText(response.setHeader("allow", "GET, HEAD"), 405, "only GET and HEAD are answered");
}

function healthRoutes({ live, ready }: Health): Routes {
  const route = (check: () => string | undefined) => (response: ServerResponse) => {
    const problem = check();
    sendText(response, problem === undefined ? 200 : 503, problem ?? "ok");
  };
  return new Map([
    ["/livez", route(live)],
    ["/readyz", route(ready)],
  ]);
}

/** Sent as it is written: thousands of workflows neither hold up the process nor lie in memory as one text. */
function sendMetrics(text: MetricsText, response: ServerResponse): void {
  response.setHeader("content-type", Registry.PROMETHEUS_CONTENT_TYPE);
  // Whoever asks may leave before the end, and sees it when it breaks off.
  pipeline(Readable.from(text(), { objectMode: false }), response).catch(() => response.destroy());
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

function isSame(left: ListenAddress | undefined, right: ListenAddress | undefined): boolean {
  return left !== undefined && left.port !== 0 && left.port === right?.port && left.host === right.host;
}
