import type { Lane } from "../governor/lanes.ts";
import { exactJsonOf, isRecord, jsonOf } from "../http/answer.ts";
import { Service, type ServiceOptions } from "../http/service.ts";
import { DataverseError, type ServiceErrorCode } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import { Definitions } from "./definitions.ts";
import type { Dataverse, ReadCursor, TableMetadata, TrackedPage, TrackedRead, TrackedRecord } from "./interface.ts";
import { Lookups } from "./lookups.ts";
import { dataverseError, doesNotExist, isDeltaTokenExpired, refusalOf } from "./refusal.ts";
import { RowCreation } from "./row-creation.ts";
import { RowUpdate } from "./row-update.ts";
import { castQueries, castsFor, definitionPath, definitionQuery, parseDefinition, withCast } from "./table-metadata.ts";
import { noDeltaLink, parseRecord, parseTrackedPage, schemaAnnotation } from "./tracked-page.ts";

/** compose-http-requests-handle-errors.md, "HTTP headers" */
const standardHeaders = {
  accept: "application/json",
  "odata-version": "4.0",
  "odata-maxversion": "4.0",
  "if-none-match": "null",
} as const;

const labelAnnotation = "OData.Community.Display.V1.FormattedValue";
const targetAnnotation = "Microsoft.Dynamics.CRM.lookuplogicalname";
const largestPage = 5000;

interface Get {
  readonly operation: string;
  readonly url: string;
  readonly lane: Lane;
  readonly prefer?: string;
  readonly consistency?: "Strong";
}

/** Definitions come from a cache that may be out of date, unless they are asked for so (query-metadata-web-api.md). */
function definition(operation: string, url: string): Get {
  return { operation, url, lane: "control", consistency: "Strong" };
}

/** Dataverse's Web API, version 9.2. */
export class DataverseClient implements Dataverse {
  readonly rows: RowCreation;
  readonly updates: RowUpdate;
  readonly lookups: Lookups;
  readonly definitions: Definitions;
  readonly #service: Service;
  readonly #origin: string;
  readonly #root: string;

  /** @param url the organization's: `https://contoso.crm.dynamics.com` */
  constructor(url: string, service: Omit<ServiceOptions, "name" | "authorize">) {
    this.#origin = new URL(url).origin;
    this.#root = `${this.#origin}/api/data/v9.2/`;
    this.#service = new Service({
      ...service,
      name: "Dataverse",
      authorize: (token) => ({ authorization: `Bearer ${token.value}` }),
    });
    this.rows = new RowCreation(this.#root, this.#service);
    this.updates = new RowUpdate(this.#root, this.#service);
    this.lookups = new Lookups(this.#root, this.#service);
    this.definitions = new Definitions(this.#root, this.#service);
  }

  async whoAmI(signal: AbortSignal): Promise<{ organizationId: string; userId: string }> {
    const operation = "WhoAmI";
    const response = await this.#get({ operation, url: `${this.#root}WhoAmI`, lane: "control" }, signal);
    const answer = jsonOf(okBody(response, operation, []));
    const organizationId = isRecord(answer) ? answer["OrganizationId"] : undefined;
    const userId = isRecord(answer) ? answer["UserId"] : undefined;
    if (typeof organizationId !== "string" || typeof userId !== "string") {
      throw badResponse(operation, "it names no organization and user");
    }
    return { organizationId: organizationId.toLowerCase(), userId: userId.toLowerCase() };
  }

  tableMetadata(table: string, columns: readonly string[], signal: AbortSignal): Promise<TableMetadata> {
    return this.#service.within(signal, (deadline) => this.#tableMetadata(table, columns, deadline));
  }

  async readTracked(read: TrackedRead, signal: AbortSignal): Promise<TrackedPage> {
    const { metadata, cursor } = read;
    const operation = `the ${cursor.kind === "delta" ? "changes" : "rows"} of ${metadata.table}`;
    const preferences = [
      "odata.track-changes",
      `odata.maxpagesize=${Math.min(read.pageSize, largestPage)}`,
      ...annotations(metadata, read.columns, read.labels, [schemaAnnotation]),
    ];
    const response = await this.#get(
      { operation, url: this.#pageUrl(read, operation), lane: laneOf(cursor), prefer: preferences.join(",") },
      signal,
    );
    if (response.status !== 200 && response.status !== 204 && isDeltaTokenExpired(refusalOf(response), cursor.kind)) {
      const message = `Dataverse does not honour the delta link of ${metadata.table} any longer: the table is to be read again from the beginning`;
      throw plainError("DeltaTokenExpired", message, response);
    }
    const body = okBody(response, operation, [metadata.table, metadata.entitySet, ...read.columns]);
    const json = exactJsonOf(body);
    if (json === undefined && body.length > 0) throw badResponse(operation, "it is not JSON, or was cut short");
    const page = parseTrackedPage(json, metadata, cursor);
    if (page === noDeltaLink) throw plainError("ChangeTrackingOff", trackingOff(metadata.table), response);
    if (typeof page === "string") throw badResponse(operation, page);
    return page;
  }

  /** Source: webapi/query/count-rows.md, RetrieveTotalRecordCount: "a snapshot within the past 24 hours". */
  async estimatedRecords(table: string, signal: AbortSignal): Promise<number | undefined> {
    const operation = `the number of rows of ${table}`;
    const url = `${this.#root}RetrieveTotalRecordCount(EntityNames=@names)?@names=${encodeURIComponent(`['${table}']`)}`;
    const response = await this.#get({ operation, url, lane: "control" }, signal);
    const answer = jsonOf(okBody(response, operation, [table]));
    const counts = isRecord(answer) ? answer["EntityRecordCountCollection"] : undefined;
    const values = isRecord(counts) ? counts["Values"] : undefined;
    const records: unknown = Array.isArray(values) ? values[0] : undefined;
    return typeof records === "number" && Number.isSafeInteger(records) && records >= 0 ? records : undefined;
  }

  async readRecord(
    metadata: TableMetadata,
    id: string,
    columns: readonly string[],
    labels: boolean,
    signal: AbortSignal,
  ): Promise<TrackedRecord | undefined> {
    const operation = `a row of ${metadata.table}`;
    const url = `${this.#root}${metadata.entitySet}(${encodeURIComponent(id)})?$select=${selected(metadata, columns)}`;
    const prefer = annotations(metadata, columns, labels).join(",");
    const response = await this.#get({ operation, url, lane: "write", ...(prefer === "" ? {} : { prefer }) }, signal);
    // Any other 404 (the table is gone, the address is wrong) must not be taken for a row that was deleted.
    if (response.status === 404 && refusalOf(response).code === doesNotExist) return undefined;
    const answer = exactJsonOf(okBody(response, operation, [metadata.table, metadata.entitySet, ...columns]));
    if (!isRecord(answer)) throw badResponse(operation, "it is no row");
    const { "@odata.context": _, ...row } = answer; // so that a row is the same whichever way it is read
    const record = parseRecord(row, metadata);
    if (typeof record === "string") throw badResponse(operation, record);
    return record;
  }

  async #tableMetadata(table: string, columns: readonly string[], signal: AbortSignal): Promise<TableMetadata> {
    const operation = `the definition of ${table}`;
    const path = `${this.#root}${definitionPath(table)}`;
    const response = await this.#get(definition(operation, path + definitionQuery), signal);
    if (response.status === 404 && refusalOf(response).code !== undefined) {
      throw plainError("TableMissing", `Dataverse has no table "${table}" that this user may see`, response);
    }
    let metadata = parseDefinition(jsonOf(okBody(response, operation, [table])), columns);
    if (metadata === undefined) throw badResponse(operation, "it is no definition of a table");
    for (const cast of castsFor(metadata.columns.values())) {
      const answer = await this.#get(definition(operation, path + castQueries[cast]), signal);
      metadata = withCast(metadata, cast, jsonOf(okBody(answer, operation, [table])));
      if (metadata === undefined) throw badResponse(operation, `it is no list of ${cast} columns`);
    }
    return metadata;
  }

  #get(get: Get, signal: AbortSignal): Promise<HttpResponse> {
    const { operation, url, lane, prefer, consistency } = get;
    const headers = {
      ...standardHeaders,
      ...(prefer === undefined ? {} : { prefer }),
      ...(consistency === undefined ? {} : { consistency }),
    };
    return this.#service.within(signal, (deadline) =>
      this.#service.call({ operation, lane, method: "GET", url, headers }, deadline),
    );
  }

  #pageUrl({ metadata, columns, cursor }: TrackedRead, operation: string): string {
    if (cursor.kind === "snapshot") return `${this.#root}${metadata.entitySet}?$select=${selected(metadata, columns)}`;
    const url = URL.canParse(cursor.link) ? new URL(cursor.link) : undefined;
    if (url?.origin === this.#origin && url.pathname.startsWith("/api/data/")) return cursor.link;
    throw new DataverseError(
      `Dataverse: a link of ${operation} leads away from ${this.#origin} and is not followed: check spec.dynamics.url`,
      { code: "ForeignLink", outcome: "NotSent" },
    );
  }
}

/** Delta before snapshot; a page that follows says by its link which of the two it belongs to. */
function laneOf(cursor: ReadCursor): Lane {
  if (cursor.kind === "next") return /deltatoken/i.test(cursor.link) ? "delta" : "snapshot";
  return cursor.kind;
}

/** Columns that do not exist are left out: what is missing is the metadata's to say, and would fail the whole read. */
function selected(metadata: TableMetadata, columns: readonly string[]): string {
  const properties = columns.flatMap((name) => metadata.columns.get(name)?.property ?? []);
  const version = metadata.versionNumber === true ? ["versionnumber"] : [];
  return [...new Set([metadata.primaryId, ...properties, ...version])].join(",");
}

function annotations(
  metadata: TableMetadata,
  columns: readonly string[],
  labels: boolean,
  others: readonly string[] = [],
): readonly string[] {
  const lookups = columns.some((name) => metadata.columns.get(name)?.type === "Lookup");
  const wanted = [...(labels ? [labelAnnotation] : []), ...(lookups ? [targetAnnotation] : []), ...others];
  return wanted.length === 0 ? [] : [`odata.include-annotations="${wanted.join(",")}"`];
}

function okBody(response: HttpResponse, operation: string, knownNames: readonly string[]): Buffer {
  if (response.status >= 200 && response.status < 300) return response.body;
  throw dataverseError(response, operation, knownNames);
}

function badResponse(operation: string, what: string): DataverseError {
  return new DataverseError(`Dataverse answered ${operation} in a way that is not understood: ${what}`, {
    code: "BadResponse",
    outcome: "Unknown",
  });
}

function plainError(code: ServiceErrorCode, message: string, response: HttpResponse): DataverseError {
  return new DataverseError(message, {
    code,
    outcome: "Refused",
    status: response.status,
    serviceCode: refusalOf(response).code,
  });
}

function trackingOff(table: string): string {
  return `Dataverse gave no delta link for ${table}: switch on "Track changes" for this table`;
}
