/** What may happen in a storm, by weight. Each happening uses the storm's own random numbers alone. */
import type { FaultAction, GateState, Side } from "../../src/sandbox/faults.ts";
import { leaseMs, longestHoldMs } from "./ground.ts";
import type { Storm } from "./storm.ts";
import { mappedTables, refusedFamilyStatus } from "./workflow.ts";

interface Happening {
  readonly name: string;
  readonly weight: number;
  readonly happen: (storm: Storm) => Promise<unknown> | unknown;
}

/** At most so many of a kind in one storm: more would, rightly, make the worker ask a person. */
const mostRefused = 5;
const mostRemoved = 8;

/** Most rows are contacts and accounts. */
const tables = ["contact", "contact", "account", "account", ...mappedTables] as const;

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
  { name: "an account changes its state", weight: 4, happen: (storm) => storm.people.toggleState("account") },
  { name: "a shop changes its state", weight: 2, happen: (storm) => storm.people.toggleState("new_shop") },
  { name: "shops are deleted", weight: 2, happen: (storm) => storm.people.remove("new_shop", 1) },
  { name: "a shop comes back", weight: 2, happen: (storm) => storm.people.bringBack("new_shop") },
  { name: "orders come, then their shop", weight: 3, happen: comeBeforeTheirShop },
  {
    name: "a row becomes refusable",
    weight: 1,
    happen: (storm) => storm.people.refuse(mostRefused, { familystatuscode: refusedFamilyStatus }),
  },
  { name: "a record is removed by hand", weight: 1, happen: (storm) => storm.people.removeByHand(mostRemoved) },
  { name: "a record is edited by hand", weight: 2, happen: (storm) => storm.people.editByHand() },
  { name: "a record is made by hand, then its row", weight: 1, happen: (storm) => storm.people.makeByHand() },
  { name: "PKeys change", weight: 1, happen: ({ control }) => control.rotatePKeys() },
  { name: "a request is refused or lost", weight: 14, happen: addFault },
  {
    name: "access tokens expire",
    weight: 2,
    happen: (storm) => storm.control.expireAccessTokens({ side: side(storm) }),
  },
  { name: "access tokens live shortly", weight: 1, happen: (storm) => forAWhile(storm, shortTokens) },
  { name: "rows are deleted, and no delta tells of it", weight: 3, happen: deleteUntold },
  { name: "delta tokens expire", weight: 1, happen: ({ control }) => control.expireDeltaTokens({}) },
  { name: "rows change after every page", weight: 2, happen: (storm) => forAWhile(storm, churn) },
  { name: "service protection bites", weight: 1, happen: (storm) => forAWhile(storm, protection) },
  { name: "Campaign throttles", weight: 1, happen: (storm) => forAWhile(storm, throttle) },
  { name: "the volume is full", weight: 3, happen: (storm) => storm.fillVolume() },
  { name: "a side goes away", weight: 3, happen: closeGate },
  { name: "the worker is killed", weight: 3, happen: (storm) => storm.killWorker() },
  { name: "the worker is killed while it writes", weight: 2, happen: (storm) => storm.killWhileWriting() },
  { name: "the worker is stopped", weight: 3, happen: (storm) => storm.stopWorker() },
];

/** Changes of the schemas, which need the worker's guard against them. */
const schemaHappenings: readonly Happening[] = [
  { name: "a column is dropped for a while", weight: 1, happen: (storm) => storm.schemas.dropColumn() },
  { name: "a column has another type for a while", weight: 1, happen: (storm) => storm.schemas.retypeColumn() },
  { name: "change tracking is off for a while", weight: 1, happen: (storm) => storm.schemas.stopTracking() },
  { name: "a field is dropped for a while", weight: 1, happen: (storm) => storm.schemas.dropField() },
  { name: "an option is relabelled", weight: 1, happen: (storm) => storm.schemas.relabel() },
];
/** Switched on once the worker's publish guard is there. */
const withSchemaChanges = true;

const all = withSchemaChanges ? [...happenings, ...schemaHappenings] : happenings;
const total = all.reduce((sum, { weight }) => sum + weight, 0);

/** Lets one thing happen. @returns its name */
export async function happen(storm: Storm): Promise<string> {
  let ticket = storm.chance.random() * total;
  for (const { name, weight, happen: work } of all) {
    ticket -= weight;
    if (ticket >= 0) continue;
    await work(storm);
    return name;
  }
  return "nothing";
}

/** Before anybody has read of it: only what a whole reading does not see tells. */
async function deleteUntold({ control, people, chance }: Storm): Promise<void> {
  const table = chance.oneOf(tables);
  await people.remove(table, chance.count(4));
  await control.expireDeltaTokens({ table });
}

function comeBeforeTheirShop(storm: Storm): Promise<void> {
  return storm.people.addFamily((work) => storm.later(200 + storm.chance.random() * 1500, work));
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

/** Begins something, and returns how to end it. */
type Spell = (storm: Storm) => Promise<() => Promise<unknown>>;

/** Only one of a kind at a time, so that none ends another's. */
async function forAWhile(storm: Storm, spell: Spell): Promise<void> {
  if (!storm.spells.has(spell)) {
    storm.spells.add(spell);
    const end = await spell(storm);
    storm.later(500 + storm.chance.random() * longestHoldMs, async () => {
      await end();
      storm.spells.delete(spell);
    });
  }
}

async function shortTokens(storm: Storm): Promise<() => Promise<unknown>> {
  const where = side(storm);
  await storm.control.setTokenLifetime({ side: where, seconds: storm.chance.count(3) });
  return () => storm.control.setTokenLifetime({ side: where, seconds: 3600 });
}

/** City is a column that the stamps do not tell of. */
async function churn({ control, chance }: Storm): Promise<() => Promise<unknown>> {
  const table = "contact";
  const cells = { address1_city: "Churned {n}" };
  await control.setPageChurn({ table, updates: chance.count(3), cells, seed: chance.count(1_000_000) });
  return () => control.setPageChurn({ table });
}

async function protection({ control, chance }: Storm): Promise<() => Promise<unknown>> {
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

async function throttle({ control, chance }: Storm): Promise<() => Promise<unknown>> {
  const body = chance.oneOf(["gateway", "html", "empty"] as const);
  const retryAfter = chance.random() < 0.5 ? { retryAfterSeconds: 1 } : {};
  await control.setCampaignBehaviour({ throttle: { callsPerSecond: 3 + chance.count(10), body, ...retryAfter } });
  return () => control.setCampaignBehaviour({ throttle: null });
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
