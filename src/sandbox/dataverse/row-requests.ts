import { header, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { json, noContent, noMethod, onlyGet } from "./answers.ts";
import { badPayload, noSegment, notInSandbox } from "./errors.ts";
import { type CollectionPage, collectionUrl, contextUrl } from "./links.ts";
import type { Organization } from "./organization.ts";
import { parseSkipToken } from "./paging.ts";
import { countPlain, readPlain } from "./plain-read.ts";
import type { Preferences } from "./preferences.ts";
import { parseRowAddress, type RowAddress, resolveAddress } from "./row-address.ts";
import { etagOf, parseSelect, rowJson } from "./row-json.ts";
import { isLookup, navigatesTo, type Table } from "./schema.ts";
import { countDelta, readDelta, readSnapshot } from "./tracked-read.ts";
import {
  createRow,
  deleteRow,
  missing,
  type Payload,
  parseObject,
  patchRow,
  updateRow,
  type Written,
} from "./write.ts";

/** What a request to a table's rows needs beside itself. */
export interface RowContext {
  readonly organization: Organization;
  readonly table: Table;
  readonly request: SandboxRequest;
  readonly preferences: Preferences;
}

/** `contacts`: a list, or a new row. */
export function collectionRequest(context: RowContext): SandboxAnswer {
  const { organization, table, request } = context;
  if (request.method === "POST") {
    return written(context, createRow(organization, table, parseObject(table, request.body)));
  }
  onlyGet(request);
  const answer = page(readPage(context));
  organization.churn.afterPage(organization, table.name);
  return answer;
}

function readPage(context: RowContext): CollectionPage {
  const { organization, table, request, preferences } = context;
  const token = request.query.get("$skiptoken");
  const cookie = token === null ? undefined : parseSkipToken(token);
  if (cookie?.kind === "snapshot") return readSnapshot(context, cookie);
  if (cookie !== undefined && cookie.kind !== "plain") return readDelta(context, cookie);
  if (request.query.has("$deltatoken")) return readDelta(context, undefined);
  if (preferences.trackChanges) return readSnapshot(context, undefined);
  return readPlain(organization, table, request, preferences, cookie);
}

/** `contacts/$count`: a bare number as text, with a byte order mark, as Dataverse sends it. */
export function countRequest({ organization, table, request }: RowContext): SandboxAnswer {
  onlyGet(request);
  const delta = request.query.has("$deltatoken");
  const count = delta ? countDelta(organization, table, request) : countPlain(organization, table, request);
  return {
    endpoint: `${table.entitySet}/$count`,
    status: 200,
    headers: { "content-type": "text/plain" },
    body: `\ufeff${count}`,
  };
}

/** `contacts(key)`, and one property below it. @param key what stands between the parentheses, decoded */
export function rowRequest(context: RowContext, key: string, below: readonly string[]): SandboxAnswer {
  const { organization, table, request } = context;
  const address = parseRowAddress(table, key);
  const [property, ...more] = below;
  if (property !== undefined) return propertyRequest(context, address, property, more);
  switch (request.method) {
    case "PATCH":
      return written(context, patchRow(organization, table, address, request));
    case "DELETE":
      deleteRow(organization, table, address, request);
      return noContent(`${table.entitySet}(id)`);
    default:
      onlyGet(request);
      return oneRow(context, address);
  }
}

function oneRow({ organization, table, request, preferences }: RowContext, address: RowAddress): SandboxAnswer {
  const id = resolveAddress(organization, table, address);
  if (id === undefined) throw missing(table, address);
  const row = organization.row(table.name, id);
  const unchanged =
    header(request, "if-none-match") === etagOf(row) && !preferences.applied.some((one) => one.includes("annotations"));
  const endpoint = `${table.entitySet}(id)`;
  if (unchanged) return { endpoint, status: 304, headers: {}, body: "" };
  const selection = parseSelect(table, request.query.get("$select"));
  const shown = rowJson(organization, table, row, selection, preferences);
  return {
    ...json(endpoint, { "@odata.context": contextUrl(request, table, selection, "/$entity"), ...shown }),
    rows: 1,
  };
}

/**
 * `PUT contacts(id)/fax` with `{"value"}`, `DELETE contacts(id)/fax` (update-delete-entities-using-web-api.md), the same
 * with `/$ref` for a lookup (associate-disassociate-entities-using-web-api.md), and the rows that point at this one.
 */
function propertyRequest(
  context: RowContext,
  address: RowAddress,
  property: string,
  more: readonly string[],
): SandboxAnswer {
  const { organization, table, request } = context;
  if (request.method === "GET" && more.length === 0) return relatedRows(context, address, property);
  const payload = propertyPayload(context, property, more);
  updateRow(organization, table, address, payload);
  return noContent(`${table.entitySet}(id)/property`);
}

function propertyPayload({ table, request }: RowContext, property: string, more: readonly string[]): Payload {
  if (request.method !== "PUT" && request.method !== "DELETE") throw noMethod(request);
  const reference = more.length === 1 && more[0] === "$ref";
  if (more.length > 0 && !reference) throw notInSandbox(`the path ${request.path}`);
  if (request.method === "DELETE") return { [property]: null };
  const body = parseObject(table, request.body);
  if (reference) return { [`${property}@odata.bind`]: body["@odata.id"] };
  if (!("value" in body)) throw badPayload(table.entitySet, `the property "value" is missing`);
  return { [property]: body["value"] };
}

/** `accounts(id)/Account_Tasks`, for the collections that tables declare. */
function relatedRows(context: RowContext, address: RowAddress, property: string): SandboxAnswer {
  const { organization, table, request, preferences } = context;
  const id = resolveAddress(organization, table, address);
  if (id === undefined) throw missing(table, address);
  for (const other of organization.tables()) {
    const lookup = other.columns.find((one) => isLookup(one) && one.navigation?.[table.name]?.collection === property);
    if (lookup === undefined) continue;
    const pointsHere = (value: unknown) =>
      typeof value === "object" && value !== null && "id" in value && value.id === id;
    const read = readPlain(organization, other, request, preferences, undefined, (row) =>
      pointsHere(row.cells[lookup.name]),
    );
    if ("@odata.nextLink" in read.json) throw notInSandbox(`more than one page of ${request.path}`);
    return page(read);
  }
  if (table.columns.some((one) => one.name === property || navigates(table, property)))
    throw notInSandbox(`the path ${request.path}`);
  throw noSegment(property);
}

function navigates(table: Table, property: string): boolean {
  return table.columns.some(
    (one) => isLookup(one) && (one.targets ?? []).some((target) => navigatesTo(table, one, target, property)),
  );
}

/** 204 with the row's address; with `return=representation` the row (create-entity-web-api.md). */
function written(context: RowContext, { row, created }: Written): SandboxAnswer {
  const { organization, table, request, preferences } = context;
  const endpoint = created && request.method === "POST" ? table.entitySet : `${table.entitySet}(id)`;
  const address = `${collectionUrl(request, table)}(${row.id})`;
  const headers = { location: address, "odata-entityid": address };
  if (!preferences.returnRepresentation) return { ...noContent(endpoint), headers };
  const selection = parseSelect(table, request.query.get("$select"));
  const shown = json(endpoint, {
    "@odata.context": contextUrl(request, table, selection, "/$entity"),
    ...rowJson(organization, table, row, selection, preferences),
  });
  return { ...shown, status: created ? 201 : 200, headers: { ...shown.headers, ...headers, etag: etagOf(row) } };
}

function page(read: CollectionPage): SandboxAnswer {
  return { ...json(read.endpoint, read.json), rows: read.rows };
}
