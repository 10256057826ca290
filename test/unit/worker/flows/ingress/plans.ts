import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import type { CampaignFieldType } from "../../../../../src/worker/campaign/interface.ts";
import type { ColumnMetadata, TableMetadata } from "../../../../../src/worker/dataverse/interface.ts";
import { type Plan, planMapping } from "../../../../../src/worker/flows/ingress/plan.ts";

export const columns: readonly ColumnMetadata[] = [
  { name: "contactid", type: "Uniqueidentifier", property: "contactid" },
  { name: "firstname", type: "String", property: "firstname" },
  { name: "gendercode", type: "Picklist", property: "gendercode" },
  { name: "statecode", type: "State", property: "statecode" },
  { name: "interests", type: "MultiSelectPicklist", property: "interests" },
  { name: "donotemail", type: "Boolean", property: "donotemail" },
  { name: "children", type: "Integer", property: "children" },
  { name: "income", type: "Money", property: "income" },
  { name: "birthdate", type: "DateTime", property: "birthdate", dateTimeBehavior: "DateOnly" },
  { name: "lastcall", type: "DateTime", property: "lastcall", dateTimeBehavior: "UserLocal" },
  { name: "alarm", type: "DateTime", property: "alarm", dateTimeBehavior: "TimeZoneIndependent" },
  { name: "owner", type: "Lookup", property: "_owner_value" },
];

export const table: TableMetadata = {
  table: "contact",
  entitySet: "contacts",
  primaryId: "contactid",
  changeTracking: true,
  columns: new Map(columns.map((column) => [column.name, column])),
};

export function resourceWith(fields: Readonly<Record<string, CampaignFieldType>>) {
  return {
    resource: "profile",
    fields: new Map(Object.entries(fields).map(([name, type]) => [name, { name, type, rawType: type }])),
  };
}

export const baseMapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [],
  applyDeletes: false,
  picklistValues: "Label",
};

/** A plan of one column to one field. */
export function planOne(
  column: string,
  type: CampaignFieldType,
  field: Partial<IngressMapping["fields"][number]> = {},
  mapping: Partial<IngressMapping> = {},
): Plan {
  return planOf({ fields: [{ column, field: "target", applyUpdates: true, ...field }], ...mapping }, { target: type });
}

export function planOf(mapping: Partial<IngressMapping>, fields: Readonly<Record<string, CampaignFieldType>>): Plan {
  const asked = { ...baseMapping, ...mapping };
  const plan = planMapping(asked, table, resourceWith({ externalId: "string", ...fields }), [asked]);
  if ("mapping" in plan) return plan;
  throw new Error(plan.map(({ message }) => message).join("; "));
}
