/** What the API server answers to a list, taken apart before it is parsed. */
import type { ReadJson } from "./partial-read.ts";

/** A list, less its items. */
export interface ListHead {
  metadata: { resourceVersion: string; continue?: string };
}

/**
 * Parses a list item by item, and hands each on before the next: a page of objects that is parsed at once is megabytes that live
 * until the last of them is looked at. Falls back to parsing all at once where the text is not written as kube-apiserver
 * writes it: what is handed on is the same either way.
 *
 * How items are told apart: each begins as the first does, up to its metadata, behind `},`. No string of JSON can hold that
 * text, for a quote in it has a backslash; where a list within an item did, the part before it would be no JSON.
 *
 * @param read parses one item
 * @throws SyntaxError when it is not JSON; items may have been handed on then
 */
export function readList(text: string, visit: (item: unknown) => void, read: ReadJson = JSON.parse): ListHead {
  const parts = partsOf(text);
  if (parts === undefined) return readWhole(text, visit, 0);
  let visited = 0;
  for (const part of parts.items) {
    const item = parsed(part, read);
    if (item === undefined) return readWhole(text, visit, visited);
    visit(item);
    visited += 1;
  }
  return parts.head;
}

function readWhole(text: string, visit: (item: unknown) => void, skipped: number): ListHead {
  const { items, ...head } = JSON.parse(text) as ListHead & { items?: unknown[] | null }; // What a list is.
  for (const item of (items ?? []).slice(skipped)) visit(item);
  return head;
}

const opening = '"items":[';
const metadataOpening = '"metadata":{';

/** @returns undefined when this is not the usual form */
function partsOf(text: string): { head: ListHead; items: Iterable<string> } | undefined {
  const found = text.indexOf(opening);
  const end = text.lastIndexOf("]");
  const start = found + opening.length;
  if (found < 0 || end < start) return undefined;
  const head = parsed(text.slice(0, start) + text.slice(end), JSON.parse);
  if (typeof head !== "object" || head === null) return undefined;
  const { items: _, ...rest } = head as ListHead & { items?: unknown }; // What a list is.
  const metadataAt = text.indexOf(metadataOpening, start);
  const isEmpty = metadataAt < 0 || metadataAt > end;
  if (isEmpty && text.slice(start, end).trim() !== "") return undefined;
  const between = `},${text.slice(start, metadataAt + metadataOpening.length)}`;
  return { head: rest, items: isEmpty ? [] : itemTexts(text, start, end, between) };
}

function* itemTexts(text: string, start: number, end: number, between: string): Generator<string> {
  let from = start;
  while (from < end) {
    const found = text.indexOf(between, from);
    const to = found < 0 || found > end ? end : found + 1;
    yield text.slice(from, to);
    from = to + 1;
  }
}

function parsed(text: string, read: ReadJson): unknown {
  try {
    return read(text);
  } catch {
    return undefined; // The whole is parsed then, and says what is wrong.
  }
}
