/** Stands between a client and a real API server and breaks what passes, in the ways in which networks and servers do. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Connection } from "../../../src/kubernetes/connection.ts";

/**
 * What happens to requests that come from now on, or to the first so many `times`. Requests in flight are only touched by
 * `resetConnections`.
 */
export type Fault =
  | { type: "none" }
  /** Connections are accepted and reset. */
  | { type: "reset" }
  /** Connections are accepted, and nothing is ever answered. */
  | { type: "blackHole" }
  /** The server says no; `to` says to what. */
  | { type: "answer"; to: "watch" | "all"; status: number; reason: string; retryAfterSeconds?: number; times?: number }
  /** Everything is answered so much later. */
  | { type: "slow"; ms: number }
  /** A watch is accepted and its first line is an ERROR event. */
  | { type: "errorEvent"; status: number; reason: string; times?: number };

/** A request that left the client and is still on its way. */
export interface HeldRequest {
  /** Resolves when it is here. */
  readonly arrived: Promise<void>;
  /** Sends it on, whether or not the client still waits. @returns what the API server answered */
  release(): Promise<{ status: number; body: string }>;
}

export interface FaultProxy {
  /** http://127.0.0.1:port; signed in as the connection's user. */
  readonly url: string;
  /** TCP connections accepted so far. */
  connections(): number;
  /** Watches that are open through the proxy. */
  openWatches(): number;
  /** What the fault answered, swallowed or cut, since the last `set`. */
  hits(): number;
  set(fault: Fault): void;
  /** The next request that fits, a watch apart, goes nowhere before it is released. */
  hold(fits: (request: { method: string; path: string; body: string }) => boolean): HeldRequest;
  /** Sends RST on every open connection. */
  resetConnections(): void;
  /** Every open connection goes silent for good, in both directions, and stays open. New ones work. */
  halfOpenConnections(): void;
  /** Of every open watch, the next bytes are forwarded only to the middle of a line; then the answer ends as if whole. */
  cutNextLine(): void;
  stop(): Promise<void>;
}

type Send = () => Promise<{ status: number; body: string }>;

interface Hold {
  readonly fits: (request: { method: string; path: string; body: string }) => boolean;
  readonly arrive: (send: Send) => void;
}

/** Starts a proxy in front of the API server that `connection` leads to. */
export async function startFaultProxy(connection: Connection): Promise<FaultProxy> {
  const certificate = await connection.credentials.clientCertificate();
  const agent = new Agent({ ...certificate, ca: connection.trust().ca, keepAlive: true });
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let fault: Fault = { type: "none" };
  let accepted = 0;
  let hits = 0;
  let cuts = new Set<ServerResponse>();
  const openWatches = new Set<ServerResponse>();
  const holds = new Set<Hold>();

  const http = createServer((incoming, outgoing) => {
    const watch = incoming.url?.includes("watch=true") === true;
    if ("times" in fault && fault.times !== undefined && hits >= fault.times) fault = { type: "none" };
    if (fault.type === "answer" && (fault.to === "all" || watch)) {
      hits += 1;
      const headers = fault.retryAfterSeconds === undefined ? {} : { "retry-after": String(fault.retryAfterSeconds) };
      outgoing.writeHead(fault.status, { "content-type": "application/json", ...headers });
      outgoing.end(statusJson(fault.status, fault.reason));
    } else if (fault.type === "errorEvent" && watch) {
      hits += 1;
      outgoing.writeHead(200, { "content-type": "application/json" });
      outgoing.end(`{"type":"ERROR","object":${statusJson(fault.status, fault.reason)}}\n`);
    } else if (fault.type === "blackHole") {
      hits += 1;
    } else if (fault.type === "slow") {
      hits += 1;
      setTimeout(() => forward(incoming, outgoing, watch), fault.ms);
    } else if (holds.size > 0 && !watch) {
      void holdOrForward(incoming, outgoing);
    } else {
      forward(incoming, outgoing, watch);
    }
  });

  async function holdOrForward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const { method = "", url = "", headers } = incoming;
    const held = [...holds].find(({ fits }) => fits({ method, path: url, body }));
    const send = (): Promise<{ status: number; body: string }> =>
      new Promise((resolve, reject) => {
        const upstream = request(new URL(url, connection.server), { agent, method, headers }, (answer) => {
          const answered: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => answered.push(chunk));
          answer.on("end", () => {
            const whole = Buffer.concat(answered);
            const status = answer.statusCode ?? 502;
            if (!outgoing.destroyed) outgoing.writeHead(status, answer.headers).end(whole);
            resolve({ status, body: whole.toString("utf8") });
          });
        });
        upstream.on("error", reject);
        upstream.end(body);
      });
    if (held === undefined) return void (await send().catch(() => outgoing.destroy()));
    holds.delete(held);
    held.arrive(send);
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, watch: boolean): void {
    const target = new URL(incoming.url ?? "/", connection.server);
    const upstream = request(target, { agent, method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      // The head of a watch goes out before its first event.
      outgoing.flushHeaders();
      if (watch) openWatches.add(outgoing);
      answer.on("data", (chunk: Buffer) => relay(outgoing, chunk, answer));
      answer.on("end", () => outgoing.end());
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => {
      openWatches.delete(outgoing);
      upstream.destroy();
    });
    incoming.pipe(upstream);
  }

  function relay(outgoing: ServerResponse, chunk: Buffer, answer: IncomingMessage): void {
    if (outgoing.socket !== null && silent.has(outgoing.socket)) {
      hits += 1;
      return;
    }
    if (!cuts.delete(outgoing)) {
      outgoing.write(chunk);
      return;
    }
    hits += 1;
    outgoing.end(chunk.subarray(0, Math.floor(chunk.length / 2)));
    answer.destroy();
  }

  const tcp = createTcpServer({ allowHalfOpen: true }, (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    if (fault.type === "reset") {
      hits += 1;
      socket.resetAndDestroy();
    } else http.emit("connection", socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  // A TCP server on a port has an AddressInfo.
  const { port } = tcp.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => accepted,
    openWatches: () => openWatches.size,
    hits: () => hits,
    set: (next) => {
      fault = next;
      hits = 0;
    },
    hold: (fits) => {
      const arrival = Promise.withResolvers<Send>();
      holds.add({ fits, arrive: arrival.resolve });
      return { arrived: arrival.promise.then(() => {}), release: async () => (await arrival.promise)() };
    },
    resetConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    halfOpenConnections: () => {
      for (const socket of sockets) {
        silent.add(socket);
        socket.pause();
      }
    },
    cutNextLine: () => {
      cuts = new Set(openWatches);
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

function statusJson(code: number, reason: string): string {
  return JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code,
    reason,
    message: "from the fault proxy",
  });
}
