/**
 * One value of a Dataverse column as a value of a Campaign field. Pure.
 *
 * Boolean, Integer, Decimal, Double, String, DateTime and Date are converted between each other where nothing is lost;
 * other types are written as text. Source: d365-acs-notices-and-recommendations.md, "Integration Guardrails".
 *
 * A number as a text has all its digits and no exponent; as a number it is the nearest that Campaign's double holds.
 */
import type { CampaignFieldType } from "../../campaign/interface.ts";
import type { ColumnMetadata } from "../../dataverse/interface.ts";
import { plainDecimal } from "../../decimal.ts";
import { type CalendarTime, instantText, timeOf } from "./time.ts";

/** A value as it goes into a request's body. */
export type FieldValue = string | number | boolean | null;

/** What a column holds, before it is fitted to a field. */
export type SourceValue =
  | { readonly kind: "Empty" }
  | { readonly kind: "Boolean"; readonly value: boolean }
  | { readonly kind: "Number"; readonly value: number }
  | { readonly kind: "Text"; readonly value: string }
  | ({ readonly kind: "Time" } & CalendarTime);

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
      return time === undefined ? undefined : instantText(time);
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
      return typeof raw === "string" ? timeSource(raw, column.dateTimeBehavior) : undefined;
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

function numberOf(raw: unknown): SourceValue | undefined {
  if (typeof raw === "number") return Number.isFinite(raw) ? { kind: "Number", value: raw } : undefined;
  // A number that a double does not hold exactly comes as text.
  const plain = typeof raw === "string" ? plainDecimal(raw) : undefined;
  return plain === undefined ? undefined : { kind: "Text", value: plain };
}

function timeSource(raw: string, behavior: ColumnMetadata["dateTimeBehavior"]): SourceValue | undefined {
  const time = timeOf(raw, behavior);
  return time === undefined ? undefined : { kind: "Time", ...time };
}

function toBoolean(source: SourceValue): boolean | undefined {
  switch (source.kind) {
    case "Boolean":
      return source.value;
    case "Number":
      return source.value === 0 ? false : source.value === 1 ? true : undefined;
    case "Text":
      return truthOf(source.value);
    default:
      return undefined;
  }
}

/** `undefined`: neither. */
export function truthOf(text: string): boolean | undefined {
  if (/^\s*(?:true|1)\s*$/i.test(text)) return true;
  return /^\s*(?:false|0)\s*$/i.test(text) ? false : undefined;
}

function toInteger(source: SourceValue): number | undefined {
  // By its digits: a text's fraction may be too small for a double to show.
  if (source.kind === "Text" && plainDecimal(source.value.trim())?.includes(".")) return undefined;
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
      const plain = plainDecimal(source.value.trim());
      return plain === undefined ? undefined : Number(plain);
    }
    default:
      return undefined;
  }
}

function toTime(source: SourceValue): CalendarTime | undefined {
  const time = source.kind === "Text" ? timeSource(source.value.trim(), undefined) : source;
  return time?.kind === "Time" ? time : undefined;
}

function textOf(source: Exclude<SourceValue, { kind: "Empty" }>): string {
  switch (source.kind) {
    case "Time":
      return source.time === undefined ? source.date : instantText(source);
    case "Number":
      return numberText(source.value);
    default:
      return String(source.value);
  }
}

/** A row's value as people would write it: what replacements and filters are compared with. */
export function rawText(raw: unknown): string {
  if (typeof raw === "number") return numberText(raw);
  return typeof raw === "object" ? JSON.stringify(raw) : String(raw);
}

function numberText(number: number): string {
  const text = String(number);
  return plainDecimal(text) ?? text;
}
