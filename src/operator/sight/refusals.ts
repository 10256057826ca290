import { canonicalJson } from "../../api/json.ts";
import type { Write } from "./plan.ts";
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

/**
 * What a refusal of a write that can be done without is remembered by, for as long as an operator leads; "" for another write. What
 * changes an object is tried again with every new generation: whoever has mended what it was refused for edits, stops or starts
 * the workflow. What is only to be tidied away is not.
 */
export function printOf(write: Write, generation: number): string {
  if (!write.dispensable) return "";
  return canonicalJson([
    write.verb,
    `${write.kind} ${write.name}`,
    "patch" in write ? [write.patch, generation] : null,
  ]);
}
