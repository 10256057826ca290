/** Whether both systems still are what the workflow expects of them. */
import { createHash } from "node:crypto";
import { columnsOf, type OptInOutPlan, type OptOutMisfit, planOptInOut } from "../../flows/opt-in-out/plan.ts";
import { ServiceError } from "../../http/service-error.ts";
import { contactsMapping, type OptInOutContext, profileResource, type Trouble } from "./context.ts";

const contactTable = "contact";

/**
 * Looks at both systems' metadata, and lets the workflow run or blocks it.
 * @throws what the clients throw, but what concerns the table or the resource alone
 */
export async function fitPairs(context: OptInOutContext, signal: AbortSignal): Promise<void> {
  const { optInOut, dataverse, campaign, state, logger } = context;
  const found = await Promise.all([
    dataverse.tableMetadata(contactTable, columnsOf(optInOut), signal),
    campaign.resourceMetadata(profileResource, signal),
  ])
    .then(([table, profile]) => planOptInOut(optInOut, table, profile))
    .catch((error: unknown): readonly Trouble[] => {
      if (!(error instanceof ServiceError) || error.scope !== "Mapping") throw error;
      return [{ reason: error.code, message: error.message }];
    });
  if (!("pairs" in found)) {
    block(context, found);
    return;
  }
  const identity = identityOf(found);
  const wasOut = state.plan === undefined;
  state.plan = found;
  state.identity = identity;
  state.ran = true;
  state.lookFailure = undefined;
  // What deciders met while it fitted is over when a contact is decided.
  if (!wasOut || state.block === undefined) return;
  logger.info("mapping.resumed", { mapping: contactsMapping });
  state.block = undefined;
}

function block({ state, logger, blocked }: OptInOutContext, misfits: readonly (OptOutMisfit | Trouble)[]): void {
  const [first] = misfits;
  const trouble = { reason: first?.reason ?? "Unknown", message: misfits.map(({ message }) => message).join("; ") };
  if (trouble.message !== state.block?.message)
    logger.warn("mapping.blocked", { mapping: contactsMapping, ...trouble });
  state.block = trouble;
  state.plan = undefined;
  state.identity = undefined;
  if (!state.ran) blocked(trouble);
}

/**
 * A column that was dropped and made again has the values that a new one has, and nobody chose them. So what was agreed of
 * the old one is void: it is another identity.
 */
function identityOf({ hash, table, pairs }: OptInOutPlan): string {
  const ids = pairs.map(({ column, campaignField }) => [column.name, column.metadataId ?? "", campaignField]);
  return createHash("sha256")
    .update(JSON.stringify([hash, table.metadataId ?? "", ids.sort()]))
    .digest("hex")
    .slice(0, 16);
}
