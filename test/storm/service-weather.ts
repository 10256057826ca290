/** What the two services and the ways to them do to whichever workflow calls. */
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { FaultAction, GateState, Side } from "../../src/sandbox/faults.ts";
import type { Chance } from "./chance.ts";
import { longestHoldMs } from "./ground.ts";

export interface UnderWeather {
  readonly control: SandboxControl;
  readonly chance: Chance;
  /** What goes on for a while. */
  readonly spells: Set<unknown>;
  /** Does it later, before the storm ends. */
  later(afterMs: number, work: () => Promise<unknown>): void;
}

export function side(storm: UnderWeather): Side {
  return storm.chance.oneOf(["dataverse", "campaign"] as const);
}

export async function addFault(storm: UnderWeather, where: Side = side(storm)): Promise<void> {
  const actions: readonly FaultAction[] = [
    { kind: "status", status: 429, headers: { "retry-after": "1" } },
    { kind: "status", status: 429 },
    { kind: "status", status: 503 },
    { kind: "status", status: 500, body: "RST-360011 An error has occurred - please contact your administrator." },
    { kind: "status", status: 502, body: "<html>Bad gateway</html>" },
    { kind: "reset" },
    { kind: "blackHole" },
    { kind: "slow", milliseconds: Math.floor(storm.chance.random() * longestHoldMs) },
    { kind: "truncate" },
    { kind: "loseAnswerAfterWrite" },
    { kind: "loseAnswerAfterWrite" },
    { kind: "tokenExpired" },
  ];
  const action = storm.chance.oneOf(actions);
  // A sign-in that hears nothing is given half a minute: too long for a storm.
  const path = action.kind === "blackHole" ? { pathPattern: "/api/data/|/campaign/" } : {};
  const method =
    where === "campaign" ? storm.chance.oneOf(["GET", "POST", "PATCH", "DELETE", undefined] as const) : undefined;
  await storm.control.addFault({
    side: where,
    ...(method === undefined ? {} : { method }),
    times: storm.chance.count(4),
    probability: storm.chance.oneOf([1, 0.3]),
    seed: storm.chance.count(1_000_000),
    ...path,
    action,
  });
}

/** A gate opens again while the call that it held back may still be awaited. */
export async function closeGate(storm: UnderWeather, gate: Side = side(storm)): Promise<void> {
  const state: GateState = storm.chance.oneOf(["paused", "unavailable", "unreachable"] as const);
  await storm.control.setGate({ side: gate, state });
  storm.later(storm.chance.random() * longestHoldMs, () => storm.control.setGate({ side: gate, state: "open" }));
}

/** Begins something, and returns how to end it. */
type Spell<S extends UnderWeather> = (storm: S) => Promise<() => Promise<unknown>>;

/** Only one of a kind at a time, so that none ends another's. */
export async function forAWhile<S extends UnderWeather>(storm: S, spell: Spell<S>): Promise<void> {
  if (!storm.spells.has(spell)) {
    storm.spells.add(spell);
    const end = await spell(storm);
    storm.later(500 + storm.chance.random() * longestHoldMs, async () => {
      await end();
      storm.spells.delete(spell);
    });
  }
}

export async function shortTokens(storm: UnderWeather): Promise<() => Promise<unknown>> {
  const where = side(storm);
  await storm.control.setTokenLifetime({ side: where, seconds: storm.chance.count(3) });
  return () => storm.control.setTokenLifetime({ side: where, seconds: 3600 });
}

export async function protection({ control, chance }: UnderWeather): Promise<() => Promise<unknown>> {
  const { enabled: _, ...before } = await control.setServiceProtection({ enabled: false });
  await control.setServiceProtection({
    enabled: true,
    windowSeconds: 2,
    requests: chance.count(8),
    concurrentRequests: chance.count(3),
  });
  // Answers go on telling what is left of the limits.
  return () => control.setServiceProtection({ ...before, enabled: false });
}

export async function throttle({ control, chance }: UnderWeather): Promise<() => Promise<unknown>> {
  const body = chance.oneOf(["gateway", "html", "empty"] as const);
  const retryAfter = chance.random() < 0.5 ? { retryAfterSeconds: 1 } : {};
  await control.setCampaignBehaviour({ throttle: { callsPerSecond: 3 + chance.count(10), body, ...retryAfter } });
  return () => control.setCampaignBehaviour({ throttle: null });
}
