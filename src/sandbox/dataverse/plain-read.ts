import type { SandboxRequest } from "../answer.ts";
import { badRequest, noProperty, notInSandbox } from "./errors.ts";
import { type CollectionPage, collectionUrl, contextUrl } from "./links.ts";
import { compareScalars, type Predicate, parseFilter } from "./odata-filter.ts";
import type { Organization } from "./organization.ts";
import { largestPage, type PageCookie, pageSize, skipToken } from "./paging.ts";
import type { Preferences } from "./preferences.ts";
import { cellOf, parseSelect, rowJson } from "./row-json.ts";
import { propertyOf, type Table } from "./schema.ts";
import type { Row } from "./table-store.ts";

const knownOptions = ["$select", "$filter", "$orderby", "$top", "$count", "$skiptoken"];
const countAnnotation = "Microsoft.Dynamics.CRM.totalrecordcount";

/**
 * A page of an ordinary query. Sources: webapi/query/page-results.md, order-rows.md, filter-rows.md, count-rows.md.
 * @param among the rows that are asked at all; beyond the first page all of them are
 */
export function readPlain(
  organization: Organization,
  table: Table,
  request: SandboxRequest,
  preferences: Preferences,
  cookie: PageCookie | undefined,
  among: Predicate<Row> = () => true,
): CollectionPage {
  checkOptions(request);
  const selection = parseSelect(table, request.query.get("$select"));
  const size = pageSize(preferences.maxPageSize);
  const offset = cookie?.after ?? 0;
  const limit = preferences.maxPageSize === undefined ? topOf(request) : undefined;
  const wanted = Math.min(size, limit ?? size);
  const { rows, more, nextOffset } = matchingRows(organization, table, request, offset, wanted, among);
  const json: Record<string, unknown> = { "@odata.context": contextUrl(request, table, selection, "") };
  addCount(json, organization, table, request, preferences);
  json["value"] = rows.map((row) => rowJson(organization, table, row, selection, preferences));
  if (more && (limit === undefined || limit > size)) {
    const page = (cookie?.page ?? 1) + 1;
    const next = skipToken({ kind: "plain", page, after: nextOffset, start: 0, startedAt: 0, since: 0 });
    const kept = [...request.query]
      .filter(([name]) => name !== "$skiptoken")
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}&`);
    json["@odata.nextLink"] = `${collectionUrl(request, table)}?${kept.join("")}$skiptoken=${next}`;
  }
  return { json, rows: rows.length, endpoint: table.entitySet };
}

/** Rows that the filter leaves, at most 5,000: `$count` knows no more. Source: webapi/query/count-rows.md */
export function countPlain(organization: Organization, table: Table, request: SandboxRequest): number {
  const filter = request.query.get("$filter");
  const store = organization.store(table.name);
  if (filter === null) return Math.min(store.count, largestPage);
  const matches = filterOf(organization, table, filter);
  let count = 0;
  for (const row of store.scan(0)) {
    if (matches(row)) count += 1;
    if (count === largestPage) break;
  }
  return count;
}

function checkOptions(request: SandboxRequest): void {
  for (const name of request.query.keys()) {
    if (name === "$skip") throw badRequest("Skip Clause is not supported in CRM", "0x80060888");
    if (name.startsWith("$") && !knownOptions.includes(name)) throw notInSandbox(`the query option ${name}`);
  }
}

function topOf(request: SandboxRequest): number | undefined {
  const top = request.query.get("$top");
  if (top === null) return undefined;
  if (!/^[1-9]\d*$/.test(top)) throw badRequest(`Invalid value '${top}' for $top query option found.`);
  return Number(top);
}

interface Match {
  readonly rows: readonly Row[];
  readonly more: boolean;
  /** A position, or with `$orderby` an offset into the sorted rows. */
  readonly nextOffset: number;
}

function matchingRows(
  organization: Organization,
  table: Table,
  request: SandboxRequest,
  offset: number,
  wanted: number,
  among: Predicate<Row>,
): Match {
  const filter = request.query.get("$filter");
  const filtered = filter === null ? () => true : filterOf(organization, table, filter);
  const matches: Predicate<Row> = (row) => among(row) && filtered(row);
  const order = request.query.get("$orderby");
  if (order !== null) {
    const all = [...organization.store(table.name).scan(0)].filter(matches);
    all.sort(orderOf(organization, table, order));
    const rows = all.slice(offset, offset + wanted);
    return { rows, more: all.length > offset + wanted, nextOffset: offset + wanted };
  }
  const rows: Row[] = [];
  for (const row of organization.store(table.name).scan(offset)) {
    if (!matches(row)) continue;
    if (rows.length === wanted) return { rows, more: true, nextOffset: (rows.at(-1)?.position ?? 0) + 1 };
    rows.push(row);
  }
  return { rows, more: false, nextOffset: 0 };
}

function filterOf(organization: Organization, table: Table, filter: string): Predicate<Row> {
  const predicate = parseFilter<Row>(filter, (row, property) => scalarOf(organization, table, row, property));
  return predicate;
}

function scalarOf(
  organization: Organization,
  table: Table,
  row: Row,
  property: string,
): string | number | boolean | null {
  const column = table.columns.find((candidate) => propertyOf(candidate) === property);
  if (column === undefined) throw noProperty(property, table.name);
  const value = cellOf(organization, table, row, column);
  return typeof value === "object" && value !== null ? value.id : value;
}

function orderOf(organization: Organization, table: Table, text: string): (a: Row, b: Row) => number {
  const keys = text.split(",").map((part) => {
    const [property = "", direction = "asc"] = part.trim().split(/\s+/);
    return { property, sign: direction === "desc" ? -1 : 1 };
  });
  return (a, b) => {
    for (const { property, sign } of keys) {
      const order = compareScalars(
        scalarOf(organization, table, a, property),
        scalarOf(organization, table, b, property),
      );
      if (order !== 0) return order * sign;
    }
    return a.position - b.position;
  };
}

function addCount(
  json: Record<string, unknown>,
  organization: Organization,
  table: Table,
  request: SandboxRequest,
  preferences: Preferences,
): void {
  const counted = request.query.get("$count") === "true";
  const count = counted ? countPlain(organization, table, request) : -1;
  if (counted) json["@odata.count"] = count;
  if (preferences.annotates(countAnnotation)) json[`@${countAnnotation}`] = count;
  if (preferences.annotates(`${countAnnotation}limitexceeded`)) {
    json[`@${countAnnotation}limitexceeded`] =
      count === largestPage && organization.store(table.name).count > largestPage;
  }
}
