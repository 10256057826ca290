/** Exponential backoff with jitter and a cap. */
export interface BackoffPolicy {
  initialMs: number;
  factor: number;
  /** No delay is longer, jitter included. */
  maxMs: number;
  /** The part of a delay that is random, from 0 (none) to 1 (all): many clients must not come back at once. */
  jitter: number;
}

/**
 * The delay before the next try, in milliseconds.
 * @param failures how many tries failed in a row, from 1
 * @param random from 0 to 1
 */
export function backoffDelayMs(policy: BackoffPolicy, failures: number, random: number): number {
  const full = Math.min(policy.maxMs, policy.initialMs * policy.factor ** Math.max(0, failures - 1));
  return full * (1 - policy.jitter * random);
}
