/**
 * The same promise on PostgreSQL, by one process and by several: what happens to a worker happens to a set of them too, to
 * single ones, and to the database. `npm run bench -- storm --store postgres --replicas 4 --seeds 1000` looks further.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PostgresServer } from "../integration/postgres/server.ts";
import { PostgresStores } from "./postgres-store.ts";
import { gateStorm, runStorm } from "./storm.ts";

const seedsEach = 3;
const asked = process.env["INTEGRATION_WORKFLOW_TEST_SEED"];
const seeds = asked === undefined ? Array.from({ length: seedsEach }, (_, n) => n + 1) : [Number(asked)];
const storms = seeds.flatMap((seed) => [1, 2, 4].map((replicas) => ({ seed, replicas })));

let stores: PostgresStores;
const missing = await PostgresServer.missing();
beforeAll(async () => {
  if (missing === undefined) stores = await PostgresStores.prepare();
});
afterAll(() => stores?.end());
beforeEach(({ skip }) => skip(missing !== undefined, missing));

// Ends what the storms have mounted and begun.
process.once("SIGINT", () => process.kill(process.pid, "SIGTERM"));

describe("in a storm over replicas and their database, Campaign ends with what Dataverse has, once, never older, by one hand at a time", () => {
  it.concurrent.each(storms)("seed $seed, replicas: $replicas", async ({ seed, replicas }) => {
    const { faults, diary, leftOut } = await runStorm({ ...gateStorm, seed, makeStore: stores.make(replicas) });
    for (const what of leftOut) console.warn(`left out of the storm: ${what}`);
    const again = `INTEGRATION_WORKFLOW_TEST_SEED=${seed} npm test -- storm`;
    expect(faults, [`once more: ${again}`, ...diary].join("\n")).toEqual([]);
  });
});
