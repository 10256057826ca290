import type { CampaignFieldType, CampaignResourceMetadata } from "../../../../../src/worker/campaign/interface.ts";
import type { ColumnMetadata, TableMetadata } from "../../../../../src/worker/dataverse/interface.ts";
import { type OptInOut, type OptInOutPlan, planOptInOut } from "../../../../../src/worker/flows/opt-in-out/plan.ts";

const columns: readonly ColumnMetadata[] = [
  { name: "contactid", type: "Uniqueidentifier", property: "contactid" },
  { name: "donotbulkemail", type: "Boolean", property: "donotbulkemail" },
  { name: "donotphone", type: "Boolean", property: "donotphone" },
  { name: "gendercode", type: "Picklist", property: "gendercode" },
  { name: "modifiedon", type: "DateTime", property: "modifiedon", dateTimeBehavior: "UserLocal" },
];

export function contactTable(more: Partial<TableMetadata> = {}, without: readonly string[] = []): TableMetadata {
  const known = columns.filter(({ name }) => !without.includes(name));
  return {
    table: "contact",
    entitySet: "contacts",
    primaryId: "contactid",
    changeTracking: true,
    columns: new Map(known.map((column) => [column.name, column])),
    ...more,
  };
}

/** A profile's metadata: the fields beside the key, with their types. */
export function profileWith(fields: Readonly<Record<string, CampaignFieldType>>): CampaignResourceMetadata {
  const all = { externalId: "string" as const, lastModified: "datetime" as const, ...fields };
  return {
    resource: "profile",
    fields: new Map(Object.entries(all).map(([name, type]) => [name, { name, type, rawType: type }])),
  };
}

export const newerNames = profileWith({ denyListEmail: "boolean", denyListPhone: "boolean", ccpaOptOut: "boolean" });
export const olderNames = profileWith({ blackListEmail: "boolean", blackListPhone: "boolean", ccpaOptOut: "boolean" });

export const bothWays: OptInOut = {
  direction: "Bidirectional",
  source: "Export",
  keyField: "externalId",
  auditRetentionDays: 400,
  mappings: [
    { column: "donotbulkemail", field: "denyListEmail" },
    { column: "donotphone", field: "denyListPhone" },
  ],
};

export function planOf(profile: CampaignResourceMetadata = newerNames): OptInOutPlan {
  const plan = planOptInOut(bothWays, contactTable(), profile);
  if (!("pairs" in plan)) throw new Error(`misfits: ${JSON.stringify(plan)}`);
  return plan;
}
