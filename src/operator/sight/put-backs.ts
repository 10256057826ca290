import type { PutBacks } from "./snapshot.ts";

/** A hand's edits are put back at once. */
const atOnce = 3;
const firstPauseMs = 2000;
const longestPauseMs = 60_000;
/** After so long without one, the next is the first again. */
const forgottenAfterMs = 600_000;

export function withPutBack(before: PutBacks | undefined, nowMs: number): PutBacks {
  const isFirst = before === undefined || nowMs - before.atMs > forgottenAfterMs;
  return { count: isFirst ? 1 : before.count + 1, atMs: nowMs };
}

/** How long the next one has to wait: another controller that wants something else must not be fought at full speed. */
export function putBackWaitMs(putBacks: PutBacks | undefined, nowMs: number): number {
  if (putBacks === undefined || putBacks.count < atOnce) return 0;
  const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (putBacks.count - atOnce));
  return Math.max(0, putBacks.atMs + pauseMs - nowMs);
}
