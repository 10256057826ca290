/**
 * Cuts a delimited text file into lines, from chunks of bytes, and knows of every line at which byte it ends: an offset
 * that is stored must lie between two lines. csv-parse does not tell that of windows-1252 or UTF-16, and a stray quote
 * makes it swallow the rest of the file; here it costs its own line. The form is RFC 4180's, with LF or CRLF. Pure, and
 * the same however the file comes in chunks.
 */

export interface TextFormat {
  /** One character. */
  readonly delimiter: string;
  readonly encoding: "utf-8" | "iso-8859-1" | "windows-1252" | "utf-16le";
}

/** Where the cutting stands. */
export interface Cutting {
  /** Between two lines. */
  readonly offsetBytes: number;
  /** Lines of text before the offset, as an editor counts them. */
  readonly textLines: number;
  /** Bytes that came behind the offset and are no whole line yet. */
  readonly rest: Buffer;
}

export interface Line {
  /** Of its first line of text, from 1. */
  readonly number: number;
  readonly content: readonly string[] | LineProblem;
}

/**
 * Bytes that are no text in the encoding; a quote that is not closed, or that stands inside a value; a line so long that
 * the file is no export: nothing behind it is read.
 */
export type LineProblem = "NotInEncoding" | "QuoteBroken" | "TooLong";

/** Characters, up to the newline or the closing quote. */
export const longestLine = 256 * 1024;

export const atStart: Cutting = { offsetBytes: 0, textLines: 0, rest: Buffer.alloc(0) };

/**
 * The lines that end in these bytes, and where the cutting stands after them.
 * @param whole nothing follows these bytes, and a last line without a newline is a line; else it waits for the rest of it
 */
export function cut(
  { offsetBytes, textLines, rest }: Cutting,
  bytes: Buffer,
  whole: boolean,
  format: TextFormat,
): { readonly cutting: Cutting; readonly lines: readonly Line[] } {
  const held = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
  // One character for one byte, or for two: delimiter, quotes and newlines are found without decoding.
  const wide = format.encoding === "utf-16le";
  const text = wide ? held.toString("utf16le", 0, held.length - (held.length % 2)) : held.toString("latin1");
  const source: Source = { text, whole, delimiter: delimiterOf(format) };
  const begin = offsetBytes === 0 ? byteOrderMark(text, format).length : 0;
  const lines: Line[] = [];
  let at = begin;
  let before = textLines;
  while (at < text.length) {
    const line = lineAt(source, at);
    if (line === undefined) break;
    const content = typeof line.content === "string" ? line.content : decoded(line.content, format);
    const empty = typeof content !== "string" && content.length === 1 && content[0] === "";
    if (!empty) lines.push({ number: before + 1, content });
    before += newlines(text, at, line.end);
    at = line.end;
  }
  const consumed = at > begin || whole ? at : 0; // A mark alone is not passed: what is read on must know that it begins.
  const consumedBytes = wide ? consumed * 2 : consumed;
  return {
    cutting: { offsetBytes: offsetBytes + consumedBytes, textLines: before, rest: held.subarray(consumedBytes) },
    lines,
  };
}

interface Source {
  readonly text: string;
  readonly whole: boolean;
  readonly delimiter: string;
}

interface RawLine {
  /** Behind its newline. */
  readonly end: number;
  readonly content: readonly string[] | LineProblem;
}

/** The line that begins at `start`; undefined: its end is still to come. */
function lineAt(source: Source, start: number): RawLine | undefined {
  const { text, whole, delimiter } = source;
  const horizon = start + longestLine;
  // Nothing behind the horizon is looked at, a newline or delimiter that begins before it apart.
  const decided = whole || text.length >= horizon + 2;
  const newline = indexBefore(text, "\n", start, horizon);
  const fields: string[] = [];
  for (let at = start; ; at += delimiter.length) {
    const isQuoted = text[at] === '"';
    const end = isQuoted ? endOfQuoted(text, at, horizon) : endOfPlain(source, at, horizon);
    if (end === undefined || !(whole || isFollowed(source, end)))
      return decided ? broken(source, newline, isQuoted ? "QuoteBroken" : "TooLong") : undefined;
    const value = text.slice(at, end);
    if (isQuoted) fields.push(value.slice(1, -1).replaceAll('""', '"'));
    else if (value.includes('"')) return broken(source, newline, "QuoteBroken", decided);
    else fields.push(value);
    at = end;
    if (text.startsWith(delimiter, at)) continue;
    const length = newlineLength(text, at);
    if (length === undefined) return broken(source, newline, "QuoteBroken", decided);
    return { end: at + length, content: fields };
  }
}

/** Whether what follows a value is there: a CR, or half a delimiter, says nothing yet. */
function isFollowed({ text, delimiter }: Source, end: number): boolean {
  return text[end] === "\n" || text.startsWith(delimiter, end) || text.length >= end + 2;
}

/** A broken line ends at its first newline, whatever its quotes say: what they swallowed may be good lines. */
function broken(
  { text, whole }: Source,
  newline: number | undefined,
  problem: LineProblem,
  decided = true,
): RawLine | undefined {
  if (newline !== undefined) return { end: newline + 1, content: problem };
  if (!decided) return undefined;
  return { end: text.length, content: whole && problem !== "TooLong" ? problem : "TooLong" };
}

/** Behind the closing quote. Two quotes stand for one. */
function endOfQuoted(text: string, start: number, horizon: number): number | undefined {
  for (let at = start + 1; ; at += 2) {
    const quote = indexBefore(text, '"', at, horizon);
    if (quote === undefined) return undefined;
    if (text[quote + 1] !== '"') return quote + 1;
    at = quote;
  }
}

/** At the delimiter, the newline (or the CR before it), or the end of the file. */
function endOfPlain({ text, whole, delimiter }: Source, start: number, horizon: number): number | undefined {
  const newline = indexBefore(text, "\n", start, horizon);
  const next = indexBefore(text, delimiter, start, newline ?? horizon);
  if (next !== undefined) return next;
  const end = newline ?? (whole && text.length <= horizon ? text.length : undefined);
  return end !== undefined && end > start && text[end - 1] === "\r" ? end - 1 : end;
}

/** LF, CRLF, or the end of the file with or without a CR. */
function newlineLength(text: string, at: number): number | undefined {
  if (at >= text.length) return 0;
  if (text[at] === "\n") return 1;
  if (text[at] !== "\r") return undefined;
  if (at + 1 === text.length) return 1;
  return text[at + 1] === "\n" ? 2 : undefined;
}

function indexBefore(text: string, what: string, from: number, horizon: number): number | undefined {
  const index = text.indexOf(what, from);
  return index < 0 || index >= horizon ? undefined : index;
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** In characters as the text above has them: one a byte. */
function delimiterOf({ delimiter, encoding }: TextFormat): string {
  return encoding === "utf-8" ? Buffer.from(delimiter).toString("latin1") : delimiter;
}

function byteOrderMark(text: string, { encoding }: TextFormat): string {
  const mark = encoding === "utf-8" ? "\u00EF\u00BB\u00BF" : "\uFEFF";
  return text.startsWith(mark) ? mark : "";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const windows1252 = new TextDecoder("windows-1252");
const ascii = /^\p{ASCII}*$/u;

function decoded(fields: readonly string[], { encoding }: TextFormat): readonly string[] | LineProblem {
  if (encoding === "iso-8859-1" || fields.every((field) => ascii.test(field))) return fields;
  if (encoding === "utf-16le") return fields.every((field) => field.isWellFormed()) ? fields : "NotInEncoding";
  try {
    return fields.map((field) => (encoding === "utf-8" ? utf8 : windows1252).decode(Buffer.from(field, "latin1")));
  } catch {
    return "NotInEncoding";
  }
}
