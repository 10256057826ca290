import type { SandboxRequest } from "../answer.ts";
import { notTracked, optionRefusedWhenTracked } from "./errors.ts";
import { type CollectionPage, collectionUrl, contextUrl } from "./links.ts";
import type { Organization } from "./organization.ts";
import { deltaToken, type PageCookie, pageSize, parseDeltaToken, skipToken } from "./paging.ts";
import type { Preferences } from "./preferences.ts";
import { parseSelect, rowJson, type Selection } from "./row-json.ts";
import type { Table } from "./schema.ts";
import type { Row } from "./table-store.ts";

/*
 * Reads with `Prefer: odata.track-changes` and by delta link.
 * Source: use-change-tracking-synchronize-data-external-systems.md. What happens to rows that change while pages
 * are being read is not documented; README.md says what is assumed.
 */

interface Read {
  readonly organization: Organization;
  readonly table: Table;
  readonly request: SandboxRequest;
  readonly preferences: Preferences;
}

const refusedOptions = ["filter", "orderby", "expand", "top"];

/** A page of everything, and after the last one a delta link of the moment at which the read started. */
export function readSnapshot(read: Read, cookie: PageCookie | undefined): CollectionPage {
  const { organization, table, request } = read;
  checkTrackable(table, request);
  const at = cookie ?? startOf(organization, "snapshot", 0);
  const size = pageSize(read.preferences.maxPageSize);
  const { rows, more } = snapshotRows(organization, table, at, size);
  const selection = parseSelect(table, request.query.get("$select"));
  const json: Record<string, unknown> = { "@odata.context": contextUrl(request, table, selection, "") };
  if (!more) json["@odata.deltaLink"] = deltaLink(request, table, at);
  json["value"] = rows.map((row) => rowJson(organization, table, row, selection, read.preferences));
  const last = rows.at(-1);
  if (more && last !== undefined) {
    json["@odata.nextLink"] = nextLink(request, table, { ...at, page: at.page + 1, after: last.position + 1 });
  }
  return { json, rows: rows.length, endpoint: `${table.entitySet} tracked` };
}

/** A page of what changed since the token was given out: rows in order of version, then deletions. */
export function readDelta(read: Read, cookie: PageCookie | undefined): CollectionPage {
  const { organization, table, request } = read;
  checkTrackable(table, request);
  const at = cookie ?? startOf(organization, "delta", sinceToken(organization, table, request));
  organization.checkDeltaToken(table.name, at.since, at.startedAt);
  const size = pageSize(read.preferences.maxPageSize);
  const selection = parseSelect(table, request.query.get("$select"));
  const { value, next } = deltaItems(read, selection, at, size);
  const json: Record<string, unknown> = { "@odata.context": contextUrl(request, table, selection, "/$delta") };
  if (next === undefined) json["@odata.deltaLink"] = deltaLink(request, table, at);
  json["value"] = value;
  if (next !== undefined) json["@odata.nextLink"] = nextLink(request, table, next);
  return { json, rows: value.length, endpoint: `${table.entitySet} delta` };
}

/** How many changes wait behind a delta token. */
export function countDelta(organization: Organization, table: Table, request: SandboxRequest): number {
  checkTrackable(table, request);
  const since = sinceToken(organization, table, request);
  const { upserts, deletions } = organization.store(table.name).changes(since, organization.clock.last);
  return upserts.length + deletions.length;
}

function startOf(organization: Organization, kind: "snapshot" | "delta", since: number): PageCookie {
  const version = organization.clock.last;
  return {
    kind,
    page: 1,
    after: kind === "delta" ? since : 0,
    start: version,
    startedAt: organization.expiryNow(),
    since,
  };
}

function sinceToken(organization: Organization, table: Table, request: SandboxRequest): number {
  const token = parseDeltaToken(request.query.get("$deltatoken") ?? "");
  organization.checkDeltaToken(table.name, token.version, token.issuedAt);
  return token.version;
}

/**
 * A row that was made after the read started is met or missed as its GUID falls: pages go by primary key, and half
 * of the new keys lie behind the reader. Either way it is in the delta that follows.
 */
function snapshotRows(
  organization: Organization,
  table: Table,
  at: PageCookie,
  size: number,
): { rows: readonly Row[]; more: boolean } {
  const rows: Row[] = [];
  for (const row of organization.store(table.name).scan(at.after)) {
    if (row.bornVersion > at.start && row.id < "8") continue;
    if (rows.length === size) return { rows, more: true };
    rows.push(row);
  }
  return { rows, more: false };
}

function deltaItems(
  read: Read,
  selection: Selection,
  at: PageCookie,
  size: number,
): { value: readonly Record<string, unknown>[]; next: PageCookie | undefined } {
  const { organization, table, request } = read;
  const store = organization.store(table.name);
  const value: Record<string, unknown>[] = [];
  if (at.kind === "delta") {
    const { upserts } = store.changes(at.after, at.start);
    for (const row of upserts.slice(0, size)) {
      value.push(rowJson(organization, table, row, selection, read.preferences));
    }
    const last = upserts[size - 1];
    if (upserts.length > size && last !== undefined) {
      return { value, next: { ...at, page: at.page + 1, after: last.version } };
    }
  }
  const deletionsAfter = at.kind === "deletions" ? at.after : at.since;
  const { deletions } = store.changes(deletionsAfter, at.start);
  const context = `${collectionUrl(request, table).replace(/[^/]+$/, "")}$metadata#${table.entitySet}/$deletedEntity`;
  let after = deletionsAfter;
  for (const deletion of deletions) {
    if (value.length === size) return { value, next: { ...at, kind: "deletions", page: at.page + 1, after } };
    value.push({ "@odata.context": context, id: deletion.id, reason: "deleted" });
    after = deletion.version;
  }
  return { value, next: undefined };
}

function checkTrackable(table: Table, request: SandboxRequest): void {
  if (!table.changeTracking) throw notTracked(table.name);
  for (const option of refusedOptions) {
    if (request.query.has(`$${option}`)) throw optionRefusedWhenTracked(option);
  }
}

function deltaLink(request: SandboxRequest, table: Table, at: PageCookie): string {
  return `${collectionUrl(request, table)}?${selectPart(request)}$deltatoken=${deltaToken(at.start, at.startedAt)}`;
}

function nextLink(request: SandboxRequest, table: Table, cookie: PageCookie): string {
  return `${collectionUrl(request, table)}?${selectPart(request)}$skiptoken=${skipToken(cookie)}`;
}

function selectPart(request: SandboxRequest): string {
  const select = request.query.get("$select");
  return select === null ? "" : `$select=${select}&`;
}
