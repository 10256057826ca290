/** What may happen in a storm, by weight. Each happening uses the storm's own random numbers alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { callTimeoutMs, leaseMs, longestHoldMs } from "./ground.ts";
import { type Happening, happenOne } from "./happenings.ts";
import { addFault, closeGate, forAWhile, protection, shortTokens, side, throttle } from "./service-weather.ts";
import { storeHappenings } from "./store-weather.ts";
import type { Storm } from "./storm.ts";
import { mappedTables, refusedFamilyStatus } from "./workflow.ts";

/** At most so many of a kind in one storm: more would, rightly, make the worker ask a person. */
const mostRefused = 5;
const mostRemoved = 8;

/** Most rows are contacts and accounts. */
const tables = ["contact", "contact", "account", "account", ...mappedTables] as const;

const happenings: readonly Happening<Storm>[] = [
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
  { name: "the worker is killed", weight: 3, happen: (storm) => storm.killWorkers() },
  { name: "the worker is killed while it writes", weight: 2, happen: killWhileWriting },
  { name: "the worker is stopped", weight: 3, happen: (storm) => storm.stopWorkers() },
];

/** Changes of the schemas, which need the worker's guard against them. */
const schemaHappenings: readonly Happening<Storm>[] = [
  { name: "a column is dropped for a while", weight: 1, happen: (storm) => storm.schemas.dropColumn() },
  { name: "a column has another type for a while", weight: 1, happen: (storm) => storm.schemas.retypeColumn() },
  { name: "change tracking is off for a while", weight: 1, happen: (storm) => storm.schemas.stopTracking() },
  { name: "a field is dropped for a while", weight: 1, happen: (storm) => storm.schemas.dropField() },
  { name: "an option is relabelled", weight: 1, happen: (storm) => storm.schemas.relabel() },
];

/** Where one replica may read what another has in its hands. */
const sharedHappenings: readonly Happening<Storm>[] = [
  { name: "rows change again while they are written", weight: 6, happen: changeWhileWritten },
];

/** Lets one thing happen. @returns its name */
export function happen(storm: Storm): Promise<string> {
  const { store } = storm;
  const shared = store.postgresUrl === undefined ? [] : [...sharedHappenings, ...storeHappenings(store)];
  return happenOne([...happenings, ...schemaHappenings, ...shared], storm);
}

async function changeWhileWritten({ control, people, chance }: Storm): Promise<void> {
  const table = chance.oneOf(["contact", "contact", "account"] as const);
  const ids = await people.some(table, 4);
  const action = { kind: "slow", milliseconds: 300 + chance.count(500) } as const;
  await control.addFault({ side: "campaign", pathPattern: "/campaign/", times: 16, action });
  for (let n = 0; n < 5; n++) {
    await people.changeThese(table, ids);
    await sleep(100 + chance.random() * 250);
  }
}

/** City is a column that the stamps do not tell of. */
async function churn({ control, chance }: Storm): Promise<() => Promise<unknown>> {
  const table = "contact";
  const cells = { address1_city: "Churned {n}" };
  await control.setPageChurn({ table, updates: chance.count(3), cells, seed: chance.count(1_000_000) });
  return () => control.setPageChurn({ table });
}

async function killWhileWriting(storm: Storm): Promise<void> {
  await storm.writing();
  await storm.killWorkers();
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

/**
 * An insert whose outcome is not known; at its next turn, when its lease is over, a slow update that misses, and an insert
 * that first has to sign in, slowly, and then lands late: two calls, each in its time.
 */
async function twoSlowCalls(storm: Storm): Promise<void> {
  const { control, people } = storm;
  const profile = { side: "campaign", pathPattern: "/profile", times: 1 } as const;
  const slow = (milliseconds: number) => ({ kind: "slow", milliseconds }) as const;
  const withinCallMs = callTimeoutMs - 150;
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
