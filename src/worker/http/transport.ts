import type { IncomingHttpHeaders } from "node:http";
import { getCACertificates } from "node:tls";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Dispatcher, Pool } from "undici";
import { abortedError, type ServiceName, serviceError } from "./service-error.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Absolute, without a fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whole, and unpacked if it came compressed. */
  readonly body: Buffer;
  /** From the sending to the first byte of the answer: at least what the server spent on it. */
  readonly secondsToAnswer: number;
}

export interface TransportOptions {
  /** PEM certificates to be trusted beside the system's own. */
  readonly caBundle?: string;
  readonly connectTimeoutSeconds?: number;
  /** From the sending to the first byte of the answer. */
  readonly headersTimeoutSeconds?: number;
  /** Silence within an answer. */
  readonly bodyTimeoutSeconds?: number;
  readonly maxResponseBytes?: number;
  /** Connections to one host; a call above them waits for one. */
  readonly connectionsPerHost?: number;
}

/**
 * HTTP to the services: one pool of connections a host, no redirects, no cookies (an affinity cookie would tie all
 * calls to one Dataverse server, send-parallel-requests.md), no retries: what a failed call means, the caller decides.
 */
export class Transport {
  readonly #options: Required<Omit<TransportOptions, "caBundle">>;
  readonly #ca: string[] | undefined;
  readonly #pools = new Map<string, Pool>();
  #isClosed = false;

  constructor(options: TransportOptions = {}) {
    const { caBundle, ...rest } = options;
    this.#options = {
      connectTimeoutSeconds: 10,
      headersTimeoutSeconds: 60,
      bodyTimeoutSeconds: 60,
      maxResponseBytes: 64 * 1024 * 1024,
      connectionsPerHost: 64,
      ...rest,
    };
    this.#ca = caBundle === undefined ? undefined : [...getCACertificates("default"), caBundle];
  }

  /**
   * @returns any answer that came whole, whatever its status
   * @throws ServiceError `Unreachable`, `TimedOut`, `ConnectionLost`, `BadResponse`, `Aborted`; its outcome is `NotSent`
   * only if not a byte was written
   */
  async send(service: ServiceName, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const url = new URL(request.url);
    const what = `${request.method} to ${url.host}`;
    if (signal.aborted) throw abortedError(service, what, signal, "NotSent");
    if (this.#isClosed) throw serviceError(service, `${service}: ${what} came after the end`, closed);
    const exchange = new Exchange(this.#options.maxResponseBytes);
    const onAbort = () => exchange.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#pool(url).dispatch(
        {
          method: request.method,
          path: pathAsWritten(request.url, url),
          headers: { ...request.headers, "accept-encoding": "gzip" },
          body: request.body ?? null,
        },
        exchange,
      );
      const answer = await exchange.done;
      return { ...answer, body: await unpacked(answer, this.#options.maxResponseBytes) };
    } catch (error) {
      const outcome = exchange.started ? "Unknown" : "NotSent";
      if (signal.aborted) throw abortedError(service, what, signal, outcome);
      const { code, text } = describeFailure(error, exchange.started);
      throw serviceError(service, `${service}: ${what} failed: ${text}`, { code, outcome, cause: error });
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends every connection, calls in flight included. Nothing is sent any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  #pool(url: URL): Pool {
    let pool = this.#pools.get(url.origin);
    if (pool === undefined) {
      const options = this.#options;
      const timeout = options.connectTimeoutSeconds * 1000;
      pool = new Pool(url.origin, {
        connections: options.connectionsPerHost,
        allowH2: false,
        connect: { timeout, ...(this.#ca === undefined ? {} : { ca: this.#ca }) },
        headersTimeout: options.headersTimeoutSeconds * 1000,
        bodyTimeout: options.bodyTimeoutSeconds * 1000,
      });
      this.#pools.set(url.origin, pool);
    }
    return pool;
  }
}

const closed = { code: "Aborted", outcome: "NotSent" } as const;

/** A link is followed as it is written: `URL` would encode some characters anew, and links are opaque. */
function pathAsWritten(text: string, url: URL): string {
  const path = text.slice(text.indexOf("/", text.indexOf("//") + 2));
  return text.startsWith(`${url.origin}/`) && /^[\x21-\x7e]+$/.test(path) && !path.includes("#")
    ? path
    : url.pathname + url.search;
}

type RawAnswer = Omit<HttpResponse, "body"> & { readonly body: Buffer };

/** One request and its answer, as undici tells it. */
class Exchange implements Dispatcher.DispatchHandler {
  /** Whether undici began to write the request. Until then, nothing was sent. */
  started = false;
  readonly done: Promise<RawAnswer>;
  readonly #maxBytes: number;
  readonly #settle: { resolve: (answer: RawAnswer) => void; reject: (error: unknown) => void };
  #controller: Dispatcher.DispatchController | undefined;
  #aborted = false;
  #startedAt = 0;
  #secondsToAnswer = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
    this.done = promise;
    this.#settle = { resolve, reject };
  }

  /** Ends the call now. One that still waits for a connection will not be sent when it gets one. */
  abort(): void {
    this.#aborted = true;
    const reason = new Error("given up");
    this.#controller?.abort(reason);
    this.#settle.reject(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) {
      controller.abort(new Error("given up"));
      return;
    }
    this.started = true;
    this.#startedAt = performance.now();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#secondsToAnswer = (performance.now() - this.#startedAt) / 1000;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#chunks = [];
      controller.abort(new ResponseTooLarge(this.#maxBytes));
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle.resolve({
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks, this.#bytes),
      secondsToAnswer: this.#secondsToAnswer,
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#settle.reject(error);
  }
}

class ResponseTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`the answer is larger than ${maxBytes} bytes`);
  }
}

const gunzipped = promisify(gunzip);

async function unpacked(answer: RawAnswer, maxBytes: number): Promise<Buffer> {
  const encoding = answer.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity" || answer.body.length === 0) return answer.body;
  if (encoding !== "gzip") throw new UnreadableResponse(`content-encoding ${String(encoding)} was not asked for`);
  try {
    return await gunzipped(answer.body, { maxOutputLength: maxBytes });
  } catch (error) {
    throw new UnreadableResponse("the compressed answer is broken or too large", { cause: error });
  }
}

class UnreadableResponse extends Error {}

function describeFailure(
  error: unknown,
  started: boolean,
): { code: "Unreachable" | "TimedOut" | "ConnectionLost" | "BadResponse"; text: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ResponseTooLarge || error instanceof UnreadableResponse) {
    return { code: "BadResponse", text: message };
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!started) return { code: "Unreachable", text: [connectAdvice(code), message].filter(Boolean).join(": ") };
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return { code: "TimedOut", text: message };
  return { code: "ConnectionLost", text: "the connection broke before the answer was whole" };
}

function connectAdvice(code: string): string {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the host name cannot be resolved";
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "no connection in time";
  return code.includes("CERT") || code.includes("SIGNATURE") || code.startsWith("ERR_TLS")
    ? "its certificate is not trusted (a private CA goes into spec.caBundle)"
    : "";
}
