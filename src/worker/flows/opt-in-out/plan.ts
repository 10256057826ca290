/** A workflow's pairs of columns and fields, fitted to both systems' metadata. Pure. */
import { createHash } from "node:crypto";
import type { WorkflowSpec } from "../../../api/integration-workflow.ts";
import type { CampaignResourceMetadata } from "../../campaign/interface.ts";
import type { ColumnMetadata, TableMetadata } from "../../dataverse/interface.ts";

export type OptInOut = NonNullable<WorkflowSpec["optInOut"]>;

export interface Pair {
  readonly column: ColumnMetadata;
  /** The field's name in the configuration; by it, agreed values are kept. */
  readonly field: string;
  /** The field's name in this instance. */
  readonly campaignField: string;
}

export interface OptInOutPlan {
  readonly direction: OptInOut["direction"];
  readonly source: OptInOut["source"];
  readonly table: TableMetadata;
  /** Logical names of all columns that are read. */
  readonly columns: readonly string[];
  readonly keyField: string;
  readonly pairs: readonly Pair[];
  /** Of direction, key and pairs: what was agreed under another one is void. */
  readonly hash: string;
}

/** Why the workflow cannot run as it is: what does not fit, and where. */
export interface OptOutMisfit {
  readonly reason: "ChangeTrackingOff" | "ColumnMissing" | "ColumnNotYesNo" | "FieldMissing" | "FieldNotYesNo";
  readonly message: string;
}

/** The columns to ask the contact's metadata for. */
export function columnsOf({ mappings }: OptInOut): readonly string[] {
  return [...mappings.map(({ column }) => column), "createdon", "modifiedon"].sort();
}

/**
 * The names under which instances have a field, the configuration's first: `denyListEmail` by the integration pages,
 * `blackListEmail` by the data model (developing/using/datamodel-profile.md). `ccpaOptOut` has one.
 */
export function namesOf(field: string): readonly string[] {
  const rest = /^denyList(.*)$/.exec(field)?.[1];
  return rest === undefined ? [field] : [field, `blackList${rest}`];
}

export function planOptInOut(
  configuration: OptInOut,
  table: TableMetadata,
  profile: CampaignResourceMetadata,
): OptInOutPlan | readonly OptOutMisfit[] {
  const { direction, source, keyField, mappings } = configuration;
  const misfits: OptOutMisfit[] = [];
  const add = (reason: OptOutMisfit["reason"], message: string) => void misfits.push({ reason, message });
  if (direction !== "CampaignToDynamics" && !table.changeTracking) {
    const remedy = `switch on "Track changes" in Dynamics 365`;
    add("ChangeTrackingOff", `the table ${table.table} does not track changes: ${remedy}`);
  }
  if (direction === "Bidirectional" && !table.columns.has("modifiedon")) {
    add("ColumnMissing", `the table ${table.table} has no column modifiedon that this user may see`);
  }
  const asked = source === "Poll" && direction !== "DynamicsToCampaign" ? ["lastModified"] : [];
  for (const name of [keyField, ...asked].filter((field) => !profile.fields.has(field))) {
    add("FieldMissing", `the Campaign resource ${profile.resource} has no field ${name}`);
  }
  const pairs = mappings.flatMap(({ column, field }) => {
    const from = columnOf(column, table, add);
    const campaignField = fieldOf(field, profile, add);
    return from === undefined || campaignField === undefined ? [] : [{ column: from, field, campaignField }];
  });
  if (misfits.length > 0) return misfits;
  const hash = hashOf(configuration);
  const columns = columnsOf(configuration).filter((column) => table.columns.has(column));
  return { direction, source, table, columns, keyField, pairs, hash };
}

type Add = (reason: OptOutMisfit["reason"], message: string) => void;

/** Adobe's app offers "all of those that are of type boolean" (d365-acs-self-service-app-data-sync.md, "Mappings"). */
function columnOf(name: string, { table, columns }: TableMetadata, add: Add): ColumnMetadata | undefined {
  const column = columns.get(name);
  if (column === undefined) {
    add("ColumnMissing", `the table ${table} has no column ${name} that this user may see`);
    return undefined;
  }
  if (column.type === "Boolean") return column;
  add("ColumnNotYesNo", `the column ${name} of ${table} is of type ${column.type}: map a yes/no column`);
  return undefined;
}

function fieldOf(name: string, { resource, fields }: CampaignResourceMetadata, add: Add): string | undefined {
  const field = namesOf(name).flatMap((candidate) => fields.get(candidate) ?? [])[0];
  if (field === undefined) {
    add("FieldMissing", `the Campaign resource ${resource} has no field ${namesOf(name).join(", nor ")}`);
    return undefined;
  }
  if (field.type === "boolean") return field.name;
  add("FieldNotYesNo", `the field ${field.name} of ${resource} is of type ${field.rawType}: an opt-out is a boolean`);
  return undefined;
}

function hashOf({ direction, keyField, mappings }: OptInOut): string {
  const pairs = mappings.map(({ column, field }) => `${field}=${column}`).sort();
  return createHash("sha256")
    .update(JSON.stringify([direction, keyField, pairs]))
    .digest("hex")
    .slice(0, 16);
}
