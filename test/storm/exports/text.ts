/** How an export is written: the delimiter, the quotes, the times, the bytes. Written apart from the worker, which reads it. */
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import type { Chance } from "../chance.ts";

type Format = NonNullable<WorkflowSpec["campaign"]["sftp"]>["format"];

/** What the workflow is told of the files, and what it finds out by itself. */
export interface Pen extends Format {
  readonly newline: "\n" | "\r\n";
  /** Whether files begin with a byte order mark. */
  readonly mark: boolean;
}

/** A line of an export as it lies in a file, and what it means. */
export interface WrittenLine<M> {
  /** Of its first line of text, from 1. */
  readonly number: number;
  /** Behind its newline. */
  readonly endByte: number;
  readonly meaning: M;
}

export interface ExportText<M> {
  readonly bytes: Buffer;
  readonly lines: readonly WrittenLine<M>[];
}

/** A line before it is written; a header has no meaning. */
export interface Draft<M> {
  readonly text: string;
  readonly meaning?: M;
}

export function anyPen(chance: Chance): Pen {
  return {
    newline: chance.oneOf(["\n", "\r\n"] as const),
    mark: chance.random() < 0.3,
    delimiter: chance.oneOf([",", ",", ";", "\t", "|"]),
    encoding: chance.oneOf(["utf-8", "utf-8", "iso-8859-1", "windows-1252", "utf-16le"] as const),
    timeZone: chance.oneOf(["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"]),
    dateFormat: chance.oneOf([
      "yyyy-MM-dd HH:mm:ss",
      "dd/MM/yyyy HH:mm:ss",
      "M/d/yyyy h:mm:ss a",
      "yyyy-MM-dd'T'HH:mm:ssXXX",
    ]),
  };
}

/** What is there of a text after so many bytes: the lines whose newlines are. */
export function beginningOf<M>({ bytes, lines }: ExportText<M>, count: number): ExportText<M> {
  return { bytes: bytes.subarray(0, count), lines: lines.filter(({ endByte }) => endByte <= count) };
}

export function assembled<M>(pen: Pen, drafts: readonly Draft<M>[]): ExportText<M> {
  const pieces: Buffer[] = pen.mark ? [encoded(pen, "\uFEFF")] : [];
  const lines: WrittenLine<M>[] = [];
  let endByte = pieces.reduce((sum, { length }) => sum + length, 0);
  let number = 1;
  for (const { text, meaning } of drafts) {
    const piece = encoded(pen, text + pen.newline);
    pieces.push(piece);
    endByte += piece.length;
    if (meaning !== undefined) lines.push({ number, endByte, meaning });
    number += text.split("\n").length;
  }
  return { bytes: Buffer.concat(pieces), lines };
}

/** @param quotesAll also where nothing asks for quotes */
export function joined({ delimiter }: Pen, values: readonly string[], quotesAll = false): string {
  const written = values.map((value) => {
    const needs = quotesAll || [delimiter, '"', "\n", "\r"].some((mark) => value.includes(mark));
    return needs ? `"${value.replaceAll('"', '""')}"` : value;
  });
  return written.join(delimiter);
}

/** Stands for a byte that no UTF-8 has. */
export const notUtf8 = "\uE0FF";

function encoded({ encoding }: Pen, text: string): Buffer {
  if (encoding === "utf-16le") return Buffer.from(text, "utf16le");
  if (encoding !== "utf-8") return Buffer.from(text.replaceAll("\uFEFF", ""), "latin1");
  return Buffer.concat(
    text.split(notUtf8).flatMap((part, n) => [...(n === 0 ? [] : [Buffer.of(0xff)]), Buffer.from(part)]),
  );
}

/** In whole seconds. */
export function writtenTime({ dateFormat, timeZone }: Pen, time: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "longOffset",
  }).formatToParts(time);
  const at = (type: Intl.DateTimeFormatPartTypes) => parts.find((part) => part.type === type)?.value ?? "";
  const clock = `${at("minute")}:${at("second")}`;
  const hour = Number(at("hour"));
  switch (dateFormat) {
    case "yyyy-MM-dd HH:mm:ss":
      return `${at("year")}-${at("month")}-${at("day")} ${at("hour")}:${clock}`;
    case "dd/MM/yyyy HH:mm:ss":
      return `${at("day")}/${at("month")}/${at("year")} ${at("hour")}:${clock}`;
    case "M/d/yyyy h:mm:ss a":
      return `${Number(at("month"))}/${Number(at("day"))}/${at("year")} ${hour % 12 || 12}:${clock} ${hour < 12 ? "AM" : "PM"}`;
    default:
      return `${at("year")}-${at("month")}-${at("day")}T${at("hour")}:${clock}${at("timeZoneName").slice(3) || "Z"}`;
  }
}
