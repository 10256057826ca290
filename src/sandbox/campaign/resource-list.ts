import { unknownField, unknownFilter } from "./errors.ts";
import type { CampaignInstance } from "./instance.ts";
import { fieldJson, recordJson, resourceUrl, type UrlBase } from "./record-json.ts";
import type { CampaignRecord } from "./record-store.ts";
import type { CustomFilter, Field, Resource } from "./schema.ts";
import { visibleFields } from "./values.ts";

/*
 * Lists: pages, counts, filters, order. Sources: api/using/pagination.md, counting.md, filtering.md, sorting.md,
 * retrieving-profiles.md. A custom filter for every identification key is assumed, see README.md.
 */

/** What follows the resource in the URL: filters, or one field whose values are listed. */
export interface ListPath {
  readonly filters: readonly string[];
  readonly field: string | undefined;
}

export interface List {
  readonly json: Record<string, unknown>;
  readonly rows: number;
}

type Test = (record: CampaignRecord) => boolean;

const defaultLines = 25;

export function listRecords(
  instance: CampaignInstance,
  base: UrlBase,
  resource: Resource,
  path: ListPath,
  query: URLSearchParams,
): List {
  const store = instance.store(resource.name);
  const lines = Math.max(1, Number(query.get("_lineCount") ?? defaultLines) || defaultLines);
  const order = query.get("_order");
  const after = decodeLineStart(query.get("_lineStart"));
  const { records, more } =
    order === null
      ? page(candidates(instance, resource, path, query, after), lines)
      : sortedPage(instance, base, resource, path, query, order, after, lines);
  const field = path.field === undefined ? undefined : fieldOf(resource, base, path.field);
  const content = records.map((record) =>
    field === undefined ? recordJson(instance, base, resource, record) : fieldJson(instance, base, record, field),
  );
  const url = [
    resourceUrl(base, resource.name),
    ...path.filters,
    ...(path.field === undefined ? [] : [path.field]),
  ].join("/");
  const kept = new URLSearchParams([...query].filter(([name]) => name !== "_lineStart"));
  const json: Record<string, unknown> = { content };
  const large = store.count > instance.behaviour.bigTableThreshold;
  if (more && (!large || query.get("_forcePagination") === "true")) {
    const next = order === null ? (records.at(-1)?.id ?? 0) : after + records.length;
    json["next"] = { href: `${url}?${withLineStart(kept, next)}` };
  }
  json["count"] = { href: `${url}/_count?${withLineStart(kept, 0)}` };
  json["serverSidePagination"] = true;
  return { json, rows: content.length };
}

export function countRecords(
  instance: CampaignInstance,
  resource: Resource,
  path: ListPath,
  query: URLSearchParams,
): number {
  const hides = resource.fields.some((field) => field.mandatory === true);
  if (path.filters.length === 0 && !hides) return instance.store(resource.name).count;
  let count = 0;
  for (const _ of candidates(instance, resource, path, query, 0)) count += 1;
  return count;
}

/** Whether a path segment is one of the resource's filters. */
export function isFilter(segment: string): boolean {
  return /^by[A-Za-z]/.test(segment);
}

/** Every filter that the resource has, with its parameters: what the filters' metadata tells. */
export function filtersOf(
  resource: Resource,
): readonly { readonly name: string; readonly parameters: readonly string[] }[] {
  const builtIn = [
    { name: "byText", parameters: ["text"] },
    ...(resource.name === "profile" ? [{ name: "byEmail", parameters: ["email"] }] : []),
    ...(resource.name === "service" ? [{ name: "byChannel", parameters: ["channel"] }] : []),
  ];
  const custom = customFilters(resource).map((filter) => ({
    name: `by${filter.name}`,
    parameters: filter.parameters.map((parameter) => parameter.name),
  }));
  return [...builtIn, { name: "byLastModified", parameters: ["lastModified_parameter"] }, ...custom];
}

function customFilters(resource: Resource): readonly CustomFilter[] {
  const byKey = resource.keys.map((field) => ({
    name: field.charAt(0).toUpperCase() + field.slice(1),
    parameters: [{ name: `${field}_parameter`, field }],
  }));
  return [...byKey, ...(resource.filters ?? [])];
}

function* candidates(
  instance: CampaignInstance,
  resource: Resource,
  path: ListPath,
  query: URLSearchParams,
  after: number,
): Generator<CampaignRecord> {
  const store = instance.store(resource.name);
  const tests: Test[] = [];
  let source: Iterable<CampaignRecord> = store.after(after);
  for (const name of path.filters) {
    const keyed = customFilters(resource).find((filter) => sameName(`by${filter.name}`, name));
    const only = keyed?.parameters.length === 1 ? keyed.parameters[0] : undefined;
    const wanted = only === undefined ? null : query.get(only.name);
    if (only !== undefined && wanted !== null && store.isKey(only.field)) {
      source = store.findByKey(only.field, wanted).filter((record) => record.id > after);
    } else {
      tests.push(filterTest(resource, name, query));
    }
  }
  for (const record of source) {
    if (tests.every((test) => test(record)) && !instance.isHidden(resource, record)) yield record;
  }
}

function filterTest(resource: Resource, name: string, query: URLSearchParams): Test {
  switch (name.toLowerCase()) {
    case "bytext":
      return textTest(query);
    case "byemail":
      return (record) => record.values["email"] === query.get("email");
    case "bychannel":
      return (record) => (record.values["messageType"] ?? "email") === query.get("channel");
    case "bylastmodified": {
      const from = Date.parse((query.get("lastModified_parameter") ?? "").replace(" ", "T"));
      return (record) => record.lastModified >= from;
    }
  }
  const custom = customFilters(resource).find((filter) => sameName(`by${filter.name}`, name));
  if (custom === undefined) throw unknownFilter(resource, name);
  return (record) =>
    custom.parameters.every(
      ({ name: parameter, field }) => String(record.values[field] ?? "") === (query.get(parameter) ?? ""),
    );
}

/**
 * Case-sensitive and by prefix, in email, first name and last name, or in the one field that `filterType` names: a custom
 * one without its prefix, as `cusHobby=Dancing&filterType=Hobby` (retrieving-profiles.md).
 */
function textTest(query: URLSearchParams): Test {
  const type = query.get("filterType");
  const fields = type === null ? ["email", "firstName", "lastName", "label", "name"] : [type, `cus${type}`];
  const text = ["text", ...fields].map((name) => query.get(name)).find((value) => value !== null) ?? "";
  return (record) => fields.some((field) => String(record.values[field] ?? "").startsWith(text) && text !== "");
}

function page(records: Iterable<CampaignRecord>, lines: number): { records: readonly CampaignRecord[]; more: boolean } {
  const taken: CampaignRecord[] = [];
  for (const record of records) {
    if (taken.length === lines) return { records: taken, more: true };
    taken.push(record);
  }
  return { records: taken, more: false };
}

function sortedPage(
  instance: CampaignInstance,
  base: UrlBase,
  resource: Resource,
  path: ListPath,
  query: URLSearchParams,
  order: string,
  offset: number,
  lines: number,
): { records: readonly CampaignRecord[]; more: boolean } {
  const [name = "", direction] = order.replaceAll("%20", " ").split(/\s+/);
  const field = fieldOf(resource, base, name);
  const sign = direction === "desc" ? -1 : 1;
  const all = [...candidates(instance, resource, path, query, 0)].map((record) => ({
    record,
    value: fieldJson(instance, base, record, field),
  }));
  all.sort((a, b) => sign * compare(a.value, b.value) || a.record.id - b.record.id);
  const records = all.slice(offset, offset + lines).map(({ record }) => record);
  return { records, more: all.length > offset + lines };
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [String(a), String(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function fieldOf(resource: Resource, base: UrlBase, name: string): Field {
  const field = visibleFields(resource, base.endpoint).find((one) => one.name === name);
  if (field === undefined) throw unknownField(resource, name);
  return field;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function withLineStart(query: URLSearchParams, after: number): string {
  const rest = query.toString();
  return `${rest === "" ? "" : `${rest}&`}_lineStart=${encodeLineStart(after)}`;
}

function encodeLineStart(after: number): string {
  return `@${Buffer.from(`line ${String(after).padStart(12, "0")} of the list`).toString("base64url")}`;
}

function decodeLineStart(text: string | null): number {
  if (text === null) return 0;
  return Number(/^line (\d{12}) /.exec(Buffer.from(text.slice(1), "base64url").toString())?.[1] ?? 0);
}
