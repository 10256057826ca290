/** What may happen to a store on PostgreSQL, and to single replicas, whatever the flow is. */
import { setTimeout as sleep } from "node:timers/promises";
import { callTimeoutMs, leaseMs, longestHoldMs } from "./ground.ts";
import type { Happening } from "./happenings.ts";
import { PostgresStore } from "./postgres-store.ts";
import { side, type UnderWeather } from "./service-weather.ts";
import type { Store } from "./store.ts";
import type { WorkerProcess } from "./worker-process.ts";
import type { Workers } from "./workers.ts";

/** A storm, as far as these need it. */
export interface StoreStage extends UnderWeather {
  readonly workers: Workers;
  /** Until a call arrives, or soon. */
  writing(): Promise<unknown>;
  /** Stops one of the workers, checks how it ended, and begins another in its place. */
  stopOne(worker: WorkerProcess): Promise<unknown>;
}

/** Short enough that all goes on as if nothing had been. */
const shortPauseMs = 1500;
const longestAwayMs = 2500;
const longestDelayMs = 60;
const longestSlowCallMs = 800;

/** @returns none for SQLite */
export function storeHappenings(store: Store): readonly Happening<StoreStage>[] {
  return store instanceof PostgresStore ? [...replicaHappenings, ...databaseHappenings(store)] : [];
}

const replicaHappenings: readonly Happening<StoreStage>[] = [
  { name: "a replica is killed", weight: 3, happen: (stage) => killOne(stage) },
  {
    name: "a replica is killed while it writes",
    weight: 3,
    happen: async (stage) => {
      await stage.writing();
      await killOne(stage);
    },
  },
  { name: "a replica is stopped", weight: 2, happen: (stage) => stage.stopOne(one(stage)) },
  {
    name: "a replica stands still for a moment",
    weight: 3,
    happen: (stage) => pause(stage, [one(stage)], stage.chance.random() * shortPauseMs),
  },
  {
    name: "a replica stands still past its lease",
    weight: 3,
    happen: async (stage) => {
      await stage.writing();
      pause(stage, [one(stage)], pastLeaseMs(stage));
    },
  },
  {
    name: "a replica stands still while something is read",
    weight: 2,
    happen: async (stage) => {
      await reading(stage);
      pause(stage, [one(stage)], pastLeaseMs(stage));
    },
  },
  { name: "a service is slow", weight: 5, happen: slowService },
  { name: "calls land when nobody waits for them any more", weight: 3, happen: landLate },
  {
    name: "all replicas stand still past their leases",
    weight: 1,
    happen: (stage) => pause(stage, stage.workers.members, pastLeaseMs(stage)),
  },
];

function databaseHappenings(store: PostgresStore): readonly Happening<StoreStage>[] {
  const { relay } = store;
  return [
    {
      name: "connections to the database are cut",
      weight: 3,
      happen: ({ chance }) => relay.cut(() => chance.random() < 0.6),
    },
    {
      name: "a transaction is cut",
      weight: 5,
      happen: ({ chance }) => relay.cutTransaction(chance.oneOf(["BeforeEnd", "BeforeAnswer"] as const)),
    },
    { name: "the database ends all sessions", weight: 1, happen: () => store.endSessions() },
    {
      name: "the database stands still",
      weight: 2,
      happen: (stage) =>
        forAWhile(stage, "stands still", stage.chance.random() * longestAwayMs, {
          begin: () => relay.standStill(),
          end: () => relay.goOn(),
        }),
    },
    {
      name: "the database is slow",
      weight: 2,
      happen: (stage) =>
        forAWhile(stage, "slow", 500 + stage.chance.random() * longestHoldMs, {
          begin: () => relay.slow(stage.chance.count(longestDelayMs)),
          end: () => relay.slow(0),
        }),
    },
    {
      name: "the database takes no writes",
      weight: 1,
      happen: (stage) =>
        forAWhile(stage, "read-only", stage.chance.random() * longestAwayMs, {
          begin: () => store.setReadOnly(true),
          end: () => store.setReadOnly(false),
        }),
    },
    { name: "the database is restarted", weight: 1, happen: (stage) => restart(stage, store, "SIGINT") },
    { name: "the database crashes", weight: 2, happen: (stage) => restart(stage, store, "SIGQUIT") },
  ];
}

/** So slow that two calls of one record would meet. */
async function slowService(stage: StoreStage): Promise<void> {
  const { chance, control } = stage;
  const where = side(stage);
  let id: string | undefined;
  await forAWhile(stage, `${where} is slow`, 1000 + chance.random() * 2 * longestHoldMs, {
    begin: async () => {
      const action = { kind: "slow", milliseconds: chance.count(longestSlowCallMs) } as const;
      id = await control.addFault({ side: where, pathPattern: "/api/data/|/campaign/", probability: 0.6, action });
    },
    end: () => control.removeFault({ id: id ?? "" }),
  });
}

/** The next ones that write, on the side that is written to. */
async function landLate({ chance, control }: StoreStage): Promise<void> {
  const milliseconds = callTimeoutMs + chance.count(longestHoldMs - callTimeoutMs);
  const rule = { times: 1 + chance.count(3), action: { kind: "slow", milliseconds } } as const;
  await control.addFault({
    side: "campaign",
    method: chance.oneOf(["POST", "PATCH"] as const),
    pathPattern: "/campaign/",
    ...rule,
  });
  await control.addFault({ side: "dataverse", method: "POST", pathPattern: "/api/data/", ...rule });
}

/** Until Dataverse is asked for something, which it takes its time for, or soon. */
async function reading({ control }: StoreStage): Promise<void> {
  const action = { kind: "slow", milliseconds: 1000 } as const;
  const id = await control.addFault({ side: "dataverse", method: "GET", pathPattern: "/api/data/", times: 2, action });
  const isMet = async () => (await control.faults()).every((fault) => fault.id !== id || fault.met > 0);
  for (const until = performance.now() + 500; performance.now() < until && !(await isMet()); ) await sleep(5);
}

function one({ chance, workers }: StoreStage): WorkerProcess {
  return chance.oneOf(workers.members);
}

/** Its successor comes at once, or not so soon. */
async function killOne(stage: StoreStage): Promise<void> {
  const { workers, chance } = stage;
  const member = one(stage);
  await member.kill();
  if (chance.random() < 0.5) workers.replace(member);
  else stage.later(chance.random() * longestAwayMs, async () => workers.replace(member));
}

function pastLeaseMs({ chance }: StoreStage): number {
  return leaseMs + 200 + chance.random() * 2000;
}

function pause(stage: StoreStage, members: readonly WorkerProcess[], forMs: number): void {
  const paused = members.filter(({ isPaused }) => !isPaused);
  for (const member of paused) member.pause();
  stage.later(forMs, async () => {
    for (const member of paused) member.resume();
  });
}

function restart(stage: StoreStage, store: PostgresStore, signal: "SIGINT" | "SIGQUIT"): void {
  stage.later(0, () => store.restart(signal, stage.chance.random() * longestAwayMs));
}

/** Only one of a kind at a time, so that none ends another's. */
async function forAWhile(
  stage: StoreStage,
  kind: string,
  forMs: number,
  spell: { readonly begin: () => Promise<void> | void; readonly end: () => Promise<void> | void },
): Promise<void> {
  const { spells } = stage;
  if (spells.has(kind)) return;
  spells.add(kind);
  await spell.begin();
  stage.later(forMs, async () => {
    await spell.end();
    spells.delete(kind);
  });
}
