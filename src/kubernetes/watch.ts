import type { Readable } from "node:stream";
import { ConnectionError, type StatusBody } from "./errors.ts";
import type { KubernetesObject } from "./objects.ts";
import type { ReadJson } from "./partial-read.ts";

/** A line of a watch (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). */
export type WatchEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubernetesObject }
  /** Says how far the watch has come; its object holds only metadata.resourceVersion. */
  | { type: "BOOKMARK"; object: { metadata: { resourceVersion: string } } }
  | { type: "ERROR"; object: StatusBody };

/**
 * The events of a watch, in order. Ends when the server ends the stream between two lines.
 * @param read parses one of them
 * @throws ConnectionError when a line is cut or is not an event, and whatever the stream fails with
 */
export async function* watchEvents(stream: Readable, read: ReadJson = JSON.parse): AsyncGenerator<WatchEvent> {
  for await (const line of linesOf(stream)) yield parseEvent(line, read);
}

/** @throws ConnectionError when the stream ends inside a line: what came of it must not be taken for an event */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  // A character can be split between two chunks; the decoder keeps its first bytes.
  const decoder = new TextDecoder("utf-8");
  let pieces: string[] = [];
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      const part = text.slice(from, end);
      const line = pieces.length === 0 ? part : pieces.join("") + part;
      pieces = [];
      from = end + 1;
      if (line !== "") yield line;
    }
    if (from < text.length) pieces.push(text.slice(from));
  }
  if (pieces.join("") !== "" || decoder.decode() !== "") {
    throw new ConnectionError("the watch broke off in the middle of a line");
  }
}

const eventTypes: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function parseEvent(line: string, read: ReadJson): WatchEvent {
  let value: unknown;
  try {
    value = read(line);
  } catch (cause) {
    throw new ConnectionError("a line of the watch is not JSON", { cause });
  }
  if (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    "object" in value &&
    eventTypes.has(value.type)
  ) {
    // The five types are all there are, and each one's object is the API server's own.
    return value as WatchEvent;
  }
  throw new ConnectionError("a line of the watch is not an event");
}
