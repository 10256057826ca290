import type { IncomingHttpHeaders } from "node:http";

/** One HTTP request, as far as a stand-in needs it. */
export interface SandboxRequest {
  readonly method: string;
  /** Path and query as they came over the wire, undecoded. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Scheme and authority that the caller used; links in answers start with it. */
  readonly origin: string;
  /** On the clock of `performance.now()`, before any fault held it back. */
  readonly arrivedAt: number;
  readonly body: string;
}

/** One HTTP answer. `endpoint` is the label under which the counters file it. */
export interface SandboxAnswer {
  readonly endpoint: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Rows that a read carried; for counters and for the cost model of the limits. */
  readonly rows?: number;
  /** Rows read and written, where one request carried many operations; for the cost model of the limits. */
  readonly operations?: number;
}

/** A single header's value; of several, the first. */
export function header(request: SandboxRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Whether the newest definitions are asked for (webapi/compose-http-requests-handle-errors.md, Other headers). */
export function isStrong(request: SandboxRequest): boolean {
  return header(request, "consistency")?.toLowerCase() === "strong";
}
