import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { SandboxAnswer } from "../answer.ts";
import { badRequest } from "./errors.ts";

/*
 * The bodies of `$batch`: multipart/mixed with an HTTP message in each part, a change set being a part of parts.
 * Source: webapi/execute-batch-operations-using-web-api.md. Lines end with CR and LF, as multipart demands (RFC 2046).
 */

/** One HTTP request inside a batch. */
export interface BatchOperation {
  readonly contentId: string | undefined;
  readonly method: string;
  /** As it was written: absolute, from the root, relative to the service root, or `$1/...`. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type BatchItem =
  | { readonly kind: "operation"; readonly operation: BatchOperation }
  | { readonly kind: "changeSet"; readonly operations: readonly BatchOperation[] };

/** What goes back for one item. */
export type BatchAnswer =
  | { readonly kind: "operation"; readonly answer: SandboxAnswer }
  | {
      readonly kind: "changeSet";
      readonly answers: readonly { readonly contentId: string | undefined; readonly answer: SandboxAnswer }[];
    };

/** @throws DataverseRefusal for what is no batch */
export function parseBatch(contentType: string | undefined, body: string): readonly BatchItem[] {
  return splitParts(boundaryOf(contentType), body).map((part): BatchItem => {
    const { headers, rest } = splitHeaders(part);
    const type = headers["content-type"] ?? "";
    if (!type.toLowerCase().startsWith("multipart/mixed"))
      return { kind: "operation", operation: readOperation(headers, rest) };
    const operations = splitParts(boundaryOf(type), rest).map((inner) => {
      const { headers: innerHeaders, rest: message } = splitHeaders(inner);
      return readOperation(innerHeaders, message);
    });
    return { kind: "changeSet", operations };
  });
}

/** The answer's body, and the content type that names its boundary. */
export function writeBatch(answers: readonly BatchAnswer[]): { readonly contentType: string; readonly body: string } {
  const boundary = `batchresponse_${randomUUID()}`;
  const parts = answers.map((answer) => {
    if (answer.kind === "operation") return writeMessage(answer.answer, undefined);
    const inner = `changesetresponse_${randomUUID()}`;
    const messages = answer.answers.map(({ answer: each, contentId }) => writeMessage(each, contentId));
    return `Content-Type: multipart/mixed; boundary=${inner}\r\n\r\n${joinParts(inner, messages)}`;
  });
  return { contentType: `multipart/mixed; boundary=${boundary}`, body: joinParts(boundary, parts) };
}

function joinParts(boundary: string, parts: readonly string[]): string {
  return `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--\r\n`;
}

/** Of an answer's headers those that tell about the whole call stay with the whole call. */
function writeMessage(answer: SandboxAnswer, contentId: string | undefined): string {
  const id = contentId === undefined ? [] : [`Content-ID: ${contentId}`];
  const headers = shownHeaders.flatMap(([name, written]) => {
    const value = answer.headers[name];
    return value === undefined ? [] : [`${written}: ${value}`];
  });
  return [
    "Content-Type: application/http",
    "Content-Transfer-Encoding: binary",
    ...id,
    "",
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`,
    ...headers,
    "",
    answer.status === 204 || answer.status === 304 ? "" : answer.body,
  ].join("\r\n");
}

const shownHeaders = [
  ["x-ms-service-request-id", "REQ_ID"],
  ["content-type", "Content-Type"],
  ["odata-version", "OData-Version"],
  ["preference-applied", "Preference-Applied"],
  ["etag", "ETag"],
  ["location", "Location"],
  ["odata-entityid", "OData-EntityId"],
] as const;

function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/mixed\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType ?? "");
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined)
    throw badRequest("The content type of a batch must be multipart/mixed with a boundary.", "0x80060888");
  return boundary;
}

/** What stands between the boundary's lines; before the first and after the last is nothing that counts. */
function splitParts(boundary: string, body: string): readonly string[] {
  const lines = `\r\n${body}\r\n`;
  const end = lines.indexOf(`\r\n--${boundary}--`);
  if (end < 0) {
    throw badRequest(
      `The batch does not end with its boundary '--${boundary}--' on a line of its own, after CR and LF.`,
      "0x80060888",
    );
  }
  return lines.slice(0, end).split(`\r\n--${boundary}\r\n`).slice(1);
}

function splitHeaders(part: string): { readonly headers: Record<string, string>; readonly rest: string } {
  const end = part.indexOf("\r\n\r\n");
  const head = end < 0 ? part : part.slice(0, end);
  const headers: Record<string, string> = {};
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { headers, rest: end < 0 ? "" : part.slice(end + 4) };
}

function readOperation(headers: Readonly<Record<string, string>>, message: string): BatchOperation {
  if (!(headers["content-type"] ?? "").toLowerCase().startsWith("application/http"))
    throw badRequest("Every part of a batch must have the content type application/http.", "0x80060888");
  const start = message.replace(/^(\r\n)+/, "");
  const lineEnd = `${start}\r\n`.indexOf("\r\n");
  // As the OData library reads it: what stands between the first space and the last is the address, spaces included.
  const line = /^(GET|POST|PATCH|PUT|DELETE) (\S.*) HTTP\/1\.1\s*$/.exec(start.slice(0, lineEnd));
  if (line === null)
    throw badRequest("A part of a batch must begin with a request line: 'GET <url> HTTP/1.1'.", "0x80060888");
  const after = start.slice(lineEnd);
  const inner = after.startsWith("\r\n\r\n") ? { headers: {}, rest: after.slice(4) } : splitHeaders(after.slice(2));
  return {
    contentId: headers["content-id"],
    method: line[1] ?? "",
    url: line[2] ?? "",
    headers: inner.headers,
    body: inner.rest.trim(),
  };
}
