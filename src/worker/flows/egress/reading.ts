/** One file being read: its header, its rows, and the place up to which they are safe. Pure. */
import { createHash, type Hash } from "node:crypto";
import type { Position } from "./files.ts";
import { atStart, type Cutting, cut, type LineProblem, type TextFormat } from "./lines.ts";

export interface Reading {
  readonly cutting: Cutting;
  readonly columns: readonly string[] | undefined;
  /** Of the bytes before the offset. It is copied before it takes more. */
  readonly hash: Hash;
}

/** A line behind the header. */
export interface Row {
  /** Line of text in the file, from 1. */
  readonly line: number;
  readonly content: Readonly<Record<string, string>> | RowProblem;
}

/** `ColumnCount`: it has more or fewer values than the header has names. */
export type RowProblem = LineProblem | "ColumnCount";

export function beginReading(): Reading {
  return { cutting: atStart, columns: undefined, hash: createHash("sha256") };
}

/** On from a place; `hash` has taken the bytes before it. */
export function resumeReading({ offsetBytes, lines, columns }: Position, hash: Hash): Reading {
  return { cutting: { offsetBytes, textLines: lines, rest: Buffer.alloc(0) }, columns, hash };
}

export function positionOf({ cutting, columns, hash }: Reading): Position {
  return { offsetBytes: cutting.offsetBytes, lines: cutting.textLines, digest: digestOf(hash), columns };
}

/** SHA-256 in hexadecimal, of what the hash has taken so far. */
export function digestOf(hash: Hash): string {
  return hash.copy().digest("hex");
}

/**
 * The rows that end in the next bytes.
 * @param whole nothing follows, and a last line without a newline is a line
 * @returns `headerProblem`: the first line is not understood, so nothing behind it can be
 */
export function readOn(
  { cutting, columns, hash }: Reading,
  bytes: Buffer,
  whole: boolean,
  format: TextFormat,
): { readonly reading: Reading; readonly rows: readonly Row[]; readonly headerProblem?: LineProblem } {
  const next = cut(cutting, bytes, whole, format);
  const taken = Buffer.concat([cutting.rest, bytes]).subarray(0, next.cutting.offsetBytes - cutting.offsetBytes);
  let header = columns;
  let headerProblem: LineProblem | undefined;
  const rows: Row[] = [];
  for (const { number, content } of next.lines) {
    if (typeof content === "string") {
      if (header === undefined) headerProblem ??= content;
      rows.push({ line: number, content });
    } else if (header === undefined) header = content.map((name) => name.trim());
    else if (content.length !== header.length) rows.push({ line: number, content: "ColumnCount" });
    else rows.push({ line: number, content: named(header, content) });
  }
  const reading = { cutting: next.cutting, columns: header, hash: hash.copy().update(taken) };
  return { reading, rows, ...(headerProblem === undefined ? {} : { headerProblem }) };
}

function named(columns: readonly string[], values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? ""]));
}
