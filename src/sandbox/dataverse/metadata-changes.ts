import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { onlyGet, result } from "./answers.ts";
import { badRequest, versionStampExpired } from "./errors.ts";
import { argument } from "./messages.ts";
import { type MetadataQuery, parseMetadataQuery } from "./metadata-query.ts";
import type { Organization } from "./organization.ts";
import { parseVersionStamp, versionStamp } from "./paging.ts";
import type { Column, Table } from "./schema.ts";
import type { SchemaItem } from "./schema-log.ts";
import {
  columnMetadata,
  derivedTypeOf,
  keyMetadata,
  type MetadataJson,
  optionSetMetadata,
  tableMetadata,
} from "./table-metadata.ts";

/*
 * RetrieveMetadataChanges: what a query selects of the schema; with a ClientVersionStamp only what changed since.
 * Sources: query-schema-definitions.md, cache-schema-data.md. README.md says what is assumed.
 */

const crm = "#Microsoft.Dynamics.CRM.";
/** The order of DeletedMetadataFilters, by the kinds of items that the sandbox can lose. */
const deletedKinds = [
  ["Entity", "table"],
  ["Attribute", "column"],
] as const;

interface Since {
  readonly organization: Organization;
  /** undefined: everything, as in a first request. */
  readonly version: number | undefined;
}

/** @throws DataverseRefusal 0x80044352 for a stamp that has run out, 400 for a query that is none */
export function metadataChanges(organization: Organization, request: SandboxRequest, segment: string): SandboxAnswer {
  onlyGet(request);
  const query = parseMetadataQuery(argument(request, segment, "Query"));
  const version = clientVersion(organization, argument(request, segment, "ClientVersionStamp"));
  const since = { organization, version };
  const tables = organization
    .tables()
    .filter((table) => query.matches(tableMetadata(table)))
    .flatMap((table) => tableJson(since, query, table) ?? []);
  return result(request, "RetrieveMetadataChanges", {
    ServerVersionStamp: versionStamp(organization.schemaLog.version, organization.expiryNow()),
    DeletedMetadata: deletedJson(since, argument(request, segment, "DeletedMetadataFilters")),
    EntityMetadata: tables,
  });
}

function clientVersion(organization: Organization, literal: string | undefined): number | undefined {
  if (literal === undefined || literal === "null") return undefined;
  const stamp = parseVersionStamp(literal.replace(/^'|'$/g, ""));
  if (stamp === undefined) throw badRequest(`The ClientVersionStamp ${literal} is not valid.`);
  const { oldestStamp, expireSubscriptionsInDays } = organization.schemaLog;
  const age = organization.expiryNow() - stamp.issuedAt;
  if (stamp.version < oldestStamp || age > expireSubscriptionsInDays * 86_400_000) throw versionStampExpired();
  return stamp.version;
}

/** null in a first request, else whether the item itself changed; its parents come with false. */
function hasChanged({ organization, version }: Since, item: SchemaItem): boolean | null {
  return version === undefined ? null : organization.schemaLog.changedSince(item, version);
}

/** undefined: nothing of the table, as far as the query asks for it, has changed. */
function tableJson(since: Since, query: MetadataQuery, table: Table): MetadataJson | undefined {
  const changed = hasChanged(since, `table ${table.name}`);
  const columns = query.asks("Attributes")
    ? table.columns.flatMap((one) => columnJson(since, query, table, one) ?? [])
    : [];
  const keys = query.asks("Keys") ? table.keys.flatMap((one) => keyJson(since, query, table, one) ?? []) : [];
  if (changed === false && columns.length === 0 && keys.length === 0) return undefined;
  return {
    ...query.project({ ...tableMetadata(table), HasChanged: changed }),
    ...(query.asks("Attributes") ? { Attributes: columns } : {}),
    ...(query.asks("Keys") ? { Keys: keys } : {}),
  };
}

function columnJson(since: Since, query: MetadataQuery, table: Table, column: Column): MetadataJson | undefined {
  const { common, derived } = columnMetadata(table, column);
  const whole = { ...common, ...derived };
  const changed = hasChanged(since, `column ${table.name}.${column.name}`);
  const optionsChanged =
    column.options === undefined ? false : hasChanged(since, `options ${table.name}.${column.name}`);
  if (!query.attributes.matches(whole) || (changed === false && optionsChanged === false)) return undefined;
  const type = derivedTypeOf(column);
  const optionSet =
    column.options !== undefined && query.attributes.asks("OptionSet")
      ? { OptionSet: { ...optionSetMetadata(table, column), HasChanged: optionsChanged } }
      : {};
  const { "@odata.type": _, ...shown } = query.attributes.project({ ...whole, HasChanged: changed });
  // Complex types stand for entity types here; an id column is of the base type and has no annotation.
  return {
    ...(type === "UniqueIdentifierAttributeMetadata" ? {} : { "@odata.type": `${crm}Complex${type}` }),
    ...shown,
    ...optionSet,
  };
}

function keyJson(since: Since, query: MetadataQuery, table: Table, key: readonly string[]): MetadataJson | undefined {
  const json = keyMetadata(table, key);
  const changed = hasChanged(since, `key ${table.name}.${key.join("_")}`);
  if (!query.keys.matches(json) || changed === false) return undefined;
  return query.keys.project({ ...json, HasChanged: changed });
}

/** "The deleted values aren't filtered based on your query." Only with both a stamp and a filter (cache-schema-data.md). */
function deletedJson({ organization, version }: Since, filter: string | undefined): MetadataJson {
  const wanted = /'([^']*)'/.exec(filter ?? "")?.[1]?.split(/,\s*/) ?? [];
  const deleted = version === undefined ? [] : organization.schemaLog.deletedSince(version);
  const found = deletedKinds.flatMap(([name, kind]) => {
    const ids = deleted.filter((one) => one.kind === kind).map(({ id }) => id);
    return ids.length > 0 && (wanted.includes(name) || wanted.includes("All")) ? [{ name, ids }] : [];
  });
  return {
    Count: found.length,
    IsReadOnly: false,
    Keys: found.map(({ name }) => name),
    Values: found.map(({ ids }) => ({ Count: ids.length, IsReadOnly: false, Items: ids })),
  };
}
