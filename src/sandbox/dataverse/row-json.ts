import { formattedValue, wireTime } from "./cells.ts";
import { noProperty } from "./errors.ts";
import type { Organization } from "./organization.ts";
import {
  formattedValueAnnotation,
  lookupTableAnnotation,
  navigationAnnotation,
  type Preferences,
} from "./preferences.ts";
import { type CellValue, type Column, navigationProperty, propertyOf, type Table } from "./schema.ts";
import type { Row } from "./table-store.ts";

/** Which columns a read shows. */
export interface Selection {
  readonly columns: readonly Column[];
  /** As in `@odata.context`: the `$select` list, or empty for all columns. */
  readonly text: string;
}

/** @throws DataverseRefusal when a selected property is none of the table's; a lookup is selected as `_name_value` */
export function parseSelect(table: Table, select: string | null): Selection {
  if (select === null || select.trim() === "") return { columns: table.columns, text: "" };
  const names = select.split(",").map((name) => name.trim());
  const columns = names.map((name) => {
    const column = table.columns.find((candidate) => propertyOf(candidate) === name);
    if (column === undefined) throw noProperty(name, table.name);
    return column;
  });
  return { columns, text: names.join(",") };
}

/** A row as the Web API gives it. Annotations of a property stand before it. */
export function rowJson(
  organization: Organization,
  table: Table,
  row: Row,
  selection: Selection,
  preferences: Preferences,
): Record<string, unknown> {
  const json: Record<string, unknown> = { "@odata.etag": etagOf(row) };
  const formatted = preferences.annotates(formattedValueAnnotation);
  const lookupTable = preferences.annotates(lookupTableAnnotation);
  const navigation = preferences.annotates(navigationAnnotation);
  for (const column of selection.columns) {
    const value = cellOf(organization, table, row, column);
    const property = propertyOf(column);
    const lookup = typeof value === "object" && value !== null ? value : undefined;
    if (formatted) {
      const name = lookup === undefined ? undefined : organization.nameOf(lookup.table, lookup.id);
      const label = formattedValue(column, value, name);
      if (label !== undefined) json[`${property}@${formattedValueAnnotation}`] = label;
    }
    if (lookup !== undefined && navigation) {
      json[`${property}@${navigationAnnotation}`] = navigationProperty(column, lookup.table);
    }
    if (lookup !== undefined && lookupTable) json[`${property}@${lookupTableAnnotation}`] = lookup.table;
    json[property] = lookup === undefined ? value : lookup.id;
  }
  json[table.primaryId] = row.id;
  return json;
}

/** A cell by column, those that the service keeps included. */
export function cellOf(organization: Organization, table: Table, row: Row, column: Column): CellValue {
  switch (column.name) {
    case table.primaryId:
      return row.id;
    case "versionnumber":
      return row.version;
    case "createdon":
      return wireTime(row.createdOn);
    case "modifiedon":
      return wireTime(row.modifiedOn);
    case "createdby":
    case "modifiedby":
    case "ownerid":
      return row.cells[column.name] ?? { table: "systemuser", id: organization.userId };
    default:
      return row.cells[column.name] ?? null;
  }
}

export function etagOf(row: Row): string {
  return `W/"${row.version}"`;
}
