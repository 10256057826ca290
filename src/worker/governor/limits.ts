import type { BudgetLimits } from "./budget.ts";

/** What one governor holds its calls to. */
export interface GovernorLimits {
  readonly calls: BudgetLimits;
  /** Seconds of the service's own time. */
  readonly execution?: BudgetLimits & {
    /** What a call is expected to cost before any has told. */
    readonly firstCallSeconds: number;
  };
  readonly concurrency: number;
  readonly initialConcurrency: number;
}

/** Other users of the account, and the services' own rounding, need a little room. */
const headroom = 0.95;
const windowSeconds = 300;
/**
 * What a rest saves up, in seconds of the pace. Little: whatever is spent at once is missing at the end of the window,
 * and a process that ends after it leaves a window that its successor, which knows of none of it, fills up once more.
 */
const burstSeconds = 5;
/** What a start has, likewise: a worker that is started again and again has it each time. */
const initialSeconds = 1;
/** A page of 5000 rows may take seconds; a worker that starts again must not find that out with all it may have under way. */
const firstCallSeconds = 3;

/**
 * Dataverse's service protection limits of one user on one server (api-limits.md): 6000 calls and 1200 s of execution
 * in any 300 s, 52 calls at once.
 * @param sharePercent of them that this process may use; several replicas divide the workflow's share among them
 */
export function dataverseLimits(sharePercent: number): GovernorLimits {
  const share = sharePercent / 100;
  const sliding = (amount: number): BudgetLimits => ({
    perWindow: { amount, seconds: windowSeconds },
    perSecond: amount / windowSeconds,
    burst: (amount / windowSeconds) * burstSeconds,
    initial: (amount / windowSeconds) * initialSeconds,
  });
  return {
    calls: sliding(Math.max(6000 * share * headroom, 1)),
    execution: { ...sliding(1200 * share * headroom), firstCallSeconds },
    concurrency: Math.floor(52 * share),
    initialConcurrency: 4,
  };
}

/**
 * Campaign documents no throttling; the customer's package includes a volume of engine calls
 * (d365-acs-notices-and-recommendations.md). In any time `t` at most `engineCallsPerSecond * t + burst` calls start,
 * the burst being a tenth of a second's calls, at least one.
 */
export function campaignLimits(engineCallsPerSecond: number): GovernorLimits {
  const burst = Math.max(1, engineCallsPerSecond / 10);
  return {
    calls: { perSecond: engineCallsPerSecond, burst, initial: burst },
    concurrency: 64,
    initialConcurrency: 4,
  };
}
