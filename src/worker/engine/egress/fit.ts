/** Whether the tables of the activities are what the configuration says. */
import type { ColumnMetadata, ColumnType, TableMetadata } from "../../dataverse/interface.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import { ServiceError } from "../../http/service-error.ts";
import type { ContactKey, EgressContext, Fit, KindState } from "./context.ts";

const texts: readonly ColumnType[] = ["String", "Memo"];
const times: readonly ColumnType[] = ["DateTime"];
/** Of columns that can hold a key. */
const keys: readonly ColumnType[] = ["String", "Integer", "BigInt", "Uniqueidentifier"];

const regarding = "regardingobjectid";

type Uses = ReadonlyMap<string, readonly ColumnType[]>;

/** Column → the types that it may have. */
function usesOf({ columns }: EgressContext["egress"]["activities"], kind: EventKind): Uses {
  return new Map([
    ["subject", texts],
    [regarding, ["Lookup"]],
    ["actualstart", times],
    ["actualend", times],
    [columns.occurredAt, times],
    [columns.campaignName, texts],
    [columns.deliveryName, texts],
    [columns.mirrorPageUrl, texts],
    ...(kind === "click" ? [[columns.trackingUrl, texts] as const] : []),
  ]);
}

type Misfit = NonNullable<KindState["block"]>;

function misfitOf({ table, columns }: TableMetadata, uses: Uses): Misfit | undefined {
  for (const [name, types] of uses) {
    const column = columns.get(name);
    if (column === undefined || !types.includes(column.type)) {
      return columnMisfit(table, name, column, types, "egress.activities");
    }
  }
  return undefined;
}

function columnMisfit(
  table: string,
  name: string,
  column: ColumnMetadata | undefined,
  types: readonly ColumnType[],
  where: string,
): Misfit {
  if (column === undefined) {
    const message = `the table ${table} has no column ${name}: create it, or give its name in ${where}`;
    return { reason: "ColumnMissing", message };
  }
  const message = `the column ${name} of ${table} is of type ${column.type}, not ${types.join(" or ")}: give another in ${where}`;
  return { reason: "ColumnChanged", message };
}

/**
 * Looks at the table of a kind's activity, and lets the kind run or blocks it.
 * @throws what Dataverse's client throws, but what concerns this table alone
 */
export async function fitTable(state: KindState, context: EgressContext, signal: AbortSignal): Promise<void> {
  const { logger } = context;
  const { kind } = state;
  const wasOut = state.fit === undefined;
  const found = await fitOf(state, context, signal).catch((error: unknown): Misfit => {
    if (!(error instanceof ServiceError) || error.scope !== "Mapping") throw error;
    return { reason: error.code, message: error.message };
  });
  if ("reason" in found) {
    if (found.message !== state.block?.message) logger.warn("mapping.blocked", { mapping: kind, ...found });
    state.fit = undefined;
    state.block = found;
    return context.blocked();
  }
  state.fit = found;
  state.ran = true;
  state.lookFailure = undefined;
  // What the writer met while the table fitted is over when a row is created.
  if (!wasOut || state.block === undefined) return;
  logger.info("mapping.resumed", { mapping: kind });
  state.block = undefined;
}

async function fitOf({ kind }: KindState, context: EgressContext, signal: AbortSignal): Promise<Fit | Misfit> {
  const { egress, dataverse, lookups } = context;
  const name = egress.activities[kind].table;
  const uses = usesOf(egress.activities, kind);
  const table = await dataverse.tableMetadata(name, [...uses.keys()], signal);
  const misfit = misfitOf(table, uses);
  if (misfit !== undefined) return misfit;
  const regardingProperty = await lookups.navigationProperty(name, regarding, "contact", signal);
  if (regardingProperty === undefined) {
    const message =
      `an activity of the table ${name} cannot be about a contact: the table has no relationship from ${regarding} to contact. ` +
      `Name a table that was made as an activity in egress.activities.${kind}.table`;
    return { reason: "RegardingMissing", message };
  }
  const contactKey = await contactKeyOf(context, signal);
  return "reason" in contactKey ? contactKey : { table, regardingProperty, contactKey };
}

async function contactKeyOf({ egress, dataverse }: EgressContext, signal: AbortSignal): Promise<ContactKey | Misfit> {
  const { contactKey } = egress;
  if (contactKey === "contactid") return { kind: "Id" };
  const table = await dataverse.tableMetadata("contact", [contactKey], signal);
  const column = table.columns.get(contactKey);
  if (column !== undefined && keys.includes(column.type)) return { kind: "Column", table, column };
  return columnMisfit("contact", contactKey, column, keys, "egress.contactKey");
}
