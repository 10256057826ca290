/** What a mapping uses of both systems' metadata, as it is kept to be compared with what comes later. Pure. */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { CampaignFieldMetadata, CampaignResourceMetadata } from "../../campaign/interface.ts";
import type { ColumnMetadata, TableMetadata } from "../../dataverse/interface.ts";
import { needsLabels } from "./filter.ts";
import { columnsOf } from "./plan.ts";

export type UsedColumn = Pick<ColumnMetadata, "type" | "metadataId" | "dateTimeBehavior" | "targets" | "options">;
export type UsedField = Omit<CampaignFieldMetadata, "name">;

/** Names, types and labels: nothing of any record. What is missing in a system is missing here. */
export interface SchemaUse {
  readonly table: Pick<TableMetadata, "entitySet" | "primaryId" | "metadataId">;
  readonly columns: Readonly<Record<string, UsedColumn>>;
  readonly fields: Readonly<Record<string, UsedField>>;
}

export function schemaUse(
  mapping: IngressMapping,
  table: TableMetadata,
  resource: CampaignResourceMetadata,
): SchemaUse {
  const { entitySet, primaryId, metadataId } = table;
  const columns = columnsOf(mapping).flatMap((name) => {
    const column = table.columns.get(name);
    return column === undefined ? [] : [[name, usedColumn(mapping, column)] as const];
  });
  return {
    table: { entitySet, primaryId, ...(metadataId === undefined ? {} : { metadataId }) },
    columns: Object.fromEntries(columns),
    fields: usedFields(mapping, resource),
  };
}

export function usedFields(mapping: IngressMapping, resource: CampaignResourceMetadata): SchemaUse["fields"] {
  const fields = fieldsOf(mapping).flatMap((name) => {
    const field = resource.fields.get(name);
    if (field === undefined) return [];
    const { name: _, ...used } = field;
    return [[name, used] as const];
  });
  return Object.fromEntries(fields);
}

/** Options count only where the mapping reads or names labels; how a date is shown does not count at all. */
function usedColumn(mapping: IngressMapping, column: ColumnMetadata): UsedColumn {
  const { name: _, property: __, dateTimeFormat: ___, options, ...used } = column;
  return { ...used, ...(options !== undefined && usesLabels(mapping, column) ? { options } : {}) };
}

function usesLabels({ fields, filter, picklistValues }: IngressMapping, column: ColumnMetadata): boolean {
  if (picklistValues === "Label" && fields.some((field) => field.column === column.name)) return true;
  const conditions = (filter?.conditions ?? []).filter((condition) => condition.column === column.name);
  return filter !== undefined && needsLabels({ ...filter, conditions }, new Map([[column.name, column]]));
}

function fieldsOf({ key, fields, constants = [] }: IngressMapping): readonly string[] {
  return [key.field, ...fields.map(({ field }) => field), ...constants.map(({ field }) => field)];
}
