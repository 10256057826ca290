/** What becomes of the calls to the two systems in memory, as a test decides. */
import type { Clock } from "../../../../src/telemetry/clock.ts";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import type { Dataverse } from "../../../../src/worker/dataverse/interface.ts";
import { CampaignError, DataverseError } from "../../../../src/worker/http/service-error.ts";

/** What becomes of one call. */
export type Fate =
  | "Done"
  /** It never left. */
  | "NotSent"
  /** The service refuses for now: 503 before anything was done. */
  | "Outage"
  /** It was done, and the answer was lost. */
  | "LostAfter"
  /** The answer was lost, and it is done later. */
  | "LandsLate";

/** One call's fate, and how long its answer takes. */
export interface Lot {
  readonly fate: Fate;
  readonly delayMs: number;
}

/** @param call the name of the client's method */
export type Lots = (call: keyof Dataverse | keyof Campaign) => Lot;

export const done: Lot = { fate: "Done", delayMs: 0 };

/** An answer is of the time of the question, however late it comes. */
export async function askDataverse<T>({ fate, delayMs }: Lot, clock: Clock, answer: () => T): Promise<T> {
  try {
    if (fate === "Done") return answer();
    throw new DataverseError("Dataverse is away", { code: "Outage", outcome: "Unknown", status: 503 });
  } finally {
    await wait(clock, delayMs);
  }
}

/** An answer is of the time at which it comes. */
export async function askCampaign<T>({ fate, delayMs }: Lot, clock: Clock, answer: () => T): Promise<T> {
  await wait(clock, delayMs);
  if (fate === "Done") return answer();
  throw new CampaignError("Campaign is away", { code: "Outage", outcome: "Unknown", status: 503 });
}

/** @param latestMs how late a lost call may still land */
export async function tellCampaign<T>(
  { fate, delayMs }: Lot,
  clock: Clock,
  latestMs: number,
  act: () => T,
): Promise<T> {
  if (fate === "NotSent") {
    await wait(clock, delayMs);
    throw new CampaignError("no connection", { code: "Unreachable", outcome: "NotSent" });
  }
  if (fate === "LandsLate") clock.schedule(latestMs, () => unheard(act));
  if (fate === "LostAfter") unheard(act);
  const result = fate === "Done" ? act() : undefined;
  await wait(clock, delayMs);
  if (fate === "Done") return result as T; // It was done above.
  throw new CampaignError("the connection broke", { code: "ConnectionLost", outcome: "Unknown" });
}

function wait(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (delayMs === 0) resolve();
    else clock.schedule(delayMs, resolve);
  });
}

/** A refusal that nobody hears. */
function unheard(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof CampaignError)) throw error;
  }
}
