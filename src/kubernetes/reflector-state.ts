import { type BackoffPolicy, backoffDelayMs } from "./backoff.ts";

/** What a reflector does now. `failures` counts in a row, over lists and watches together. */
export type ReflectorState =
  | { name: "listing"; paged: boolean; failures: number }
  | { name: "watching"; resourceVersion: string; failures: number }
  | { name: "waiting"; delayMs: number; next: ReflectorState };

/** How the step ended. `progressed`: the watch delivered something, or lived long enough to be one. */
export type ReflectorOutcome =
  | { type: "listed"; resourceVersion: string }
  /** The server let the watch end, as it does after timeoutSeconds. */
  | { type: "ended"; resourceVersion: string; progressed: boolean }
  /** 410: the version, or the continue token, is too old. */
  | { type: "expired"; progressed: boolean }
  | { type: "failed"; resourceVersion?: string; progressed: boolean; retryAfterMs: number }
  | { type: "waited" };

export const firstState: ReflectorState = { name: "listing", paged: true, failures: 0 };

/** After so many failed watches in a row the version itself is doubted (a server restored from a backup), and listed anew. */
const failuresBeforeRelist = 5;

/**
 * The next state. A watch that fails is taken up again from where it was; a version that is too old is listed anew, at once
 * the first time; everything that repeats waits longer each time.
 * @param random from 0 to 1
 */
export function nextState(
  state: ReflectorState,
  outcome: ReflectorOutcome,
  backoff: BackoffPolicy,
  random: number,
): ReflectorState {
  if (state.name === "waiting") return state.next;
  const failures = ("progressed" in outcome && outcome.progressed ? 0 : state.failures) + 1;
  const wait = (next: ReflectorState, atLeastMs = 0): ReflectorState => ({
    name: "waiting",
    delayMs: Math.max(atLeastMs, backoffDelayMs(backoff, failures, random)),
    next,
  });
  switch (outcome.type) {
    case "waited":
      return state;
    case "listed":
      return { name: "watching", resourceVersion: outcome.resourceVersion, failures: state.failures };
    case "ended": {
      const { resourceVersion } = outcome;
      if (outcome.progressed) return { name: "watching", resourceVersion, failures: 0 };
      return wait({ name: "watching", resourceVersion, failures });
    }
    case "expired": {
      // A list whose pages expire is longer than the server keeps its past: ask for it in one piece.
      if (state.name === "listing") return wait({ name: "listing", paged: false, failures });
      const next: ReflectorState = { name: "listing", paged: true, failures };
      return failures === 1 ? next : wait(next);
    }
    case "failed": {
      const { resourceVersion, retryAfterMs } = outcome;
      const again: ReflectorState =
        state.name === "listing" || resourceVersion === undefined || failures % failuresBeforeRelist === 0
          ? { name: "listing", paged: state.name !== "listing" || state.paged, failures }
          : { name: "watching", resourceVersion, failures };
      return wait(again, retryAfterMs);
    }
  }
}
