/** What this run's configuration means for what earlier runs left. By whoever has the reading of the mapping. */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { Logger } from "../../telemetry/log.ts";
import { mappingHash } from "../flows/ingress/plan.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";
import type { Queue } from "../queue/interface.ts";
import { sweepAll } from "./sweep.ts";
import * as transitions from "./transitions.ts";

interface Ground {
  readonly queue: Queue;
  readonly logger: Logger;
}

/** @returns from where reading goes on */
export async function prepareMapping(
  { queue, logger }: Ground,
  mapping: IngressMapping,
  stored: Checkpoint | undefined,
): Promise<Checkpoint> {
  const hash = mappingHash(mapping);
  if (stored !== undefined) {
    const preparation = transitions.prepare(stored, hash);
    if (preparation.kind === "Continue") return withConsent({ queue, logger }, mapping, stored);
    if (preparation.kind === "NewGeneration") {
      const { generation } = preparation.checkpoint;
      logger.info("mapping.edited", { mapping: mapping.table, generation });
      await queue.beginGeneration(preparation.checkpoint);
      return preparation.checkpoint;
    }
    logger.info("mapping.replaced", { mapping: mapping.table });
    await queue.dropMapping(mapping.table);
  }
  const checkpoint = transitions.firstLoad(mapping, hash);
  await queue.saveCheckpoint(checkpoint);
  return checkpoint;
}

/** Drops what earlier runs had and this one does not. */
export async function dropOthers(
  { queue, logger }: Ground,
  mappings: readonly IngressMapping[],
  stored: readonly Checkpoint[],
): Promise<void> {
  for (const { mapping } of stored) {
    if (mappings.some(({ table }) => table === mapping)) continue;
    const reading = await queue.read(mapping);
    if (reading === undefined) continue; // Another process drops it.
    logger.info("mapping.removed", { mapping });
    await queue.dropMapping(mapping);
    await reading.end();
  }
}

/** A new value of replay says yes to the deletions that a mapping was paused for. */
async function withConsent(
  { queue, logger }: Ground,
  mapping: IngressMapping,
  stored: Checkpoint,
): Promise<Checkpoint> {
  if (!transitions.isConsentedTo(stored, mapping)) return stored;
  await queue.releaseWithheld(mapping.table);
  let checkpoint = stored;
  if (stored.snapshot?.sweeping) {
    await sweepAll(queue, mapping, stored.generation);
    checkpoint = transitions.swept(stored);
  }
  checkpoint = transitions.resumed(checkpoint);
  await queue.saveCheckpoint(checkpoint);
  logger.info("mapping.resumed", { mapping: mapping.table, reason: stored.pause?.reason });
  return checkpoint;
}
