import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type BatchResponsePart, readBatch } from "../../../sandbox/batch-message.ts";
import type { Caller } from "../../../sandbox/callers.ts";

/*
 * Golden files: exchanges as the two services' own documentation prints them. Ids, links, times and values may differ;
 * status, headers, names, types and error messages may not.
 */

export interface Exchange {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

/** @param name of a file in this folder: `=== name`, `>>>` a request, `<<<` its response */
export function readExchanges(name: string): readonly Exchange[] {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return text
    .split(/^=== /m)
    .slice(1)
    .map((section) => {
      const [title = "", request = "", response = ""] = section.split(/\n(?:>>>|<<<)\n/);
      const asked = message(request);
      const [method = "", ...url] = asked.line.replace(/\s+HTTP\/1\.1$/, "").split(" ");
      const answered = message(response);
      const status = Number(answered.line.split(" ")[1]);
      return { name: title, method, url: url.join(" "), ...asked, response: { status, ...answered } };
    });
}

function message(text: string): { line: string; headers: Record<string, string>; body: string } {
  const end = text.indexOf("\n\n");
  const [line = "", ...lines] = (end < 0 ? text.trimEnd() : text.slice(0, end)).split("\n").map((one) => one.trim());
  const headers = lines.map((one) => [
    one.slice(0, one.indexOf(":")).toLowerCase(),
    one.slice(one.indexOf(":") + 1).trim(),
  ]);
  return { line, headers: Object.fromEntries(headers), body: end < 0 ? "" : text.slice(end + 2).trimEnd() };
}

/** Sends the request and holds the answer against the documented one. `{a.b}` stands for a value of the answer before. */
export async function replay(caller: Caller, exchange: Exchange, fill: (text: string) => string): Promise<unknown> {
  const multipart = exchange.headers["content-type"]?.startsWith("multipart/") === true;
  const lineEnds = (text: string) => (multipart ? `${text.replaceAll("\n", "\r\n")}\r\n` : text);
  const { method, headers } = exchange;
  const answer = await caller.call(method, fill(exchange.url), {
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)])),
    ...(exchange.body === "" ? {} : { body: lineEnds(fill(exchange.body)) }),
  });
  const { response } = exchange;
  expect(answer.status).toBe(response.status);
  sameHeaders(Object.fromEntries(answer.headers), response.headers);
  if (multipart) sameParts(answer.headers.get("content-type") ?? "", answer.text, fill(response.body));
  else if (response.body.startsWith("{")) sameShape(answer.json, JSON.parse(fill(response.body)), "answer");
  else if (response.body === "") expect(answer.text).toBe("");
  else expect(answer.text.replace("\ufeff", "")).toMatch(/^\d+$/);
  return answer.json;
}

function sameParts(contentType: string, actual: string, documented: string): void {
  const boundary = /^--(\S+)/.exec(documented)?.[1] ?? "";
  const wanted = readBatch(`multipart/mixed; boundary=${boundary}`, `${documented.replaceAll("\n", "\r\n")}\r\n`);
  sameAnswers(readBatch(contentType, actual), wanted);
}

type Parts = readonly (BatchResponsePart | readonly BatchResponsePart[])[];

function sameAnswers(actual: Parts, wanted: Parts): void {
  expect(actual.length).toBe(wanted.length);
  for (const [index, part] of wanted.entries()) {
    const found = actual[index];
    if (Array.isArray(part)) {
      sameAnswers(found as BatchResponsePart[], part);
      continue;
    }
    const { status, contentId, headers, json } = part as BatchResponsePart;
    const answer = found as BatchResponsePart;
    expect({ status: answer.status, contentId: answer.contentId }).toEqual({ status, contentId });
    sameHeaders(answer.headers, headers);
    sameShape(answer.json, json, `part ${index}`);
  }
}

/** Every documented header is there; of a content type only the media type counts, of an address its form. */
function sameHeaders(actual: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): void {
  const form = (name: string, value: string | undefined) => {
    if (name === "content-type") return value?.split(";")[0];
    return name === "req_id" ? undefined : value?.replace(/\([0-9a-f-]{36}\)/, "(id)");
  };
  for (const [name, value] of Object.entries(wanted)) {
    expect(actual, `header ${name}`).toHaveProperty([name]);
    expect(form(name, actual[name]), name).toBe(form(name, value));
  }
}

/** Strings that must be as documented, for they are the service's own words. */
const literal = new Set(["@odata.context", "message", "reason", "error_code", "type", "schema", "data", "formType"]);
const forms: readonly RegExp[] = [
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  /^W\/"\d+"$/,
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/,
  /^\d+!\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/,
  /^https?:\/\/.*\$deltatoken=\d+%21/,
  /^https?:\/\/.*\$skiptoken=%3Ccookie%20pagenumber/,
  /^https?:\/\/\S+$/,
];

/** `"..."` as a key or as an element: there may be more. null may stand for any value, on either side. */
function sameShape(actual: unknown, wanted: unknown, path: string): void {
  if (wanted === null || actual === null) return;
  if (Array.isArray(wanted)) {
    const elements = wanted.filter((one) => one !== "...");
    expect(Array.isArray(actual), path).toBe(true);
    const found = actual as unknown[];
    if (elements.length < wanted.length) expect(found.length, path).toBeGreaterThanOrEqual(elements.length);
    else expect(found.length, path).toBe(elements.length);
    for (const [index, one] of elements.entries()) sameShape(found[index], one, `${path}[${index}]`);
    return;
  }
  expect(typeof actual, path).toBe(typeof wanted);
  if (typeof wanted === "object") sameObject(actual as Record<string, unknown>, { ...wanted }, path);
  else if (typeof wanted === "string") sameText(String(actual), wanted, path);
}

function sameObject(actual: Record<string, unknown>, wanted: Record<string, unknown>, path: string): void {
  const { "...": more, ...named } = wanted;
  if (more === undefined) expect(Object.keys(actual).sort(), path).toEqual(Object.keys(named).sort());
  for (const [name, value] of Object.entries(named)) {
    expect(actual, path).toHaveProperty([name]);
    if (literal.has(name) && typeof value === "string") {
      expect(actual[name], `${path}.${name}`).toBe(value);
    } else {
      sameShape(actual[name], value, `${path}.${name}`);
    }
  }
}

function sameText(actual: string, wanted: string, path: string): void {
  const form = forms.find((one) => one.test(wanted));
  if (form !== undefined) expect(actual, path).toMatch(form);
}
