import { isRecord } from "../http/answer.ts";
import type { ColumnMetadata, ColumnType, TableMetadata } from "./interface.ts";

/** How a table's definition is asked for and read. Source: webapi/query-metadata-web-api.md */

export function definitionPath(table: string): string {
  return `EntityDefinitions(LogicalName='${table.replaceAll("'", "''")}')`;
}

export const definitionQuery =
  "?$select=LogicalName,EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled" +
  "&$expand=Attributes($select=LogicalName,AttributeType,AttributeTypeName)";

const optionSets = "?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)";

/** Properties of one kind of column need a cast to it, one request a kind. */
export const castQueries = {
  DateTime: "/Attributes/Microsoft.Dynamics.CRM.DateTimeAttributeMetadata?$select=LogicalName,Format,DateTimeBehavior",
  Lookup: "/Attributes/Microsoft.Dynamics.CRM.LookupAttributeMetadata?$select=LogicalName,Targets",
  Picklist: `/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata${optionSets}`,
  State: `/Attributes/Microsoft.Dynamics.CRM.StateAttributeMetadata${optionSets}`,
  Status: `/Attributes/Microsoft.Dynamics.CRM.StatusAttributeMetadata${optionSets}`,
  MultiSelectPicklist: `/Attributes/Microsoft.Dynamics.CRM.MultiSelectPicklistAttributeMetadata${optionSets}`,
} as const;

const casts = Object.keys(castQueries) as Cast[]; // Its keys are all there are.

export type Cast = keyof typeof castQueries;

/** The casts that these columns need. */
export function castsFor(columns: Iterable<ColumnMetadata>): readonly Cast[] {
  const types = new Set([...columns].map((column) => column.type));
  return casts.filter((cast) => types.has(cast));
}

/** @returns undefined when the answer is no definition */
export function parseDefinition(answer: unknown, wanted: readonly string[]): TableMetadata | undefined {
  if (!isRecord(answer)) return undefined;
  const { LogicalName: table, EntitySetName: entitySet, PrimaryIdAttribute: primaryId } = answer;
  const { ChangeTrackingEnabled: changeTracking, Attributes: attributes } = answer;
  if (typeof table !== "string" || typeof entitySet !== "string" || typeof primaryId !== "string") return undefined;
  if (!Array.isArray(attributes)) return undefined;
  const all = new Map(attributes.filter(isRecord).map((attribute) => [attribute["LogicalName"], attribute]));
  const columns = new Map<string, ColumnMetadata>();
  for (const name of wanted) {
    const attribute = all.get(name);
    if (attribute === undefined) continue;
    const type = columnType(attribute);
    const property = type === "Lookup" ? `_${name}_value` : name;
    columns.set(name, { name, type, property, ...metadataIdOf(attribute) });
  }
  return {
    table,
    entitySet,
    primaryId,
    ...metadataIdOf(answer),
    changeTracking: changeTracking === true,
    versionNumber: all.has("versionnumber"),
    columns,
  };
}

/**
 * Adds what a cast's answer says of the columns of its kind.
 * @returns undefined when the answer is no list: what it would tell is not gone for that
 */
export function withCast(metadata: TableMetadata, cast: Cast, answer: unknown): TableMetadata | undefined {
  const value = isRecord(answer) ? answer["value"] : undefined;
  if (!Array.isArray(value)) return undefined;
  const columns = new Map(metadata.columns);
  for (const attribute of value.filter(isRecord)) {
    const name = String(attribute["LogicalName"]);
    const column = columns.get(name);
    if (column === undefined) continue;
    columns.set(name, { ...column, ...castProperties(cast, attribute) });
  }
  return { ...metadata, columns };
}

/** It comes with every definition, selected or not. */
function metadataIdOf({ MetadataId: id }: Record<string, unknown>): { metadataId?: string } {
  return typeof id === "string" ? { metadataId: id.toLowerCase() } : {};
}

function castProperties(cast: Cast, attribute: Record<string, unknown>): Partial<ColumnMetadata> {
  if (cast === "DateTime") return dateTimeOf(attribute);
  return cast === "Lookup" ? targetsOf(attribute) : optionsOf(attribute);
}

/** An option set belongs to the column, or is a global one. */
function optionsOf({ OptionSet: own, GlobalOptionSet: global }: Record<string, unknown>): Partial<ColumnMetadata> {
  const sets = [own, global].flatMap((set) => (isRecord(set) && Array.isArray(set["Options"]) ? [set["Options"]] : []));
  const [options] = sets;
  if (options === undefined) return {};
  const labels = options.filter(isRecord).flatMap((option) => {
    const value = option["Value"];
    return typeof value === "number" ? [[String(value), labelOf(option["Label"])] as const] : [];
  });
  return { options: Object.fromEntries(labels) };
}

/** A label in the user's language; "" where there is none. */
export function labelOf(label: unknown): string {
  const localized = isRecord(label) ? label["UserLocalizedLabel"] : undefined;
  const text = isRecord(localized) ? localized["Label"] : undefined;
  return typeof text === "string" ? text : "";
}

function dateTimeOf(attribute: Record<string, unknown>): Partial<ColumnMetadata> {
  const behavior = inner(attribute["DateTimeBehavior"]);
  const format = inner(attribute["Format"]);
  return {
    ...(behavior === "UserLocal" || behavior === "DateOnly" || behavior === "TimeZoneIndependent"
      ? { dateTimeBehavior: behavior }
      : {}),
    ...(format === "DateOnly" || format === "DateAndTime" ? { dateTimeFormat: format } : {}),
  };
}

function targetsOf(attribute: Record<string, unknown>): Partial<ColumnMetadata> {
  const targets = attribute["Targets"];
  return Array.isArray(targets) ? { targets: targets.filter((target) => typeof target === "string") } : {};
}

/** Some properties are a value, some an object that holds one. */
function inner(property: unknown): unknown {
  return isRecord(property) ? property["Value"] : property;
}

/** AttributeTypeCode, by its name in the Web API. A multi-select choice is `Virtual` there, and named only by its type name. */
const columnTypes: Readonly<Record<string, ColumnType>> = {
  Boolean: "Boolean",
  Integer: "Integer",
  BigInt: "BigInt",
  Decimal: "Decimal",
  Double: "Double",
  Money: "Money",
  String: "String",
  Memo: "Memo",
  DateTime: "DateTime",
  Picklist: "Picklist",
  State: "State",
  Status: "Status",
  Lookup: "Lookup",
  Customer: "Lookup",
  Owner: "Lookup",
  Uniqueidentifier: "Uniqueidentifier",
};

function columnType(attribute: Record<string, unknown>): ColumnType {
  if (inner(attribute["AttributeTypeName"]) === "MultiSelectPicklistType") return "MultiSelectPicklist";
  return columnTypes[String(inner(attribute["AttributeType"]))] ?? "Other";
}
