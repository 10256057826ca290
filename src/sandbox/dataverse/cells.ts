import { badPayload, badRequest } from "./errors.ts";
import { type CellValue, type Column, isLookup, type Table } from "./schema.ts";

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const day = /^\d{4}-\d{2}-\d{2}$/;
const moment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})$/;

export function isGuid(text: string): boolean {
  return guid.test(text);
}

/**
 * A JSON value as the column holds it.
 * @throws DataverseRefusal as Dataverse refuses a value of another type, out of range or too long
 */
export function readCell(table: Table, column: Column, value: unknown): CellValue {
  if (value === null || value === undefined) return null;
  switch (column.type) {
    case "String":
    case "Memo":
      return readText(table, column, value);
    case "Integer":
    case "BigInt":
      if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrongType(table, column, value, "Edm.Int32");
      return value;
    case "Decimal":
    case "Money":
    case "Double":
      if (typeof value !== "number") throw wrongType(table, column, value, "Edm.Decimal");
      return value;
    case "Boolean":
      if (typeof value !== "boolean") throw wrongType(table, column, value, "Edm.Boolean");
      return value;
    case "Picklist":
    case "State":
    case "Status":
      return readChoice(table, column, value);
    case "MultiSelectPicklist":
      return readChoices(table, column, value);
    case "DateTime":
      return readTime(table, column, value);
    case "Uniqueidentifier":
      if (typeof value !== "string" || !isGuid(value)) throw wrongType(table, column, value, "Edm.Guid");
      return value.toLowerCase();
    case "Lookup":
    case "Customer":
    case "Owner":
      throw badPayload(
        table.entitySet,
        `CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.`,
      );
  }
}

function readText(table: Table, column: Column, value: unknown): string {
  if (typeof value !== "string") throw wrongType(table, column, value, "Edm.String");
  const limit = column.maxLength ?? 100;
  if (value.length > limit) {
    throw badRequest(
      `A validation error occurred.  The length of the '${column.name}' attribute of the '${table.name}' entity ` +
        `exceeded the maximum allowed length of '${limit}'.`,
      "0x80044331",
    );
  }
  return value;
}

function readChoice(table: Table, column: Column, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(table, column, value, "Edm.Int32");
  if (column.options?.some((option) => option.value === value) !== true) {
    const accepted = column.options?.map((option) => option.value).join(",") ?? "";
    throw badRequest(
      `A validation error occurred. The value ${value} of '${column.name}' on record of type '${table.name}' is ` +
        `outside the valid range. Accepted Values: ${accepted}`,
      "0x8004431a",
    );
  }
  return value;
}

function readChoices(table: Table, column: Column, value: unknown): string {
  if (typeof value !== "string") throw wrongType(table, column, value, "Edm.String");
  for (const part of value.split(",")) readChoice(table, column, Number(part));
  return value;
}

function readTime(table: Table, column: Column, value: unknown): string {
  const dateOnly = column.dateTimeBehavior === "DateOnly";
  const edm = dateOnly ? "Edm.Date" : "Edm.DateTimeOffset";
  if (typeof value !== "string") throw wrongType(table, column, value, edm);
  const fits = dateOnly ? day.test(value) : day.test(value) || moment.test(value);
  const time = Date.parse(value);
  if (!fits || Number.isNaN(time)) throw wrongType(table, column, value, edm);
  return dateOnly ? value : wireTime(time);
}

/** A time as Dataverse writes it: UTC, whole seconds. */
export function wireTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

function wrongType(table: Table, column: Column, value: unknown, edm: string): Error {
  const literal = typeof value === "object" ? JSON.stringify(value) : String(value);
  return badPayload(
    table.entitySet,
    `Microsoft.OData.ODataException: Cannot convert the literal '${literal}' to the expected type '${edm}'. (${column.name})`,
  );
}

/** The label of a value, or undefined where Dataverse gives none. Formats are those of a user with US English settings. */
export function formattedValue(column: Column, value: CellValue, lookupName: string | undefined): string | undefined {
  if (value === null) return undefined;
  if (isLookup(column)) return lookupName;
  switch (column.type) {
    case "Picklist":
    case "State":
    case "Status":
      return labelOf(column, Number(value));
    case "Boolean":
      return labelOf(column, value === true ? 1 : 0) ?? (value === true ? "Yes" : "No");
    case "MultiSelectPicklist":
      return String(value)
        .split(",")
        .map((part) => labelOf(column, Number(part)) ?? part)
        .join("; ");
    case "Money":
      return `$${Number(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
    case "Integer":
    case "BigInt":
    case "Decimal":
    case "Double":
      return Number(value).toLocaleString("en-US");
    case "DateTime":
      return formattedTime(column, String(value));
    default:
      return undefined;
  }
}

function labelOf(column: Column, value: number): string | undefined {
  return column.options?.find((option) => option.value === value)?.label;
}

function formattedTime(column: Column, value: string): string {
  const time = new Date(value);
  const date = `${time.getUTCMonth() + 1}/${time.getUTCDate()}/${time.getUTCFullYear()}`;
  if (column.dateTimeFormat !== "DateAndTime") return date;
  const hour = time.getUTCHours();
  const minute = String(time.getUTCMinutes()).padStart(2, "0");
  return `${date} ${hour % 12 === 0 ? 12 : hour % 12}:${minute} ${hour < 12 ? "AM" : "PM"}`;
}
