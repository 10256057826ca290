/** Bodies of `$batch` as a caller writes and reads them, made apart from the sandbox's own. */
export interface BatchRequestPart {
  readonly method: string;
  readonly url: string;
  readonly contentId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface BatchResponsePart {
  readonly status: number;
  readonly contentId: string | undefined;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers by path, and fails where they differ
  readonly json: any;
}

/** An array is a change set. */
export type BatchRequestItem = BatchRequestPart | readonly BatchRequestPart[];

export function batchBody(boundary: string, items: readonly BatchRequestItem[]): string {
  const parts = items.map((item, index) => {
    if (!Array.isArray(item)) return operation(item as BatchRequestPart);
    const inner = `changeset_${index}`;
    return `Content-Type: multipart/mixed; boundary=${inner}\r\n\r\n${join(inner, item.map(operation))}`;
  });
  return join(boundary, parts);
}

function join(boundary: string, parts: readonly string[]): string {
  return `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--\r\n`;
}

function operation({ method, url, contentId, headers = {}, body }: BatchRequestPart): string {
  const id = contentId === undefined ? [] : [`Content-ID: ${contentId}`];
  const type = body === undefined ? [] : ["Content-Type: application/json"];
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const outer = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", ...id, ""];
  const text = body === undefined ? "" : JSON.stringify(body);
  return [...outer, `${method} ${url} HTTP/1.1`, ...type, ...lines, "", text].join("\r\n");
}

/** One item for each operation's answer; a change set's answers are an array of their own. */
export function readBatch(contentType: string, body: string): (BatchResponsePart | BatchResponsePart[])[] {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1] ?? "no boundary";
  const sections = `\r\n${body}`.split(`\r\n--${boundary}`);
  return sections
    .slice(1)
    .filter((section) => !section.startsWith("--"))
    .map((section) => {
      const part = section.slice(2);
      const inner = headersOf(part);
      const type = inner.headers["content-type"] ?? "";
      return type.startsWith("multipart/mixed")
        ? readBatch(type, inner.rest).map((one) => one as BatchResponsePart)
        : readResponse(inner.headers["content-id"], inner.rest);
    });
}

function readResponse(contentId: string | undefined, text: string): BatchResponsePart {
  const lineEnd = text.indexOf("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  const { headers, rest } = headersOf(text.slice(lineEnd + 2));
  const plain = rest.replace("\ufeff", "").trim();
  const json = plain === "" ? undefined : JSON.parse(plain);
  return { status, contentId, headers, json };
}

function headersOf(text: string): { readonly headers: Record<string, string>; readonly rest: string } {
  const blank = text.indexOf("\r\n\r\n");
  const end = blank < 0 ? text.length : blank;
  const headers: Record<string, string> = {};
  for (const line of text.slice(0, end).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { headers, rest: text.slice(end + 4) };
}
