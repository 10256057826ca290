import type { Exchange } from "./observed-worker.ts";

/** How long the sandbox's Campaign holds each request back, as a service on the internet would. */
export const campaignMilliseconds = 150;

/** The most exchanges that were sent within any so many milliseconds. */
export function mostIn(exchanges: readonly Exchange[], windowMs: number): number {
  const sent = exchanges.map(({ at, milliseconds }) => at - milliseconds).sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [index, at] of sent.entries()) {
    while ((sent[first] ?? 0) <= at - windowMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
