/**
 * The promise, with real processes and real HTTP: everything at once from a seed, then the comparison of both systems.
 * INTEGRATION_WORKFLOW_TEST_SEED=<seed> repeats one; `npm run bench -- storm --seeds 1000` looks further.
 */
import { describe, expect, it } from "vitest";
import { inSqlite } from "./store.ts";
import { gateStorm, runStorm } from "./storm.ts";

const storms = 50;
const asked = process.env["INTEGRATION_WORKFLOW_TEST_SEED"];
const seeds = asked === undefined ? Array.from({ length: storms }, (_, n) => n + 1) : [Number(asked)];

// Ends what the storms have mounted and begun.
process.once("SIGINT", () => process.kill(process.pid, "SIGTERM"));

describe("in a storm of faults, kills, stops and changes, Campaign ends with what Dataverse has, once, never older", () => {
  it.concurrent.each(seeds)("seed %i", async (seed) => {
    const { faults, diary, leftOut } = await runStorm({
      ...gateStorm,
      seed,
      makeStore: inSqlite,
    });
    for (const what of leftOut) console.warn(`left out of the storm: ${what}`);
    const again = `INTEGRATION_WORKFLOW_TEST_SEED=${seed} npm test -- storm`;
    expect(faults, [`once more: ${again}`, ...diary].join("\n")).toEqual([]);
  });
});
