import type { Readable } from "node:stream";
import { Agent, buildConnector } from "undici";
import type { Connection } from "./connection.ts";
import { ConfigurationError, ConnectionError } from "./errors.ts";

/** One HTTP exchange, authenticated, over the cluster's one pool of connections. */
export interface Transport {
  /**
   * Sends, and resolves when the head of the answer is there, whatever its status.
   * The caller reads the body to its end or destroys it: the connection is not free before.
   * @throws ConnectionError when no answer came; the signal's reason when the signal ended the wait
   */
  send(request: TransportRequest): Promise<TransportResponse>;
  /** Closes every connection. What is in flight fails, so end watches and work before. */
  close(): Promise<void>;
}

export interface TransportRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
}

export interface TransportResponse {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Readable;
}

export interface TransportOptions {
  connection: Connection;
  userAgent: string;
  /** Time for TCP and TLS together. */
  connectTimeoutMs?: number;
  /** Called once for each request that was sent: with the answer's status, or without one when there was no answer. */
  onRequest?: (method: TransportRequest["method"], status: number | undefined) => void;
}

/**
 * HTTP/1.1 on purpose: over HTTP/2 every watch and every call would share one connection, and one half-open
 * connection would then stall all of them at once. The pool grows with the calls in flight and keeps what is idle for a
 * minute; its size is bounded by the callers (watches plus the concurrency of the queues).
 */
export function createTransport(options: TransportOptions): Transport {
  const { connection, userAgent, connectTimeoutMs = 10_000, onRequest } = options;
  const makePool = (): Pool => {
    const pool: { -readonly [K in keyof Pool]: Pool[K] } = {
      certificate: undefined,
      agent: new Agent({
        allowH2: false,
        connect: connectorOf(connection, connectTimeoutMs, (certificate) => {
          pool.certificate ??= certificate;
        }),
        keepAliveTimeout: 60_000,
        // Deadlines are the callers' signals: a watch is silent for minutes, a call never.
        headersTimeout: 0,
        bodyTimeout: 0,
      }),
    };
    return pool;
  };
  let current = makePool();
  /** With calls in flight still, such as watches. */
  const left = new Set<Pool>();
  const url = new URL(connection.server);
  const prefix = url.pathname.replace(/\/$/, "");

  async function sendOnce(request: TransportRequest, { agent }: Pool) {
    const headers = {
      accept: "application/json",
      "user-agent": userAgent,
      ...(await connection.credentials.headers()),
      ...request.headers,
    };
    try {
      const answer = await agent.request({
        origin: url.origin,
        path: `${prefix}${request.path}`,
        method: request.method,
        headers,
        body: request.body ?? null,
        signal: request.signal,
      });
      onRequest?.(request.method, answer.statusCode);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (cause) {
      onRequest?.(request.method, undefined);
      throw request.signal.aborted ? request.signal.reason : unreachable(connection.server, cause);
    }
  }

  /**
   * A connection is signed in by the certificate of its handshake, and lives on while it is used: a renewed one needs new
   * connections. @returns whether there are any since
   */
  async function leaveIfRenewed(pool: Pool): Promise<boolean> {
    if (pool !== current) return true;
    const certificate = await connection.credentials.clientCertificate().catch(() => undefined);
    if (pool !== current) return true;
    if (certificate === undefined || pool.certificate === undefined || certificate.cert === pool.certificate)
      return false;
    current = makePool();
    left.add(pool);
    void pool.agent.close().finally(() => left.delete(pool));
    return true;
  }

  return {
    async send(request) {
      const pool = current;
      const answer = await sendOnce(request, pool);
      if (answer.status !== 401) return answer;
      const mayDiffer = connection.credentials.forget();
      if (!(await leaveIfRenewed(pool)) && !mayDiffer) return answer;
      await answer.body.dump();
      return sendOnce(request, current);
    },
    close: async () => void (await Promise.all([current, ...left].map(({ agent }) => agent.destroy()))),
  };
}

/** Connections, and the certificate of the first of them. */
interface Pool {
  readonly agent: Agent;
  readonly certificate: string | undefined;
}

type Connector = (options: buildConnector.Options, callback: buildConnector.Callback) => void;

/** Certificates and CA are read at each handshake, so that renewed ones are taken up without a restart. */
function connectorOf(
  connection: Connection,
  timeout: number,
  onHandshake: (certificate: string | undefined) => void,
): Connector {
  return (options, callback) => {
    tlsOptions(connection)
      .then((tls) => {
        onHandshake(tls.cert);
        return buildConnector({ ...tls, allowH2: false, timeout, keepAlive: true, keepAliveInitialDelay: 30_000 })(
          options,
          callback,
        );
      })
      // Also what Node throws at once of a text that is no PEM: a file may be read while it is being renewed.
      .catch((error: unknown) => callback(unusable(connection, error), null));
  };
}

async function tlsOptions(connection: Connection): Promise<TlsOptions> {
  const trust = connection.trust();
  const certificate = await connection.credentials.clientCertificate();
  return {
    ...(trust.ca === undefined ? {} : { ca: trust.ca }),
    ...(trust.serverName === undefined ? {} : { servername: trust.serverName }),
    ...(trust.skipVerification ? { rejectUnauthorized: false } : {}),
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
  };
}

interface TlsOptions {
  readonly ca?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: false;
  readonly cert?: string;
  readonly key?: string;
}

function unusable({ origin }: Connection, cause: unknown): Error {
  if (cause instanceof ConfigurationError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ConfigurationError(`the client certificate, its key or the CA of ${origin} cannot be used: ${why}`, {
    cause,
  });
}

/** What Node says of a certificate is for people who run Node; whoever runs this has a kubeconfig or a pod. */
const distrust: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "no authority that is trusted has signed its certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "no authority that is trusted has signed its certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "no authority that is trusted has signed its certificate",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it has signed its certificate itself",
  CERT_HAS_EXPIRED: "its certificate has expired",
};

/** A connection failure in words that say which server, and why. */
export function unreachable(server: string, cause: unknown): Error {
  if (cause instanceof ConfigurationError) return cause;
  const code = codeOf(cause);
  const trouble = distrust[code ?? ""];
  if (trouble !== undefined) {
    const remedy = "check the cluster's certificate-authority in the kubeconfig";
    return new ConnectionError(`the API server at ${server} is not trusted: ${trouble}; ${remedy}`, { cause });
  }
  const message = cause instanceof Error && cause.message !== "" ? cause.message : (code ?? String(cause));
  return new ConnectionError(`no answer from the API server at ${server}: ${message}`, { cause });
}

/** Whether the server's certificate is why no answer came. */
export function isUntrusted(error: unknown): boolean {
  return error instanceof ConnectionError && distrust[codeOf(error.cause) ?? ""] !== undefined;
}

function codeOf(cause: unknown): string | undefined {
  return typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined;
}
