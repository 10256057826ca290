import type { Refusal } from "./snapshot.ts";

/** How soon a refused write is tried again: whoever mends the cause at once sees it work. */
const pauseMs = 10_000;
/** After so many in a row the cause is not being mended at this moment, and there may be a thousand like it. */
const soonFor = 6;
const longPauseMs = 60_000;

/** In words, for whoever waits for it. */
export const triedAgain = "It is tried again every 10 s for a minute, then every minute, and at once after an edit";

/** @param now a refusal of this moment, the first as far as it knows */
export function withRefusal(before: Refusal | undefined, now: Omit<Refusal, "inARow">): Refusal {
  const isSame =
    before?.object === now.object && before.generation === now.generation && now.atMs - before.atMs < 2 * longPauseMs;
  return { ...now, inARow: isSame ? before.inARow + 1 : 1 };
}

/** How long the next try has to wait; none after an edit. */
export function refusalWaitMs(refusal: Refusal | undefined, generation: number, nowMs: number): number {
  if (refusal === undefined || refusal.generation !== generation) return 0;
  return Math.max(0, refusal.atMs + (refusal.inARow < soonFor ? pauseMs : longPauseMs) - nowMs);
}
