import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";

/** Whether people see something else than the value. Others have formatted values too: in a user's language and zone. */
export function hasLabel({ type }: ColumnMetadata): boolean {
  return ["Picklist", "State", "Status", "MultiSelectPicklist", "Lookup"].includes(type);
}

/** What people see instead of a choice's number or a lookup's id; source: webapi/query, "formatted values". */
export function labelOf(row: DataverseRow, column: ColumnMetadata): string | undefined {
  if (!hasLabel(column)) return undefined;
  const label = row[`${column.property}@OData.Community.Display.V1.FormattedValue`];
  return typeof label === "string" ? label : undefined;
}
