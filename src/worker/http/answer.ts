import type { IncomingHttpHeaders } from "node:http";
import { plainDecimal } from "../decimal.ts";

/** How the clients take answers apart. Nothing here throws, for a parser's own error message would quote the answer. */

/** The JSON value of a body, or undefined when it is not JSON (empty, cut short, a page of HTML). */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(textOf(body));
  } catch {
    return undefined;
  }
}

/** `[:,[]` and sixteen digits: from there on a double may not hold a number exactly. */
const longNumber = /[:,[]\s*-?\d[\d.]{15}/;

/** As `jsonOf`, but a number that a double does not hold exactly is its own text: `9007199254740993`, `0.12345678901234567`. */
export function exactJsonOf(body: Buffer): unknown {
  const text = textOf(body);
  if (!longNumber.test(text)) return jsonOf(body); // Looking at every value makes the parser several times slower.
  try {
    return JSON.parse(text, exactly);
  } catch {
    return undefined;
  }
}

/** Node gives a primitive's own text as the third argument; the types of the language do not know it yet. */
function exactly(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return plainDecimal(context.source) === plainDecimal(String(value)) ? value : context.source;
}

/** Dataverse puts a byte order mark before some answers (retrieve-entity-using-web-api.md). */
export function textOf(body: Buffer): string {
  const text = body.toString("utf8");
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A header's number; Dataverse writes `1,199.95`. */
export function numberHeader(headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = headerOf(headers, name)?.replaceAll(",", "").trim();
  const number = text === undefined || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** Retry-After, in seconds or as a date against the answer's own `Date` (RFC 9110 section 10.2.3). At most an hour. */
export function retryAfterSeconds(headers: IncomingHttpHeaders): number | undefined {
  const text = headerOf(headers, "retry-after");
  if (text === undefined) return undefined;
  const seconds = /^\s*\d+(?:\.\d+)?\s*$/.test(text)
    ? Number(text)
    : (Date.parse(text) - Date.parse(headerOf(headers, "date") ?? "")) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3600) : undefined;
}

/** 408, 421 and 425 speak of the way that the call took, not of what it asks for (RFC 9110 section 15.5, RFC 8470). */
export function isOfTheWay(status: number): boolean {
  return status === 408 || status === 421 || status === 425;
}
