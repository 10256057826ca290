import { randomUUID } from "node:crypto";
import { header, type SandboxRequest } from "../answer.ts";
import { isGuid, readCell } from "./cells.ts";
import { badPayload, badRequest, noRow, noRowByKey, rowExists, versionMismatch } from "./errors.ts";
import type { Organization } from "./organization.ts";
import { parseRowAddress, type RowAddress, resolveAddress } from "./row-address.ts";
import { etagOf } from "./row-json.ts";
import { type Cells, type CellValue, type Column, isLookup, navigatesTo, type Table } from "./schema.ts";
import type { Row } from "./table-store.ts";

/*
 * Create, update, upsert, delete. Sources: webapi/create-entity-web-api.md, update-delete-entities-using-web-api.md,
 * perform-conditional-operations-using-web-api.md.
 */

export interface Written {
  readonly row: Row;
  readonly created: boolean;
}

/** A request's body, or one of the `Targets` of a bulk message. */
export type Payload = Readonly<Record<string, unknown>>;

export function createRow(organization: Organization, table: Table, payload: Payload): Written {
  const cells = readPayload(organization, table, payload);
  const id = cells[table.primaryId];
  const chosen = typeof id === "string" ? id : randomUUID();
  if (organization.store(table.name).get(chosen) !== undefined) throw rowExists();
  return { row: organization.insert(table.name, chosen, withoutId(table, cells), "api"), created: true };
}

/** PATCH: an upsert unless `If-Match` or `If-None-Match` limits it. */
export function patchRow(
  organization: Organization,
  table: Table,
  address: RowAddress,
  request: SandboxRequest,
): Written {
  const payload = parseObject(table, request.body);
  checkConditions(organization, table, address, resolveAddress(organization, table, address), request);
  return upsertRow(organization, table, address, payload);
}

/** PUT or DELETE of one property: `contacts(id)/fax` (update-delete-entities-using-web-api.md). The row must exist. */
export function updateRow(organization: Organization, table: Table, address: RowAddress, payload: Payload): Written {
  const id = resolveAddress(organization, table, address);
  if (id === undefined) throw missing(table, address);
  const cells = withoutId(table, readPayload(organization, table, payload));
  return { row: organization.update(table.name, id, cells, "api"), created: false };
}

export function upsertRow(organization: Organization, table: Table, address: RowAddress, payload: Payload): Written {
  const cells = readPayload(organization, table, payload);
  const id = resolveAddress(organization, table, address);
  if (id !== undefined)
    return { row: organization.update(table.name, id, withoutId(table, cells), "api"), created: false };
  const keyed = address.kind === "key" ? { ...cells, ...address.cells } : cells;
  const chosen = address.kind === "id" ? address.id : randomUUID();
  return { row: organization.insert(table.name, chosen, withoutId(table, keyed), "api"), created: true };
}

export function deleteRow(
  organization: Organization,
  table: Table,
  address: RowAddress,
  request: SandboxRequest,
): void {
  const id = resolveAddress(organization, table, address);
  if (id === undefined) throw missing(table, address);
  const match = header(request, "if-match");
  if (match !== undefined && match !== "*" && match !== etagOf(organization.row(table.name, id)))
    throw versionMismatch();
  organization.delete(table.name, id, "api");
}

export function missing(table: Table, address: RowAddress): Error {
  return address.kind === "id" ? noRow(table.name, address.id) : noRowByKey(table.name);
}

function checkConditions(
  organization: Organization,
  table: Table,
  address: RowAddress,
  id: string | undefined,
  request: SandboxRequest,
): void {
  const match = header(request, "if-match");
  if (match !== undefined) {
    if (id === undefined) throw missing(table, address);
    if (match !== "*" && match !== etagOf(organization.row(table.name, id))) throw versionMismatch();
  }
  if (header(request, "if-none-match") === "*" && id !== undefined) throw rowExists();
}

function withoutId(table: Table, cells: Cells): Cells {
  const { [table.primaryId]: _, ...rest } = cells;
  return rest;
}

/** The body's cells by column. @throws DataverseRefusal for what is no property, or no value of its type */
function readPayload(organization: Organization, table: Table, payload: Payload): Cells {
  const cells: Record<string, CellValue> = {};
  for (const [property, value] of Object.entries(payload)) {
    if (property.endsWith("@odata.bind")) {
      const [name, lookup] = readBinding(organization, table, property.slice(0, -"@odata.bind".length), value);
      cells[name] = lookup;
      continue;
    }
    if (property.includes("@")) continue;
    const cleared =
      value === null ? table.columns.find((candidate) => navigates(table, candidate, property)) : undefined;
    const column = table.columns.find((candidate) => candidate.name === property && !isLookup(candidate));
    if (cleared !== undefined) cells[cleared.name] = null;
    else if (column === undefined) throw undeclared(table, property);
    else if (column.readOnly !== true) cells[column.name] = readCell(table, column, value);
  }
  return cells;
}

/** Setting a single-valued navigation property to null empties the lookup. */
function navigates(table: Table, column: Column, property: string): boolean {
  return isLookup(column) && (column.targets ?? []).some((target) => navigatesTo(table, column, target, property));
}

function undeclared(table: Table, property: string): Error {
  return badPayload(
    table.entitySet,
    `Microsoft.OData.ODataException: The property '${property}' does not exist on type ` +
      `'Microsoft.Dynamics.CRM.${table.name}'. Make sure to only use property names that are defined by the type.`,
  );
}

function readBinding(
  organization: Organization,
  table: Table,
  navigation: string,
  value: unknown,
): readonly [string, CellValue] {
  for (const column of table.columns) {
    if (!isLookup(column)) continue;
    for (const target of column.targets ?? []) {
      if (!navigatesTo(table, column, target, navigation)) continue;
      if (value === null) return [column.name, null];
      const bound = bindTarget(organization, table, value, column.targets ?? []);
      if (navigatesTo(table, column, bound.table, navigation)) return [column.name, bound];
    }
  }
  throw badPayload(
    table.entitySet,
    `Microsoft.OData.ODataException: An undeclared property '${navigation}' which only has property annotations in the ` +
      "payload but no property value was found in the payload.",
  );
}

function bindTarget(
  organization: Organization,
  table: Table,
  value: unknown,
  targets: readonly string[],
): { table: string; id: string } {
  const match = /(?:^|\/)(\w+)\((.+)\)$/.exec(typeof value === "string" ? value : "");
  const target = match === null ? undefined : organization.tableOfSet(match[1] ?? "");
  if (match === null || target === undefined || !targets.includes(target.name)) {
    throw badPayload(table.entitySet, `Microsoft.OData.ODataException: The URI '${String(value)}' is not valid.`);
  }
  const address = parseRowAddress(target, match[2] ?? "");
  const id = resolveAddress(organization, target, address);
  if (id === undefined || !isGuid(id)) throw missing(target, address);
  return { table: target.name, id };
}

/** @throws DataverseRefusal for what is not one JSON object */
export function parseObject(table: Table, body: string): Payload {
  let payload: unknown;
  try {
    payload = JSON.parse(body);
  } catch (cause) {
    throw badPayload(
      table.entitySet,
      `Newtonsoft.Json.JsonReaderException: ${cause instanceof Error ? cause.message : ""}`,
    );
  }
  if (payload === null || typeof payload !== "object" || Array.isArray(payload)) {
    throw badRequest(
      "An error occurred while validating input parameters: the body must be one JSON object.",
      "0x80048d19",
    );
  }
  return { ...payload };
}
