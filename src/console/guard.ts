/** Which requests are a person's own: what another site makes their browser send is refused. Pure. */
import type { FastifyRequest } from "fastify";

export interface RequestHead {
  readonly method: string;
  readonly contentType: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, which no page can set. Absent: not a browser of the last years. */
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
}

export function headOf({ method, headers }: FastifyRequest): RequestHead {
  const one = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    method,
    contentType: one("content-type"),
    origin: one("origin"),
    fetchSite: one("sec-fetch-site"),
    fetchMode: one("sec-fetch-mode"),
  };
}

const safe = new Set(["GET", "HEAD"]);
const bodies = ["application/x-www-form-urlencoded", "application/json"];

/**
 * @param ownOrigin where people reach this server, such as `https://workflows.example.com`
 * @returns why it is refused; undefined when it is not
 */
export function refusalOf(head: RequestHead, ownOrigin: string): string | undefined {
  const { method, contentType, origin, fetchSite, fetchMode } = head;
  if (safe.has(method)) {
    // A link from another page may lead here; its scripts and images may not read from here.
    const isOwn = fetchSite === undefined || fetchSite === "same-origin" || fetchSite === "none";
    return isOwn || fetchMode === "navigate" ? undefined : "another site may not read from here";
  }
  if (fetchSite !== undefined && fetchSite !== "same-origin") return "another site may not change anything here";
  if (origin !== ownOrigin) return `a change has to come from ${ownOrigin}, which the server was told is its address`;
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return type === undefined || bodies.includes(type) ? undefined : "a change is sent as a form or as JSON";
}

/** Whether a page of another site has led the browser here: what it asks for may be seen, but its strict cookies stay back. */
export function isLedByAnother({ fetchSite, fetchMode }: Pick<RequestHead, "fetchSite" | "fetchMode">): boolean {
  return fetchMode === "navigate" && (fetchSite === "cross-site" || fetchSite === "same-site");
}
