/** What the engines of all flows do beside moving records. */
import type { WorkflowConfiguration } from "../../api/configuration.ts";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import type { ServiceName } from "../http/service-error.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Queue } from "../queue/interface.ts";
import { fatalOf } from "./fatal.ts";
import type { Health } from "./health.ts";
import type { EngineSettings } from "./settings.ts";
import { isMoving } from "./status.ts";

interface Ground {
  readonly configuration: WorkflowConfiguration;
  readonly queue: Queue;
  readonly dataverse: Pick<Dataverse, "whoAmI">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Probing {
  readonly health: Health;
  readonly settings: Pick<EngineSettings, "readyWindowMs">;
  readonly logger: Logger;
}

const dayMs = 86_400_000;

/**
 * Makes sure that the store is this workflow's: it can only be told once Dataverse has said who we are.
 * @returns the application user's id; undefined when the end came first
 * @throws FatalError
 */
export async function claimStore(
  { configuration, queue, dataverse, random, logger }: Ground,
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
      logger.warn("start.waits", { error });
      await health.pauseAll(["Dataverse"], random(), end);
    }
  }
  return undefined;
}

/**
 * Readiness asks whether the systems answer: of one that was not heard of for a third of the time that is enough for it,
 * something is asked.
 * @throws FatalError
 */
export async function askTheSilent(
  { health, settings, logger }: Probing,
  questions: Readonly<Partial<Record<ServiceName, () => Promise<unknown>>>>,
  end: AbortSignal,
): Promise<void> {
  const asked = Object.entries(questions).map(async ([service, ask]) => {
    if (!health.answeredWithin(service as ServiceName, settings.readyWindowMs / 3)) await ask(); // Its keys are such.
  });
  for (const one of await Promise.allSettled(asked)) {
    if (one.status === "fulfilled") continue;
    const fatal = fatalOf(one.reason);
    if (fatal !== undefined) throw fatal;
    if (!end.aborted) logger.warn("system.no-answer", { error: one.reason });
  }
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

export const tellProgressEveryMs = 60_000;

/** While a mapping reads its table or has something to write, and never when it is idle. */
export async function tellProgress(status: () => Promise<WorkerStatus>, logger: Logger): Promise<void> {
  const now = await status().catch((error: unknown) => {
    if (error instanceof StoreOutage) return undefined;
    throw error;
  });
  for (const { name: mapping, lastSyncTime: _, ...figures } of now?.mappings.filter(isMoving) ?? []) {
    logger.info("mapping.progress", { mapping, ...figures });
  }
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
