/** What the engines of all flows do beside moving records. */
import type { WorkflowConfiguration } from "../../api/configuration.ts";
import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Queue } from "../queue/interface.ts";
import { fatalOf } from "./fatal.ts";
import type { Health } from "./health.ts";

interface Ground {
  readonly configuration: WorkflowConfiguration;
  readonly queue: Queue;
  readonly dataverse: Pick<Dataverse, "whoAmI">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const dayMs = 86_400_000;

/**
 * Makes sure that the store is this workflow's: it can only be told once Dataverse has said who we are.
 * @returns the application user's id; undefined when the end came first
 * @throws FatalError
 */
export async function claimStore(
  { configuration, queue, dataverse, clock, random, logger }: Ground,
  health: Health,
  end: AbortSignal,
): Promise<string | undefined> {
  const { workflow, spec } = configuration;
  while (!end.aborted) {
    try {
      const { organizationId, userId } = await dataverse.whoAmI(end);
      await queue.claim({ organizationId, campaignUrl: normalUrl(spec.campaign.url), workflow });
      return userId;
    } catch (error) {
      if (end.aborted) return undefined;
      const fatal = fatalOf(error);
      if (fatal !== undefined) throw fatal;
      const waitMs = Math.max(500, health.pauseMs("Dataverse", random()));
      logger.warn("start.waits", { tryAgainMs: Math.round(waitMs), error });
      await sleep(clock, waitMs, end);
    }
  }
  return undefined;
}

/** Forgets refusals that are older than the workflow keeps them. */
export async function forgetOldRefusals({ configuration, queue, logger }: Ground): Promise<void> {
  const days = configuration.spec.queue.deadLetterRetentionDays;
  const records = await queue.forgetRefusals(days * dayMs).catch((error: unknown) => {
    if (error instanceof StoreOutage) return 0; // The next time, then.
    throw error;
  });
  if (records > 0) logger.info("refusals.forgotten", { records, olderThanDays: days });
}

export async function repeat(
  clock: Clock,
  everyMs: number,
  end: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  while (!end.aborted) {
    await work();
    await sleep(clock, everyMs, end);
  }
}

/** The same instance, however its address is written. */
function normalUrl(url: string): string {
  return new URL(url).href.replace(/\/+$/, "");
}
