import { isGuid } from "./cells.ts";
import { badKey, badRequest } from "./errors.ts";
import type { Organization } from "./organization.ts";
import { type Cells, type CellValue, type Column, isLookup, propertyOf, type Table } from "./schema.ts";

/** Which row a URL names: by primary key, or by an alternate key. Source: use-alternate-key-reference-record.md */
export type RowAddress =
  | { readonly kind: "id"; readonly id: string }
  | {
      readonly kind: "key";
      readonly columns: readonly string[];
      readonly values: readonly string[];
      /** The same, each of its column's type: what a row gets that an upsert makes. */
      readonly cells: Cells;
    };

/** "retrieve (GET), update, or upsert (PATCH) actions don't work" with these (define-alternate-keys-entity.md). */
const unaddressable = /[/<>*%&:\\?+]/;

/** @param text what stands between the parentheses, decoded. @throws DataverseRefusal when it is no key of the table */
export function parseRowAddress(table: Table, text: string): RowAddress {
  if (isGuid(text)) return { kind: "id", id: text.toLowerCase() };
  const named = new Map(literalsOf(text));
  const id = named.get(table.primaryId);
  // A user's primary key is that of the principal, ownerid: by its own name it cannot be given.
  if (named.size === 1 && id !== undefined && isGuid(id) && table.name !== "systemuser") {
    return { kind: "id", id: id.toLowerCase() };
  }
  const columns = table.keys
    .filter((key) => key.length === named.size)
    .map((key) => key.flatMap((name) => table.columns.find((column) => column.name === name) ?? []))
    .find((key) => key.length === named.size && key.every((column) => named.has(propertyOf(column))));
  if (columns === undefined) throw badKey(table.name);
  const cells = columns.map((column) => keyCell(column, named.get(propertyOf(column)) ?? ""));
  return {
    kind: "key",
    columns: columns.map(({ name }) => name),
    values: cells.map((cell) => (typeof cell === "object" && cell !== null ? cell.id : String(cell))),
    cells: Object.fromEntries(columns.map(({ name }, index) => [name, cells[index] ?? null])),
  };
}

/** The id of the addressed row, or undefined when no row has the key. */
export function resolveAddress(organization: Organization, table: Table, address: RowAddress): string | undefined {
  if (address.kind === "key") return organization.findByKey(table.name, address.columns, address.values);
  return organization.store(table.name).get(address.id) === undefined ? undefined : address.id;
}

/** `name=literal`, separated by commas. A quote within a text is written twice. */
function literalsOf(text: string): readonly (readonly [string, string])[] {
  const part = /([\w.]+)=('(?:[^']|'')*'|[^',]+)(,|$)/y;
  const literals: (readonly [string, string])[] = [];
  for (;;) {
    const match = part.exec(text);
    if (match === null) throw badSyntax();
    literals.push([match[1] ?? "", match[2] ?? ""]);
    if (match[3] === "") return literals;
  }
}

/** Texts stand in quotes, and nothing else does. */
function keyCell(column: Column, literal: string): CellValue {
  if (isLookup(column)) {
    if (!isGuid(literal)) throw badSyntax();
    return { table: column.targets?.[0] ?? "", id: literal.toLowerCase() };
  }
  switch (column.type) {
    case "String":
    case "Memo": {
      if (!literal.startsWith("'") || unaddressable.test(literal)) throw badSyntax();
      return literal.slice(1, -1).replaceAll("''", "'");
    }
    case "DateTime":
      if (Number.isNaN(Date.parse(literal))) throw badSyntax();
      return literal;
    default:
      if (!/^-?\d+(\.\d+)?$/.test(literal)) throw badSyntax();
      return Number(literal);
  }
}

function badSyntax(): Error {
  return badRequest("Bad Request - Error in query syntax.");
}
