import { setTimeout as sleep } from "node:timers/promises";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { ListenAddress } from "../telemetry/address.ts";
import type { Logger } from "../telemetry/log.ts";
import type { SandboxAnswer, SandboxRequest } from "./answer.ts";
import type { Traffic } from "./counters.ts";
import type { FaultAction, Faults, Gate, Side } from "./faults.ts";

export interface SideParts {
  readonly side: Side;
  readonly handle: (request: SandboxRequest) => Promise<SandboxAnswer>;
  readonly gate: Gate;
  readonly faults: Faults;
  readonly traffic: Traffic;
  readonly logger: Logger;
}

export interface Listener {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

const largestBodyBytes = 64 * 1024 * 1024;

/** Serves one side over HTTP, with the faults and switches that tests ask for. */
export async function listenSide(parts: SideParts, address: ListenAddress): Promise<Listener> {
  const app = fastify({ bodyLimit: largestBodyBytes, forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  app.route({
    method: ["GET", "POST", "PATCH", "PUT", "DELETE"],
    url: "*",
    handler: (request, reply) => serve(parts, request, reply),
  });
  return listen(app, address);
}

/** Starts a fastify server and tells where it is. */
export async function listen(app: FastifyInstance, address: ListenAddress): Promise<Listener> {
  await bind(app, address);
  const bound = app.server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
  const host = address.host ?? "127.0.0.1";
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    close: async () => {
      await app.close();
    },
  };
}

/** Without a host: every address, IPv6 included where the machine has it. */
async function bind(app: FastifyInstance, { host, port }: ListenAddress): Promise<void> {
  try {
    await app.listen({ port, host: host ?? "::" });
  } catch (error) {
    const noIpv6 = error instanceof Error && "code" in error && error.code === "EAFNOSUPPORT";
    if (host !== undefined || !noIpv6) throw error;
    await app.listen({ port, host: "0.0.0.0" });
  }
}

async function serve(parts: SideParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { traffic, gate, faults, side } = parts;
  const arrivedAt = performance.now();
  traffic.begin();
  const target = request.raw.url ?? "/";
  let filed = { endpoint: "unserved", status: 0, rows: 0 };
  let fault: FaultAction | undefined;
  try {
    const state = await gate.pass();
    if (state === "unreachable") return reset(reply);
    if (state === "unavailable") {
      filed = { endpoint: "outage", status: 503, rows: 0 };
      return send(reply, {
        endpoint: "outage",
        status: 503,
        headers: { "content-type": "text/html" },
        body: "<h2>Our services aren't available right now</h2>",
      });
    }
    fault = faults.take(side, request.method, target);
    if (fault?.kind === "reset") return reset(reply);
    if (fault?.kind === "blackHole") return hold(reply);
    if (fault?.kind === "status") {
      filed = { endpoint: "fault", status: fault.status, rows: 0 };
      const headers = { "content-type": "application/json", ...fault.headers };
      return send(reply, { endpoint: "fault", status: fault.status, headers, body: fault.body ?? "" });
    }
    if (fault?.kind === "slow") await sleep(fault.milliseconds);
    const answer = await parts.handle(asSandboxRequest(request, target, arrivedAt, fault?.kind === "tokenExpired"));
    filed = { endpoint: answer.endpoint, status: answer.status, rows: answer.rows ?? 0 };
    if (fault?.kind === "loseAnswerAfterWrite") return reset(reply);
    if (fault?.kind === "truncate") return truncate(reply, answer);
    return send(reply, answer);
  } catch (error) {
    parts.logger.error("the sandbox failed to answer", { side, method: request.method, error });
    filed = { endpoint: "sandbox error", status: 500, rows: 0 };
    return send(reply, {
      endpoint: "sandbox error",
      status: 500,
      headers: { "content-type": "text/plain" },
      body: `sandbox error: ${String(error)}`,
    });
  } finally {
    traffic.end(request.method, filed.endpoint, filed.status, filed.rows, fault !== undefined);
  }
}

/** A token that was never given out is refused by the service in its own words. */
function asSandboxRequest(
  request: FastifyRequest,
  target: string,
  arrivedAt: number,
  spoilToken: boolean,
): SandboxRequest {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const scheme = request.headers["x-forwarded-proto"] === "https" ? "https" : "http";
  return {
    method: request.method,
    target,
    arrivedAt,
    path,
    query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
    headers: spoilToken ? { ...request.headers, authorization: "Bearer expired" } : request.headers,
    origin: `${scheme}://${request.headers.host ?? "localhost"}`,
    body: typeof request.body === "string" ? request.body : "",
  };
}

/** Written past fastify, which would rewrite the content type. */
function send(reply: FastifyReply, { status, headers, body }: SandboxAnswer): void {
  reply.hijack();
  const empty = status === 204 || status === 304;
  const length = empty ? {} : { "content-length": String(Buffer.byteLength(body)) };
  reply.raw.writeHead(status, { ...headers, ...length }).end(empty ? undefined : body);
}

function reset(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.socket?.resetAndDestroy();
}

/** Leaves the connection open and silent; it ends when the caller or the sandbox closes it. */
function hold(reply: FastifyReply): void {
  reply.hijack();
}

function truncate(reply: FastifyReply, answer: SandboxAnswer): void {
  reply.hijack();
  const body = Buffer.from(answer.body);
  reply.raw.writeHead(answer.status, { ...answer.headers, "content-length": String(Math.max(2, body.length)) });
  reply.raw.write(body.subarray(0, Math.floor(body.length / 2)), () => reply.raw.socket?.destroy());
  reply.raw.flushHeaders();
}
