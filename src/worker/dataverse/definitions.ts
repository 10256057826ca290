import type { ColumnTold, TableTold } from "../../api/worker-metadata.ts";
import { isRecord, jsonOf } from "../http/answer.ts";
import type { Service } from "../http/service.ts";
import { DataverseError } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import type { ColumnMetadata } from "./interface.ts";
import { dataverseError, refusalOf } from "./refusal.ts";
import { castQueries, castsFor, definitionPath, labelOf, parseDefinition, withCast } from "./table-metadata.ts";

const tablesQuery = "EntityDefinitions?$select=LogicalName,DisplayName,ChangeTrackingEnabled";

const columnsQuery =
  "?$select=LogicalName,EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled" +
  "&$expand=Attributes($select=LogicalName,AttributeType,AttributeTypeName,DisplayName,AttributeOf,IsValidForRead)" +
  ",Keys($select=KeyAttributes)";

const lengthQueries = {
  String: "/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,MaxLength",
  Memo: "/Attributes/Microsoft.Dynamics.CRM.MemoAttributeMetadata?$select=LogicalName,MaxLength",
} as const;

/**
 * Tables and columns as people know them, for those who write a mapping: from Dataverse's cache of definitions, and after
 * everything that moves records. Source: webapi/query-metadata-web-api.md
 */
export class Definitions {
  readonly #root: string;
  readonly #service: Service;

  constructor(root: string, service: Service) {
    this.#root = root;
    this.#service = service;
  }

  async tables(signal: AbortSignal): Promise<readonly TableTold[]> {
    const operation = "the list of tables";
    const answer = await this.#get(operation, tablesQuery, [], signal);
    return valuesOf(answer, operation).flatMap((table) => {
      const { LogicalName: name, DisplayName: label, ChangeTrackingEnabled: tracked } = table;
      return typeof name === "string" ? [{ name, ...labelled(label), tracked: tracked === true }] : [];
    });
  }

  /** @throws DataverseError with code `TableMissing` */
  columns(table: string, signal: AbortSignal): Promise<readonly ColumnTold[]> {
    return this.#service.within(signal, (deadline) => this.#columns(table, deadline));
  }

  async #columns(table: string, signal: AbortSignal): Promise<readonly ColumnTold[]> {
    const operation = `the columns of ${table}`;
    const path = definitionPath(table);
    const definition = await this.#get(operation, path + columnsQuery, [table], signal);
    const attributes = readable(definition);
    let metadata = parseDefinition(definition, [...attributes.keys()]);
    if (metadata === undefined) throw notUnderstood(operation);
    for (const cast of castsFor(metadata.columns.values())) {
      metadata = withCast(metadata, cast, await this.#get(operation, path + castQueries[cast], [table], signal));
      if (metadata === undefined) throw notUnderstood(operation);
    }
    const types = new Set([...metadata.columns.values()].map(({ type }) => type));
    const lengths = new Map<unknown, unknown>();
    for (const type of ["String", "Memo"] as const) {
      if (!types.has(type)) continue;
      const texts = await this.#get(operation, path + lengthQueries[type], [table], signal);
      for (const text of valuesOf(texts, operation)) lengths.set(text["LogicalName"], text["MaxLength"]);
    }
    const alternate = alternateKeys(definition);
    const { primaryId, columns } = metadata;
    return [...columns.values()].map((column) => {
      const isAlternate = alternate.has(column.name);
      return {
        name: column.name,
        ...labelled(attributes.get(column.name)?.["DisplayName"]),
        ...typeOf(column),
        ...lengthOf(lengths.get(column.name)),
        ...(column.name === primaryId ? { key: "Primary" } : isAlternate ? { key: "Alternate" } : {}),
      } satisfies ColumnTold;
    });
  }

  async #get(operation: string, path: string, known: readonly string[], signal: AbortSignal): Promise<unknown> {
    const headers = { accept: "application/json", "odata-version": "4.0", "odata-maxversion": "4.0" };
    const url = this.#root + path;
    const response = await this.#service.within(signal, (deadline) =>
      this.#service.call({ operation, lane: "snapshot", method: "GET", url, headers }, deadline),
    );
    if (response.status >= 200 && response.status < 300) return jsonOf(response.body);
    const [table] = known;
    if (table !== undefined && isMissing(response)) throw tableMissing(table, response);
    throw dataverseError(response, operation, known);
  }
}

/** Those that a row can give: not the parts of others, such as the name of a lookup's target. */
function readable(definition: unknown): ReadonlyMap<string, Readonly<Record<string, unknown>>> {
  const attributes = isRecord(definition) ? definition["Attributes"] : undefined;
  const found = (Array.isArray(attributes) ? attributes : []).filter(isRecord).flatMap((attribute) => {
    const { LogicalName: name, AttributeOf: whole, IsValidForRead: isReadable } = attribute;
    return typeof name === "string" && typeof whole !== "string" && isReadable !== false
      ? [[name, attribute] as const]
      : [];
  });
  return new Map(found);
}

/** The columns that are an alternate key by themselves. */
function alternateKeys(definition: unknown): ReadonlySet<unknown> {
  const keys = isRecord(definition) ? definition["Keys"] : undefined;
  const columns = (Array.isArray(keys) ? keys : []).filter(isRecord).map(({ KeyAttributes: names }) => names);
  return new Set(columns.flatMap((names) => (Array.isArray(names) && names.length === 1 ? names : [])));
}

function typeOf({ type, dateTimeBehavior, targets, options }: ColumnMetadata): Pick<ColumnTold, "type"> {
  return {
    type,
    ...(dateTimeBehavior === "DateOnly" ? { dateOnly: true } : {}),
    ...(targets === undefined ? {} : { targets }),
    ...(options === undefined ? {} : { choices: Object.entries(options).map(([value, label]) => ({ value, label })) }),
  } satisfies Omit<ColumnTold, "name">;
}

function lengthOf(length: unknown): { maxLength?: number } {
  return typeof length === "number" ? { maxLength: length } : {};
}

function labelled(label: unknown): { label?: string } {
  const text = labelOf(label);
  return text === "" ? {} : { label: text };
}

function valuesOf(answer: unknown, operation: string): readonly Readonly<Record<string, unknown>>[] {
  const value = isRecord(answer) ? answer["value"] : undefined;
  if (!Array.isArray(value)) throw notUnderstood(operation);
  return value.filter(isRecord);
}

function isMissing(response: HttpResponse): boolean {
  return response.status === 404 && refusalOf(response).code !== undefined;
}

function tableMissing(table: string, { status }: HttpResponse): DataverseError {
  return new DataverseError(`Dataverse has no table "${table}" that this user may see`, {
    code: "TableMissing",
    outcome: "Refused",
    status,
  });
}

function notUnderstood(operation: string): DataverseError {
  return new DataverseError(`Dataverse answered ${operation} in a way that is not understood: it is no definition`, {
    code: "BadResponse",
    outcome: "Unknown",
  });
}
