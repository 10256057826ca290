/** What may happen in a storm, by weight. Each happening uses the storm's own random numbers alone. */
import type { FaultAction, GateState, Side } from "../../src/sandbox/faults.ts";
import { leaseMs, longestHoldMs } from "./ground.ts";
import { refusedFamilyStatus } from "./mappings.ts";
import type { Storm } from "./storm.ts";

interface Happening {
  readonly name: string;
  readonly weight: number;
  readonly happen: (storm: Storm) => Promise<unknown> | unknown;
}

/** At most so many of a kind in one storm: more would, rightly, make the worker ask a person. */
const mostRefused = 5;
const mostRemoved = 8;

const tables = ["contact", "account"] as const;

const happenings: readonly Happening[] = [
  {
    name: "rows change",
    weight: 14,
    happen: (storm) => storm.people.change(storm.chance.oneOf(tables), storm.chance.count(12)),
  },
  {
    name: "rows are added",
    weight: 6,
    happen: (storm) => storm.people.add(storm.chance.oneOf(tables), storm.chance.count(5)),
  },
  {
    name: "rows are deleted",
    weight: 5,
    happen: (storm) => storm.people.remove(storm.chance.oneOf(tables), storm.chance.count(3)),
  },
  { name: "rows come back", weight: 5, happen: (storm) => storm.people.bringBack(storm.chance.oneOf(tables)) },
  {
    name: "a row is deleted and made again at once",
    weight: 4,
    happen: (storm) => storm.people.replace(storm.chance.count(3)),
  },
  { name: "an account gets another number", weight: 5, happen: (storm) => storm.people.renumber() },
  { name: "two accounts change numbers", weight: 2, happen: (storm) => storm.people.swapNumbers() },
  { name: "an account takes over the number of one that goes", weight: 4, happen: (storm) => storm.people.merge() },
  { name: "an insert takes two slow calls", weight: 1, happen: twoSlowCalls },
  { name: "a row leaves or enters the filter", weight: 5, happen: (storm) => storm.people.toggleFilter() },
  {
    name: "a row becomes refusable",
    weight: 1,
    happen: (storm) => storm.people.refuse(mostRefused, { familystatuscode: refusedFamilyStatus }),
  },
  { name: "a record is removed by hand", weight: 1, happen: (storm) => storm.people.removeByHand(mostRemoved) },
  { name: "a record is made by hand, then its row", weight: 1, happen: (storm) => storm.people.makeByHand() },
  { name: "PKeys change", weight: 1, happen: ({ control }) => control.rotatePKeys() },
  { name: "a request is refused or lost", weight: 14, happen: addFault },
  {
    name: "access tokens expire",
    weight: 2,
    happen: (storm) => storm.control.expireAccessTokens({ side: side(storm) }),
  },
  { name: "delta tokens expire", weight: 1, happen: ({ control }) => control.expireDeltaTokens({}) },
  { name: "a side goes away", weight: 3, happen: closeGate },
  { name: "the worker is killed", weight: 4, happen: (storm) => storm.killWorker() },
  { name: "the worker is stopped", weight: 3, happen: (storm) => storm.stopWorker() },
];

const total = happenings.reduce((sum, { weight }) => sum + weight, 0);

/** Lets one thing happen. @returns its name */
export async function happen(storm: Storm): Promise<string> {
  let ticket = storm.chance.random() * total;
  for (const { name, weight, happen: work } of happenings) {
    ticket -= weight;
    if (ticket >= 0) continue;
    await work(storm);
    return name;
  }
  return "nothing";
}

function side(storm: Storm): Side {
  return storm.chance.oneOf(["dataverse", "campaign"] as const);
}

async function addFault(storm: Storm): Promise<void> {
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
  const where = side(storm);
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
async function closeGate(storm: Storm): Promise<void> {
  const gate = side(storm);
  const state: GateState = storm.chance.oneOf(["paused", "unavailable", "unreachable"] as const);
  await storm.control.setGate({ side: gate, state });
  storm.later(storm.chance.random() * longestHoldMs, () => storm.control.setGate({ side: gate, state: "open" }));
}

/**
 * An insert whose outcome is not known; at its next turn, when its lease is over, a slow update that misses, and an insert
 * that first has to sign in, slowly, and then lands late: two calls, each in its time.
 */
async function twoSlowCalls(storm: Storm): Promise<void> {
  const { control, people } = storm;
  const profile = { side: "campaign", pathPattern: "/profile", times: 1 } as const;
  const slow = (milliseconds: number) => ({ kind: "slow", milliseconds }) as const;
  const withinCallMs = longestHoldMs - 200;
  await control.addFault({ ...profile, method: "POST", action: { kind: "status", status: 503 } });
  await people.add("contact", 1);
  storm.later(leaseMs - 500, async () => {
    await control.addFault({ ...profile, method: "PATCH", action: slow(withinCallMs) });
    await control.addFault({ ...profile, method: "POST", action: { kind: "tokenExpired" } });
    await control.addFault({ side: "campaign", pathPattern: "/ims/token", times: 1, action: slow(withinCallMs) });
    await control.addFault({ ...profile, method: "POST", action: slow(longestHoldMs) });
  });
  // The storm goes on until these are met, for calm ends all faults.
  storm.later(leaseMs + 2 * withinCallMs + 500, async () => {});
}
