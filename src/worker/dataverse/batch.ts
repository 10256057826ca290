/**
 * The bodies of `POST $batch`: HTTP messages as parts of one, each on its own (no change set).
 * Source: webapi/execute-batch-operations-using-web-api.md. Lines end with CR and LF (RFC 2046 section 4.1.1). Pure.
 */
import { headerOf } from "../http/answer.ts";
import type { HttpRequest, HttpResponse } from "../http/transport.ts";

/** @param boundary stands in no part */
export function batchBody(requests: readonly HttpRequest[], boundary: string): string {
  const parts = requests.map(({ method, url, headers, body }) => {
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const type = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    return `--${boundary}\r\n${type}${method} ${url} HTTP/1.1\r\n${head.join("")}\r\n${body ?? ""}\r\n`;
  });
  return `${parts.join("")}--${boundary}--\r\n`;
}

/** The answers of the parts, in the order of the requests; as many as came whole. */
export function batchAnswers(response: HttpResponse): readonly HttpResponse[] {
  const type = headerOf(response.headers, "content-type") ?? "";
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i
    .exec(type)
    ?.slice(1)
    .find((text) => text !== undefined);
  if (!/^multipart\/mixed/i.test(type) || boundary === undefined) return [];
  // One character a byte: bodies are turned back into bytes below.
  const parts = `\r\n${response.body.toString("latin1")}`.split(`\r\n--${boundary}`).slice(1);
  const end = parts.findIndex((part) => part.startsWith("--"));
  const answers = parts.slice(0, end < 0 ? -1 : end).map((part) => messageOf(part, response.secondsToAnswer));
  const broken = answers.indexOf(undefined);
  return (broken < 0 ? answers : answers.slice(0, broken)).filter((answer) => answer !== undefined);
}

/** A part's own headers, then a status line, headers, and a body. */
function messageOf(part: string, secondsToAnswer: number): HttpResponse | undefined {
  const message = part.slice(part.indexOf("\r\n\r\n") + 4);
  const [, status, headers = "", body = ""] =
    /^HTTP\/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)(?:\r\n(.*))?$/s.exec(`${message}\r\n`) ?? [];
  if (status === undefined) return undefined;
  const named = headers.split("\r\n").map((line) => line.split(/:\s*/, 2));
  return {
    status: Number(status),
    headers: Object.fromEntries(named.map(([name = "", value = ""]) => [name.toLowerCase(), value])),
    body: Buffer.from(body.replace(/(\r\n)+$/, ""), "latin1"),
    secondsToAnswer,
  };
}
