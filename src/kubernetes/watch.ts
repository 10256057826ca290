import type { Readable } from "node:stream";
import { ConnectionError, type StatusBody } from "./errors.ts";
import type { KubernetesObject } from "./objects.ts";

/** A line of a watch (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). */
export type WatchEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubernetesObject }
  /** Says how far the watch has come; its object holds only metadata.resourceVersion. */
  | { type: "BOOKMARK"; object: { metadata: { resourceVersion: string } } }
  | { type: "ERROR"; object: StatusBody };

/**
 * The events of a watch, in order. Ends when the server ends the stream between two lines.
 * @throws ConnectionError when a line is cut or is not an event, and whatever the stream fails with
 */
export async function* watchEvents(stream: Readable): AsyncGenerator<WatchEvent> {
  for await (const line of linesOf(stream)) yield parseEvent(line);
}

/** @throws ConnectionError when the stream ends inside a line: what came of it must not be taken for an event */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  // A character can be split between two chunks; the decoder keeps its first bytes.
  const decoder = new TextDecoder("utf-8");
  let pieces: string[] = [];
  for await (const chunk of stream) {
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    for (const [index, part] of parts.entries()) {
      pieces.push(part);
      if (index === parts.length - 1) break;
      const line = pieces.join("");
      pieces = [];
      if (line !== "") yield line;
    }
  }
  if (pieces.join("") !== "" || decoder.decode() !== "") {
    throw new ConnectionError("the watch broke off in the middle of a line");
  }
}

const eventTypes: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function parseEvent(line: string): WatchEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
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
