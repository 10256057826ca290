/** Whether the tables of the activities are what the configuration says. */
import type { ColumnType, TableMetadata } from "../../dataverse/interface.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import { ServiceError } from "../../http/service-error.ts";
import type { EgressContext, KindState } from "./context.ts";

const texts: readonly ColumnType[] = ["String", "Memo"];
const times: readonly ColumnType[] = ["DateTime"];

type Uses = ReadonlyMap<string, readonly ColumnType[]>;

/** Column → the types that it may have. */
function usesOf({ columns }: EgressContext["egress"]["activities"], kind: EventKind): Uses {
  return new Map([
    ["subject", texts],
    ["regardingobjectid", ["Lookup"]],
    ["actualstart", times],
    ["actualend", times],
    [columns.occurredAt, times],
    [columns.campaignName, texts],
    [columns.deliveryName, texts],
    [columns.mirrorPageUrl, texts],
    ...(kind === "click" ? [[columns.trackingUrl, texts] as const] : []),
  ]);
}

function misfitOf({ table, columns }: TableMetadata, uses: Uses): KindState["block"] {
  for (const [name, types] of uses) {
    const column = columns.get(name);
    if (column === undefined) {
      const message = `the table ${table} has no column ${name}: create it, or give its name in egress.activities`;
      return { reason: "ColumnMissing", message };
    }
    if (!types.includes(column.type)) {
      const message = `the column ${name} of ${table} is of type ${column.type}, not ${types.join(" or ")}: give another in egress.activities`;
      return { reason: "ColumnChanged", message };
    }
  }
  return undefined;
}

/**
 * Looks at the table of a kind's activity, and lets the kind run or blocks it.
 * @throws what Dataverse's client throws, but what concerns this table alone
 */
export async function fitTable(state: KindState, context: EgressContext, signal: AbortSignal): Promise<void> {
  const { egress, dataverse, logger } = context;
  const { kind } = state;
  const { table } = egress.activities[kind];
  const uses = usesOf(egress.activities, kind);
  const wasOut = state.table === undefined;
  const block = await dataverse
    .tableMetadata(table, [...uses.keys()], signal)
    .then((metadata) => {
      const misfit = misfitOf(metadata, uses);
      state.table = misfit === undefined ? metadata : undefined;
      return misfit;
    })
    .catch((error: unknown) => {
      if (!(error instanceof ServiceError) || error.scope !== "Mapping") throw error;
      state.table = undefined;
      return { reason: error.code, message: error.message };
    });
  if (block !== undefined && block.message !== state.block?.message)
    logger.warn("mapping.blocked", { mapping: kind, ...block });
  if (block !== undefined) {
    state.block = block;
    return context.blocked();
  }
  state.ran = true;
  // What the writer met while the table fitted is over when a row is created.
  if (!wasOut || state.block === undefined) return;
  logger.info("mapping.resumed", { mapping: kind });
  state.block = undefined;
}
