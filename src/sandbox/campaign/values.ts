import { badEmail, badEnumeration, badValue, readOnlyField, unknownField } from "./errors.ts";
import type { Endpoint, Field, Resource } from "./schema.ts";

/** What a record holds: field → value. A field left out is empty. */
export type FieldValues = Readonly<Record<string, unknown>>;

/** Fields that an endpoint shows: extended ones only beyond `profileAndServices` (api/using/endpoints.md). */
export function visibleFields(resource: Resource, endpoint: Endpoint): readonly Field[] {
  return endpoint === "profileAndServices"
    ? resource.fields.filter((field) => field.extended !== true)
    : resource.fields;
}

/**
 * The number of the record that a link's value names; a text: the key of a record that is still to come; undefined: the
 * value is ignored. @throws CampaignRefusal
 */
export type LinkFinder = (field: Field, value: unknown) => number | string | undefined;

/**
 * A request's body as the record will hold it.
 * @throws CampaignRefusal for a field that is unknown or read-only, or a value of another type
 */
export function readFields(
  resource: Resource,
  endpoint: Endpoint,
  body: FieldValues,
  findLink: LinkFinder,
): FieldValues {
  const values: Record<string, unknown> = {};
  const fields = visibleFields(resource, endpoint);
  for (const [name, value] of Object.entries(body)) {
    if (name === "PKey" || name === "href") continue;
    const field = fields.find((one) => one.name === name);
    if (field === undefined) throw unknownField(resource, name);
    if (field.readOnly === true) throw readOnlyField(resource, name);
    values[name] = readField(resource, field, value, findLink);
  }
  return values;
}

function readField(resource: Resource, field: Field, value: unknown, findLink: LinkFinder): unknown {
  if (value === null || value === "") return undefined;
  switch (field.type) {
    case "string":
      return readText(resource, field, value);
    case "integer":
      return readNumber(resource, field, value, Number.isInteger);
    case "number":
      return readNumber(resource, field, value, Number.isFinite);
    case "boolean":
      if (value === true || value === "true" || value === 1 || value === "1") return true;
      if (value === false || value === "false" || value === 0 || value === "0") return false;
      throw badValue(resource, field.name, field.type);
    case "date":
      return readTime(resource, field, value, /^\d{4}-\d{2}-\d{2}$/);
    case "datetime":
      return readTime(resource, field, value, /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z?)?$/);
    case "enumeration":
      if (!(field.values ?? []).includes(String(value))) throw badEnumeration(resource, field.name, value);
      return String(value);
    case "link":
      return findLink(field, value);
    case "item":
      return readItem(resource, field, value, findLink);
  }
}

function readText(resource: Resource, field: Field, value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number") throw badValue(resource, field.name, field.type);
  const text = String(value);
  if (text.length > (field.maxLength ?? 255)) throw badValue(resource, field.name, `string(${field.maxLength ?? 255})`);
  switch (field.dataPolicy) {
    case "email":
      if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text)) throw badEmail(field.name);
      return text;
    case "smartCase":
      return text
        .toLowerCase()
        .replace(/(^|[\s-])(\p{L})/gu, (_, before, letter) => before + String(letter).toUpperCase());
    case "upperCase":
      return text.toUpperCase();
    case "lowerCase":
      return text.toLowerCase();
    default:
      return text;
  }
}

function readNumber(resource: Resource, field: Field, value: unknown, fits: (number: number) => boolean): number {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !fits(number)) throw badValue(resource, field.name, field.type);
  return number;
}

function readTime(resource: Resource, field: Field, value: unknown, shape: RegExp): string {
  if (typeof value !== "string" || !shape.test(value) || Number.isNaN(Date.parse(value.replace(" ", "T")))) {
    throw badValue(resource, field.name, field.type);
  }
  if (field.type === "date" || value.length === 10) return value;
  const iso = new Date(value.replace(" ", "T").replace(/Z?$/, "Z")).toISOString();
  return iso.replace("T", " ");
}

function readItem(resource: Resource, field: Field, value: unknown, findLink: LinkFinder): FieldValues {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw badValue(resource, field.name, "item");
  const inside: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(value)) {
    const inner = field.fields?.find((one) => one.name === name);
    if (inner === undefined) throw unknownField(resource, name);
    inside[name] = readField(resource, inner, part, findLink);
  }
  return inside;
}
