/** What Campaign's log exports say, good lines and broken ones. Written apart from the worker, which reads them. */
import type { Chance } from "../chance.ts";
import { assembled, type Draft, type ExportText, joined, notUtf8, type Pen, writtenTime } from "../exports/text.ts";
import type { LogName, Meaning, Mention, Refusal } from "./event-log.ts";

export type LogExport = ExportText<Meaning>;

const columnsOf: Readonly<Record<LogName, readonly string[]>> = {
  delivery: ["deliveryLogId", "contactId", "eventDate", "status", "failureType", "deliveryId"],
  tracking: ["trackingLogId", "contactId", "eventDate", "urlType", "trackingUrl", "deliveryId"],
};
const optionalColumns = ["campaignId", "campaignName", "deliveryName", "mirrorPageUrl"];

/** Writes an export of the mentions, some lines broken. */
export function writeExport(pen: Pen, log: LogName, mentions: readonly Mention[], chance: Chance): LogExport {
  const others = chance.random() < 0.5 ? ["comment", "segmentCode"] : [];
  const columns = shuffled([...columnsOf[log], ...optionalColumns, ...others], chance);
  const quotesAll = chance.random() < 0.3;
  const texts: Draft<Meaning>[] = [{ text: joined(pen, columns) }];
  for (const mention of mentions) {
    const values = columns.map((column) => cellOf(pen, mention, column));
    const isBroken = chance.random() < 0.03;
    texts.push(
      isBroken ? broken(pen, values, chance) : { text: joined(pen, values, quotesAll), meaning: mention.meaning },
    );
  }
  // Behind a quote that is not closed a quoted value must come: without one, the rest of the file may belong to it.
  if (texts.some(({ meaning }) => meaning?.is === "Refused" && meaning.why === "QuoteBroken")) {
    texts.push({ text: `"1"${pen.delimiter}one value`, meaning: { is: "Refused", why: "ColumnCount" } });
  }
  return assembled(pen, texts);
}

/** A file that is no export, or one that lacks a column. */
export function writeOther(pen: Pen, log: LogName, chance: Chance): LogExport {
  const columns = chance.random() < 0.5 ? ["recipient", "segment"] : columnsOf[log].slice(0, -1);
  return assembled(pen, [
    { text: joined(pen, columns) },
    {
      text: joined(
        pen,
        columns.map(() => "1"),
      ),
    },
  ]);
}

function cellOf(pen: Pen, { values, occurredAt }: Mention, column: string): string {
  return values[column] ?? (column === "eventDate" ? writtenTime(pen, occurredAt) : column === "comment" ? "no" : "");
}

function broken(pen: Pen, values: readonly string[], chance: Chance): Draft<Meaning> {
  const plain = values.map((value) => value.replaceAll(/["\n\r]/g, "").replaceAll(pen.delimiter, ""));
  const refused = (why: Refusal, those: readonly string[]) => ({
    text: those.join(pen.delimiter),
    meaning: { is: "Refused", why } as const,
  });
  const ways = [
    () => refused("ColumnCount", [...plain, "more"]),
    () => refused("ColumnCount", plain.slice(1)),
    () => refused("QuoteBroken", [`12"3`, ...plain.slice(1)]),
    () => refused("QuoteBroken", [...plain.slice(0, -1), `"not closed`]),
  ];
  if (pen.encoding === "utf-8") ways.push(() => refused("NotInEncoding", [notUtf8, ...plain.slice(1)]));
  return chance.oneOf(ways)();
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  return all
    .map((one) => [chance.random(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}
