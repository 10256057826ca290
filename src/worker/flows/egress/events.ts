/**
 * What a line of Campaign's log exports says: an email event, nothing of interest, or nothing that can be understood.
 * The columns' names are ours, given as labels in the Extract file activity; docs/how-to/export-workflows.md shows both
 * workflows. What the words mean is from Adobe's pages sending/using/tracking-messages.md ("Type"),
 * understanding-delivery-failures.md (types of errors) and monitoring-a-delivery.md. Pure.
 */
import type { ReadTime } from "./date-format.ts";
import type { RowProblem } from "./reading.ts";
import { uuidV5 } from "./uuid.ts";

export type EventKind = "send" | "open" | "click" | "bounce";

export interface EmailEvent {
  readonly kind: EventKind;
  /** Of the delivery log (sends and bounces) or of the tracking log (opens and clicks). */
  readonly logId: string;
  /** What the profile carries of its contact. */
  readonly contactKey: string;
  /** Empty for a delivery outside any campaign. */
  readonly campaignId: string;
  readonly campaignName: string;
  readonly deliveryId: string;
  readonly deliveryName: string;
  readonly occurredAt: Date;
  readonly mirrorPageUrl: string;
  /** What was clicked; clicks only. */
  readonly trackingUrl: string | undefined;
}

/** Which export a file is, by its header: a folder may hold others too. `Incomplete`: one of ours that cannot be read, and why. */
export type ExportKind =
  | { readonly kind: "DeliveryLogs" | "TrackingLogs" }
  | { readonly kind: "Other" }
  | { readonly kind: "Incomplete"; readonly why: string };

const idColumns = { DeliveryLogs: "deliveryLogId", TrackingLogs: "trackingLogId" } as const;

/** Columns that must be there, in any order. */
const needed = {
  DeliveryLogs: ["deliveryLogId", "contactId", "eventDate", "status", "failureType", "deliveryId"],
  TrackingLogs: ["trackingLogId", "contactId", "eventDate", "urlType", "trackingUrl", "deliveryId"],
} as const;
/** ... and that may be. */
const optional = ["campaignId", "campaignName", "deliveryName", "mirrorPageUrl"] as const;

export function exportKind(columns: readonly string[]): ExportKind {
  for (const kind of ["DeliveryLogs", "TrackingLogs"] as const) {
    if (!columns.some((column) => holds(column, idColumns[kind]))) continue;
    const missing = needed[kind].filter((column) => !columns.includes(column));
    if (missing.length > 0) return { kind: "Incomplete", why: lacking(missing, columns, idColumns[kind]) };
    const used: readonly string[] = [...needed[kind], ...optional];
    const twice = used.filter((column) => columns.indexOf(column) !== columns.lastIndexOf(column));
    return twice.length === 0
      ? { kind }
      : { kind: "Incomplete", why: `it has more than one column ${twice.join(", ")}` };
  }
  return { kind: "Other" };
}

/** Also within another name, where the delimiter is not the one that is configured, and where the encoding is not. */
function holds(column: string, name: string): boolean {
  const texts = [column, column.replaceAll("\0", ""), Buffer.from(column, "utf16le").toString("latin1")];
  return texts.some((text) => text.includes(name));
}

function lacking(missing: readonly string[], columns: readonly string[], id: string): string {
  const lacks = `it lacks the columns ${missing.join(", ")}`;
  if (columns.includes(id)) return lacks;
  const isDelimiter = columns.some((column) => column.includes(id));
  return `${lacks}: campaign.sftp.format.${isDelimiter ? "delimiter" : "encoding"} seems to be another than the file's`;
}

export interface EventRules {
  /** The kinds that are switched on. */
  readonly kinds: ReadonlySet<EventKind>;
  /** Nothing older becomes an event. */
  readonly since: Date;
  readonly readTime: ReadTime;
}

export type EventOutcome =
  | { readonly is: "Event"; readonly event: EmailEvent }
  | { readonly is: "Nothing"; readonly why: "NoSuchEvent" | "SwitchedOff" | "BeforeSince" | "ProfileWithoutContact" }
  /** `column`: where the value stands that is not understood. The value itself may be personal and is not told. */
  | {
      readonly is: "Refused";
      readonly why: RowProblem | "ValueMissing" | "ValueUnknown" | "NoTime";
      readonly column?: string;
    };

/** @param kind of the file's header */
export function eventOf(
  row: Readonly<Record<string, string>> | RowProblem,
  kind: "DeliveryLogs" | "TrackingLogs",
  { kinds, since, readTime }: EventRules,
): EventOutcome {
  if (typeof row === "string") return { is: "Refused", why: row };
  const value = (column: string) => (row[column] ?? "").trim();
  const what = kind === "DeliveryLogs" ? deliveryEvent(value) : trackingEvent(value);
  if (typeof what !== "string") return what;
  if (!kinds.has(what)) return { is: "Nothing", why: "SwitchedOff" };
  const empty = [idColumns[kind], "deliveryId", ...(what === "click" ? ["trackingUrl"] : [])].find(
    (column) => value(column) === "",
  );
  if (empty !== undefined) return { is: "Refused", why: "ValueMissing", column: empty };
  const occurredAt = readTime(value("eventDate"));
  if (occurredAt === undefined) return { is: "Refused", why: "NoTime", column: "eventDate" };
  if (occurredAt < since) return { is: "Nothing", why: "BeforeSince" };
  if (value("contactId") === "") return { is: "Nothing", why: "ProfileWithoutContact" };
  const event: EmailEvent = {
    kind: what,
    logId: value(idColumns[kind]),
    contactKey: value("contactId"),
    campaignId: value("campaignId"),
    campaignName: value("campaignName") || value("campaignId"),
    deliveryId: value("deliveryId"),
    deliveryName: value("deliveryName") || value("deliveryId"),
    occurredAt,
    mirrorPageUrl: value("mirrorPageUrl"),
    trackingUrl: what === "click" ? value("trackingUrl") : undefined,
  };
  return { is: "Event", event };
}

type Meaning = EventKind | EventOutcome;
const nothing: EventOutcome = { is: "Nothing", why: "NoSuchEvent" };

function deliveryEvent(value: (column: string) => string): Meaning {
  const status = meaning(value, "status", {
    sent: "send",
    failed: "bounce",
    ready: nothing,
    pending: nothing,
    ignored: nothing,
    delayed: nothing,
    "taken into account by the service provider": nothing,
  });
  return status === "bounce"
    ? meaning(value, "failureType", { hard: "bounce", soft: nothing, ignored: nothing })
    : status;
}

/** The link to the mirror page and the one to opt out are no clicks: a click makes a task for a person in Dynamics. */
function trackingEvent(value: (column: string) => string): Meaning {
  return meaning(value, "urlType", {
    open: "open",
    "email click": "click",
    "mirror page": nothing,
    "opt-out": nothing,
    "click on mobile notification": nothing,
  });
}

/** A word that is not known (an instance in another language) is refused: taken for no event, it would be lost unseen. */
function meaning(value: (column: string) => string, column: string, words: Readonly<Record<string, Meaning>>): Meaning {
  const word = value(column).toLowerCase();
  if (word === "") return { is: "Refused", why: "ValueMissing", column };
  return (Object.hasOwn(words, word) ? words[word] : undefined) ?? { is: "Refused", why: "ValueUnknown", column };
}

/** Of this project, made once at random. Another one would write every event a second time. */
const eventNamespace = "07e4bd8c-090f-4efd-9c52-871f16e6dea1";

/** The activity's id: exports repeat a log when it changes, and every repetition finds what is there. */
export function eventId(instanceUrl: string, kind: EventKind, logId: string): string {
  const { host, pathname } = new URL(instanceUrl);
  return uuidV5(eventNamespace, [host, pathname.replace(/\/+$/, ""), kind, logId].join("\n"));
}
