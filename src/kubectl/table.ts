/** Columns of text, as kubectl sets them, and paragraphs. Pure. */
import { stripVTControlCharacters } from "node:util";

export type Row = readonly string[];

/**
 * Three spaces between columns; the last one is not padded.
 * @param widths the least width of each column, so that what is printed later stands below it
 */
export function table(head: Row, rows: readonly Row[], widths: readonly number[] = []): string {
  const lines = [head, ...rows];
  const wide = widthsOf(lines).map((width, column) => Math.max(width, widths[column] ?? 0));
  return lines.map((line) => lineOf(line, wide)).join("");
}

export function lineOf(row: Row, widths: readonly number[]): string {
  const cells = row.map((cell, column) => (column === row.length - 1 ? cell : padded(cell, widths[column] ?? 0)));
  return `${cells.join("   ").trimEnd()}\n`;
}

/** Of each column, colours apart. */
export function widthsOf(lines: readonly Row[]): readonly number[] {
  return (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => lengthOf(line[column] ?? ""))));
}

/**
 * A table that fits: the columns of least worth are left out, one after the other, until it does.
 * @param width of the terminal; undefined: all of them
 * @param spare names of columns that may be left out, the first one first
 */
export function tableWithin(head: Row, rows: readonly Row[], width: number | undefined, spare: Row): string {
  const total = widthsOf([head, ...rows]).reduce((sum, one) => sum + one + 3, -3);
  const [least, ...others] = spare;
  if (width === undefined || total <= width || least === undefined) return table(head, rows);
  const left = head.indexOf(least);
  const without = (row: Row) => row.filter((_, column) => column !== left);
  return left < 0
    ? tableWithin(head, rows, width, others)
    : tableWithin(without(head), rows.map(without), width, others);
}

/** Breaks at words, and goes on below the beginning. @param width undefined: one line */
export function paragraph(text: string, width: number | undefined, indent = ""): string {
  if (width === undefined) return `${text}\n`;
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && lengthOf(last) + 1 + lengthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `${indent}${word}`);
  }
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function padded(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - lengthOf(cell)));
}

/** Colours take no room. */
function lengthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
