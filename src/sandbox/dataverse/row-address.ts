import { isGuid } from "./cells.ts";
import { badKey, badRequest } from "./errors.ts";
import type { Organization } from "./organization.ts";
import { propertyOf, type Table } from "./schema.ts";

/** Which row a URL names: by primary key, or by an alternate key. Source: use-alternate-key-reference-record.md */
export type RowAddress =
  | { readonly kind: "id"; readonly id: string }
  | { readonly kind: "key"; readonly columns: readonly string[]; readonly values: readonly string[] };

/** @param text what stands between the parentheses, decoded. @throws DataverseRefusal when it is no key of the table */
export function parseRowAddress(table: Table, text: string): RowAddress {
  if (isGuid(text)) return { kind: "id", id: text.toLowerCase() };
  const parts = [...text.matchAll(/([\w.]+)=('(?:[^']|'')*'|[^',]+)(?:,|$)/g)];
  if (parts.length === 0) throw badRequest("Bad Request - Error in query syntax.");
  const named = new Map(parts.map((part) => [part[1] ?? "", unquote(part[2] ?? "")]));
  const id = named.get(table.primaryId);
  if (named.size === 1 && id !== undefined && isGuid(id)) return { kind: "id", id: id.toLowerCase() };
  const key = table.keys.find(
    (columns) => columns.length === named.size && columns.every((name) => named.has(keyProperty(table, name))),
  );
  if (key === undefined) throw badKey(table.name);
  return { kind: "key", columns: key, values: key.map((name) => named.get(keyProperty(table, name)) ?? "") };
}

/** The id of the addressed row, or undefined when no row has the key. */
export function resolveAddress(organization: Organization, table: Table, address: RowAddress): string | undefined {
  if (address.kind === "key") return organization.findByKey(table.name, address.columns, address.values);
  return organization.store(table.name).get(address.id) === undefined ? undefined : address.id;
}

function keyProperty(table: Table, name: string): string {
  const column = table.columns.find((candidate) => candidate.name === name);
  return column === undefined ? name : propertyOf(column);
}

function unquote(text: string): string {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
