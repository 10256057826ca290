import { isStrong, type SandboxRequest } from "../answer.ts";
import { badRequest, DataverseRefusal, noProperty, noSegment, notInSandbox } from "./errors.ts";
import { serviceRoot } from "./links.ts";
import { parseFilter } from "./odata-filter.ts";
import type { Organization } from "./organization.ts";
import { manyToOne, oneToMany } from "./relationships.ts";
import type { Column, Table } from "./schema.ts";
import {
  columnId,
  columnMetadata,
  derivedTypeOf,
  keyMetadata,
  type MetadataJson,
  optionSetMetadata,
  tableId,
  tableMetadata,
} from "./table-metadata.ts";

/*
 * `EntityDefinitions` and what hangs below it. Source: webapi/query-metadata-web-api.md.
 */

const enumTypes = ["Picklist", "State", "Status", "MultiSelectPicklist", "Boolean"];
const crm = "Microsoft.Dynamics.CRM.";

interface Options {
  readonly select: readonly string[] | undefined;
  readonly filter: string | undefined;
  readonly expand: readonly { readonly name: string; readonly options: Options }[];
}

/** @param segments the path below the service root, decoded: `EntityDefinitions(LogicalName='contact')`, `Attributes`, ... */
export function readMetadata(
  organization: Organization,
  request: SandboxRequest,
  segments: readonly string[],
): MetadataJson {
  const options = optionsOf(request.query);
  const context = `${serviceRoot(request)}$metadata#${segments.join("/")}`;
  const [root = "", ...rest] = segments;
  const key = /^EntityDefinitions\((.+)\)$/.exec(root)?.[1];
  const { tables } = organization.definitions({ strong: isStrong(request) });
  if (key === undefined) {
    const rows = tables.map((table) => tableJson(tables, table, options));
    return { "@odata.context": context, value: keep(tables.map(tableMetadata), rows, options, "EntityMetadata") };
  }
  const table = findTable(tables, key);
  if (rest.length === 0) return { "@odata.context": `${context}/$entity`, ...tableJson(tables, table, options) };
  return { "@odata.context": context, ...below(tables, table, rest, options) };
}

function below(tables: readonly Table[], table: Table, segments: readonly string[], options: Options): MetadataJson {
  const [collection = "", ...rest] = segments;
  const found = relationships(tables, table, collection, options);
  if (found !== undefined && rest.length === 0) return { value: found };
  if (collection === "Keys")
    return { value: table.keys.map((columns) => project(keyMetadata(table, columns), options, "EntityKeyMetadata")) };
  const key = /^Attributes(?:\((.+)\))?$/.exec(collection);
  if (key === null) throw noSegment(collection);
  const cast = rest[0]?.startsWith(crm) === true ? rest[0].slice(crm.length) : undefined;
  if (rest.length > (cast === undefined ? 0 : 1)) throw notInSandbox(`the metadata path ${segments.join("/")}`);
  if (key[1] === undefined) return { value: attributes(table, cast, options) };
  const name = nameOrId(key[1]);
  const column = table.columns.find((one) => one.name === name || columnId(table, one) === name);
  if (column === undefined || (cast !== undefined && derivedTypeOf(column) !== cast)) {
    throw new DataverseRefusal(404, "0x80060888", `Could not find an attribute with specified name ${name}`);
  }
  return attributeJson(table, column, cast, options);
}

/** undefined: no such collection. There are no relationships of many to many. */
function relationships(
  tables: readonly Table[],
  table: Table,
  collection: string,
  options: Options,
): readonly MetadataJson[] | undefined {
  if (collection === "ManyToManyRelationships") return [];
  if (collection !== "ManyToOneRelationships" && collection !== "OneToManyRelationships") return undefined;
  const whole = collection === "ManyToOneRelationships" ? manyToOne(table) : oneToMany(tables, table);
  const type = "OneToManyRelationshipMetadata";
  return keep(
    whole,
    whole.map((one) => project(one, options, type)),
    options,
    type,
  );
}

function tableJson(tables: readonly Table[], table: Table, options: Options): MetadataJson {
  const json: Record<string, unknown> = { ...project(tableMetadata(table), options, "EntityMetadata") };
  for (const { name, options: inner } of options.expand) {
    if (name === "Attributes") json[name] = attributes(table, undefined, inner);
    else if (name === "Keys")
      json[name] = table.keys.map((columns) => project(keyMetadata(table, columns), inner, "EntityKeyMetadata"));
    else {
      const found = relationships(tables, table, name, inner);
      if (found === undefined) throw noProperty(name, "EntityMetadata");
      json[name] = found;
    }
  }
  return json;
}

function attributes(table: Table, cast: string | undefined, options: Options): readonly MetadataJson[] {
  const columns = table.columns.filter((column) => cast === undefined || derivedTypeOf(column) === cast);
  const rows = columns.map((column) => attributeJson(table, column, cast, options));
  const whole = columns.map((column) => ({
    ...columnMetadata(table, column).common,
    ...columnMetadata(table, column).derived,
  }));
  return keep(whole, rows, options, "AttributeMetadata");
}

/** Without a cast only the common properties may be selected; without `$select` everything comes. */
function attributeJson(table: Table, column: Column, cast: string | undefined, options: Options): MetadataJson {
  const { common, derived } = columnMetadata(table, column);
  const type = cast ?? "AttributeMetadata";
  const known = cast === undefined && options.select !== undefined ? common : { ...common, ...derived };
  const json: Record<string, unknown> = { ...project(known, options, type) };
  for (const { name, options: inner } of options.expand) {
    if (cast === undefined || !enumTypes.includes(column.type)) throw noProperty(name, type);
    if (name === "OptionSet") json[name] = project(optionSetMetadata(table, column), inner, "OptionSetMetadata");
    else if (name === "GlobalOptionSet") json[name] = null;
    else throw noProperty(name, type);
  }
  return json;
}

/** The selected properties, with those that always come. */
function project(json: MetadataJson, options: Options, type: string): MetadataJson {
  if (options.select === undefined) return json;
  const shown: Record<string, unknown> = {};
  if (json["@odata.type"] !== undefined) shown["@odata.type"] = json["@odata.type"];
  for (const name of options.select) {
    if (!(name in json)) throw noProperty(name, type);
    shown[name] = json[name];
  }
  shown["MetadataId"] = json["MetadataId"];
  return shown;
}

/** The shown objects whose whole ones pass the filter. */
function keep(
  whole: readonly MetadataJson[],
  shown: readonly MetadataJson[],
  options: Options,
  type: string,
): readonly MetadataJson[] {
  if (options.filter === undefined) return shown;
  const matches = parseFilter<MetadataJson>(options.filter, (json, property) => {
    const value = property.split("/").reduce<unknown>((at, name) => valueAt(at, name), json);
    if (value === undefined) throw noProperty(property, type);
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
  });
  return shown.filter((_, index) => {
    const json = whole[index];
    return json !== undefined && matches(json);
  });
}

function valueAt(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null
    ? Object.getOwnPropertyDescriptor(object, name)?.value
    : undefined;
}

function findTable(tables: readonly Table[], key: string): Table {
  const name = nameOrId(key);
  const table = tables.find((one) => one.name === name || tableId(one) === name);
  if (table === undefined) {
    throw new DataverseRefusal(404, "0x80060888", `Could not find an entity with specified name ${name}`);
  }
  return table;
}

function nameOrId(key: string): string {
  return /^LogicalName='([^']*)'$/.exec(key)?.[1] ?? key.replace(/^MetadataId=/, "").toLowerCase();
}

function optionsOf(query: URLSearchParams): Options {
  for (const name of query.keys()) {
    if (!["$select", "$filter", "$expand", "LabelLanguages"].includes(name))
      throw notInSandbox(`the option ${name} on metadata`);
  }
  return {
    select: query
      .get("$select")
      ?.split(",")
      .map((name) => name.trim()),
    filter: query.get("$filter") ?? undefined,
    expand: parseExpand(query.get("$expand") ?? ""),
  };
}

/** `Attributes($select=LogicalName;$filter=...),Keys` */
function parseExpand(text: string): Options["expand"] {
  return splitOutside(text, ",").map((part) => {
    const match = /^\s*(\w+)\s*(?:\((.*)\))?\s*$/s.exec(part);
    if (match === null) throw badRequest(`Syntax error in $expand '${text}'.`, "0x80060888");
    const query = new URLSearchParams();
    for (const option of splitOutside(match[2] ?? "", ";")) {
      const equals = option.indexOf("=");
      query.append(option.slice(0, equals).trim(), option.slice(equals + 1));
    }
    return { name: match[1] ?? "", options: optionsOf(query) };
  });
}

function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index += 1) {
    const sign = text[index];
    if (sign === "(") depth += 1;
    else if (sign === ")") depth -= 1;
    else if (sign === separator && depth === 0) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  return [...parts, text.slice(from)].filter((part) => part.trim() !== "");
}
