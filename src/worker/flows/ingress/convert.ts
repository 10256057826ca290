/**
 * One value of a Dataverse column as a value of a Campaign field. Pure.
 *
 * Boolean, Integer, Decimal, Double, String, DateTime and Date are converted between each other where nothing is lost;
 * other types are written as text. Source: d365-acs-notices-and-recommendations.md, "Integration Guardrails".
 */
import type { CampaignFieldType } from "../../campaign/interface.ts";
import type { ColumnMetadata } from "../../dataverse/interface.ts";

/** A value as it goes into a request's body. */
export type FieldValue = string | number | boolean | null;

/** What a column holds, before it is fitted to a field. */
export type SourceValue =
  | { readonly kind: "Empty" }
  | { readonly kind: "Boolean"; readonly value: boolean }
  | { readonly kind: "Number"; readonly value: number }
  | { readonly kind: "Text"; readonly value: string }
  /** A point in time; `time` as the service wrote it, in UTC or without a zone. */
  | { readonly kind: "Time"; readonly date: string; readonly time: string | undefined };

/** `undefined`: the value cannot be converted without loss. */
export function convert(source: SourceValue, type: CampaignFieldType): FieldValue | undefined {
  if (source.kind === "Empty") return emptyOf(type);
  switch (type) {
    case "boolean":
      return toBoolean(source);
    case "integer":
      return toInteger(source);
    case "number":
      return toNumber(source);
    case "date":
      return toTime(source)?.date;
    case "datetime": {
      const time = toTime(source);
      return time === undefined ? undefined : `${time.date}T${time.time ?? "00:00:00Z"}`;
    }
    case "string":
    case "link":
    case "other":
      return textOf(source);
  }
}

/** How Campaign shows a field that has nothing: a text as "", anything else as null. */
function emptyOf(type: CampaignFieldType): FieldValue {
  return type === "string" ? "" : null;
}

export interface ReadOptions {
  readonly label: string | undefined;
  /** Choices and lookups by what people see; otherwise by number and id. */
  readonly byLabel: boolean;
}

/** `undefined`: the row's value is not what the column's type promises. */
export function readValue(
  raw: unknown,
  column: ColumnMetadata,
  { label, byLabel }: ReadOptions,
): SourceValue | undefined {
  if (raw === null || raw === undefined || raw === "") return { kind: "Empty" };
  switch (column.type) {
    case "Boolean":
      return typeof raw === "boolean" ? { kind: "Boolean", value: raw } : undefined;
    case "Integer":
    case "BigInt":
    case "Decimal":
    case "Double":
    case "Money":
      return numberOf(raw);
    case "Picklist":
    case "State":
    case "Status":
      return byLabel ? textSource(label) : numberOf(raw);
    case "MultiSelectPicklist":
      return byLabel ? textSource(label?.split(/;\s*/).join(",")) : textSource(raw);
    case "Lookup":
      return byLabel ? textSource(label) : textSource(raw);
    case "DateTime":
      return typeof raw === "string" ? timeOf(raw, column) : undefined;
    case "String":
    case "Memo":
    case "Uniqueidentifier":
    case "Other":
      return textSource(raw);
  }
}

/** A text of the configuration (a replacement, a constant): it fits every type that it can be read as. */
export function textSource(raw: unknown): SourceValue | undefined {
  if (typeof raw === "string") return raw === "" ? { kind: "Empty" } : { kind: "Text", value: raw };
  if (typeof raw === "boolean" || typeof raw === "number") return { kind: "Text", value: String(raw) };
  return raw === undefined || raw === null ? undefined : { kind: "Text", value: JSON.stringify(raw) };
}

const numberPattern = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

function numberOf(raw: unknown): SourceValue | undefined {
  if (typeof raw === "number" && Number.isFinite(raw)) return { kind: "Number", value: raw };
  // Whole numbers beyond what a double holds exactly may come as text.
  return typeof raw === "string" && numberPattern.test(raw) ? { kind: "Text", value: raw } : undefined;
}

/** `2026-11-21`, `2026-11-21T10:00:00Z`, `2026-11-21 10:00:00.000+02:00` */
const timePattern = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * UserLocal is an instant, in UTC on the wire. DateOnly and TimeZoneIndependent mean the digits that are written, in no
 * zone. Source: behavior-format-date-time-attribute.md
 */
function timeOf(raw: string, { dateTimeBehavior }: Pick<ColumnMetadata, "dateTimeBehavior">): SourceValue | undefined {
  const match = timePattern.exec(raw);
  const [, date, time, zone] = match ?? [];
  if (date === undefined || Number.isNaN(Date.parse(`${date}T00:00:00Z`))) return undefined;
  if (dateTimeBehavior === "DateOnly" || time === undefined) return { kind: "Time", date, time: undefined };
  const seconds = time.length === 5 ? `${time}:00` : time;
  if (zone === undefined || zone.toUpperCase() === "Z" || dateTimeBehavior === "TimeZoneIndependent") {
    return Number.isNaN(Date.parse(`${date}T${seconds}Z`)) ? undefined : { kind: "Time", date, time: `${seconds}Z` };
  }
  const instant = new Date(`${date}T${seconds}${zone.includes(":") ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`}`);
  if (Number.isNaN(instant.getTime())) return undefined;
  const [utcDate, utcTime] = instant.toISOString().split("T");
  return { kind: "Time", date: utcDate ?? date, time: utcTime };
}

function toBoolean(source: SourceValue): boolean | undefined {
  switch (source.kind) {
    case "Boolean":
      return source.value;
    case "Number":
      return source.value === 0 ? false : source.value === 1 ? true : undefined;
    case "Text":
      if (/^(?:true|1)$/i.test(source.value)) return true;
      return /^(?:false|0)$/i.test(source.value) ? false : undefined;
    default:
      return undefined;
  }
}

function toInteger(source: SourceValue): number | undefined {
  const number = toNumber(source);
  return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}

function toNumber(source: SourceValue): number | undefined {
  switch (source.kind) {
    case "Boolean":
      return source.value ? 1 : 0;
    case "Number":
      return source.value;
    case "Text": {
      const number = numberPattern.test(source.value.trim()) ? Number(source.value) : Number.NaN;
      return Number.isFinite(number) ? number : undefined;
    }
    default:
      return undefined;
  }
}

function toTime(source: SourceValue): { date: string; time: string | undefined } | undefined {
  const time = source.kind === "Text" ? timeOf(source.value.trim(), {}) : source;
  return time?.kind === "Time" ? time : undefined;
}

function textOf(source: Exclude<SourceValue, { kind: "Empty" }>): string {
  if (source.kind !== "Time") return String(source.value);
  return source.time === undefined ? source.date : `${source.date}T${source.time}`;
}
