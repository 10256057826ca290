/** What the lines of an exported file become in the queue. Pure. */
import type { ReadTime } from "../../flows/egress/date-format.ts";
import { type EventKind, type EventOutcome, eventId, eventOf, exportKind } from "../../flows/egress/events.ts";
import type { Row } from "../../flows/egress/reading.ts";
import type { Refusal } from "../../queue/page.ts";
import { placeInWords, type QueuedEvent } from "./queued-event.ts";

export interface LineRules {
  /** Campaign's address, as configured. */
  readonly instanceUrl: string;
  readonly kinds: ReadonlySet<EventKind>;
  readonly since: Date;
  readonly readTime: ReadTime;
}

export type LineOutcome =
  | { readonly is: "Event"; readonly line: number; readonly id: string; readonly queued: QueuedEvent }
  | { readonly is: "Refused"; readonly line: number; readonly refusal: Refusal }
  | { readonly is: "Nothing"; readonly line: number };

/** @param columns of the file's header */
export function outcomesOf(
  file: string,
  columns: readonly string[] | undefined,
  rows: readonly Row[],
  rules: LineRules,
): readonly LineOutcome[] {
  const { kind } = exportKind(columns ?? []);
  if (kind !== "DeliveryLogs" && kind !== "TrackingLogs") return [];
  return rows.map(({ line, content }): LineOutcome => {
    const outcome = eventOf(content, kind, rules);
    if (outcome.is === "Nothing") return { is: "Nothing", line };
    const place = { file, line };
    if (outcome.is === "Refused") {
      const { why } = outcome;
      return {
        is: "Refused",
        line,
        refusal: { reason: `Line${why}`, message: refusalInWords(placeInWords(place), outcome) },
      };
    }
    const { event } = outcome;
    return { is: "Event", line, id: eventId(rules.instanceUrl, event.kind, event.logId), queued: { event, place } };
  });
}

/** How a line is mended; the value itself may be personal and is not told. */
const remedies: Readonly<Record<Extract<EventOutcome, { is: "Refused" }>["why"], string>> = {
  NotInEncoding: "it has bytes that are no text in the encoding of campaign.sftp.format.encoding",
  QuoteBroken: "it has a quote that is not closed, or that stands inside a value",
  TooLong: "it does not end, and nothing behind it was read",
  ColumnCount: "it has more or fewer values than the first line has names",
  ValueMissing: "there is no value",
  ValueUnknown:
    "the word there is none that Campaign's exports are known to have: export labels, with the instance in English",
  NoTime: "what is there is no time as campaign.sftp.format.dateFormat says",
};

function refusalInWords(place: string, { why, column }: Extract<EventOutcome, { is: "Refused" }>): string {
  const where = column === undefined ? "" : `, column ${column}`;
  return `${place}${where} is not understood: ${remedies[why]}`;
}
