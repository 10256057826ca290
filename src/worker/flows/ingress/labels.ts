import type { ColumnMetadata, DataverseRow } from "../../dataverse/interface.ts";

/** What people see instead of a choice's number or a lookup's id; source: webapi/query, "formatted values". */
export function labelOf(row: DataverseRow, column: ColumnMetadata): string | undefined {
  const label = row[`${column.property}@OData.Community.Display.V1.FormattedValue`];
  return typeof label === "string" ? label : undefined;
}
