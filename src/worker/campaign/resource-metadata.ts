import { isRecord } from "../http/answer.ts";
import type { Dialect } from "./dialect.ts";
import type { CampaignFieldMetadata, CampaignFieldType, CampaignResourceMetadata } from "./interface.ts";

/**
 * Reads `resourceType/<resource>`: `content.<field>.{apiName, type, resType, resTarget, values}` (metadata-mechanism.md).
 * @returns undefined when the answer describes no resource
 */
export function parseResourceMetadata(
  resource: string,
  answer: unknown,
  dialect: Pick<Dialect, "isInsertOnly">,
): CampaignResourceMetadata | undefined {
  const content = isRecord(answer) ? answer["content"] : undefined;
  const fields = isRecord(content) ? fieldsOf(content, "") : [];
  // A resource has a key at least: without any field it is not gone, it is not described.
  if (fields.length === 0) return undefined;
  const told = fields.map((field) =>
    dialect.isInsertOnly(field.name) ? { ...field, insertOnly: true as const } : field,
  );
  return { resource, fields: new Map(told.map((field) => [field.name, field])) };
}

/** An item is described as the resource is, by a `content` of its own: it stands for its fields, named by their paths. */
function fieldsOf(content: Readonly<Record<string, unknown>>, path: string): readonly CampaignFieldMetadata[] {
  return Object.entries(content).flatMap(([key, value]) => {
    if (!isRecord(value)) return [];
    const name = `${path}${typeof value["apiName"] === "string" ? value["apiName"] : key}`;
    const { type, resTarget: target, dataPolicy, content: inner } = value;
    if (type === "item" && isRecord(inner)) return fieldsOf(inner, `${name}.`);
    const rawType = String(value["resType"] ?? type ?? "");
    const values = valuesOf(value["values"]);
    return {
      name,
      type: fieldType(String(type ?? ""), rawType),
      rawType,
      ...(values === undefined ? {} : { values }),
      ...(type === "link" && typeof target === "string" ? { target } : {}),
      ...(typeof dataPolicy === "string" && dataPolicy !== "none" ? { dataPolicy } : {}),
    };
  });
}

/** The address of the resource's filters, where the answer names one (filtering.md). */
export function filtersLink(answer: unknown): string | undefined {
  const filters = isRecord(answer) ? answer["filters"] : undefined;
  const href = isRecord(filters) ? filters["href"] : undefined;
  return typeof href === "string" ? href : undefined;
}

/** A filter that takes one value: `byCrmId?crmId_parameter=$value`. */
export interface ResourceFilter {
  readonly name: string;
  readonly parameter: string;
}

/**
 * The filters that take exactly one value, by the sample of their use in `data` (filtering.md). Names begin with `by`,
 * but not where the instance was moved to Campaign v8.
 */
export function parseFilters(answer: unknown): readonly ResourceFilter[] {
  if (!isRecord(answer)) return [];
  const filters: ResourceFilter[] = [];
  for (const filter of Object.values(answer)) {
    const data = isRecord(filter) ? filter["data"] : undefined;
    const match = typeof data === "string" ? /([^/?]+)\?([^=&]+)=\$value$/.exec(data) : null;
    if (match?.[1] !== undefined && match[2] !== undefined) filters.push({ name: match[1], parameter: match[2] });
  }
  return filters;
}

/**
 * `type` is the notion, `resType` the technical type: `string`, `long`, `datetime`, ... An enumeration is taken and given
 * by its values' names, whatever it is stored as.
 */
function fieldType(type: string, rawType: string): CampaignFieldType {
  if (type === "link") return "link";
  if (type === "collection") return "other";
  if (type === "enumeration") return "string";
  return technicalTypes[rawType.toLowerCase()] ?? technicalTypes[type.toLowerCase()] ?? "other";
}

const technicalTypes: Readonly<Record<string, CampaignFieldType>> = {
  string: "string",
  memo: "string",
  html: "string",
  uuid: "string",
  byte: "integer",
  short: "integer",
  long: "integer",
  int64: "integer",
  integer: "integer",
  number: "number",
  float: "number",
  double: "number",
  boolean: "boolean",
  date: "date",
  datetime: "datetime",
  datetimetz: "datetime",
  datetimenotz: "datetime",
};

/** An enumeration's values: what a POST takes is each one's `name`. The node is a list or an object by name. */
function valuesOf(node: unknown): readonly string[] | undefined {
  if (Array.isArray(node)) {
    return node.flatMap((item) => {
      const name = isRecord(item) ? (item["name"] ?? item["value"]) : item;
      return typeof name === "string" || typeof name === "number" ? [String(name)] : [];
    });
  }
  return isRecord(node) ? Object.entries(node).map(([key, item]) => nameOf(item) ?? key) : undefined;
}

function nameOf(item: unknown): string | undefined {
  const name = isRecord(item) ? item["name"] : undefined;
  return typeof name === "string" ? name : undefined;
}
