import { expect, test } from "vitest";
import { propertySeed } from "../../property-seed.ts";
import { manyWalks } from "./walks/many.ts";

/** The long version: npm run bench -- walks --real --count 2000 */
const count = Number(process.env["WALKS"] ?? 240);
const seed = propertySeed;

test(`${count} walks on a real API server, with operators that are killed, cut off and overtaken (PROPERTY_SEED=${seed}): the invariants hold, and all comes right`, async () => {
  const { faults, fates, secondsToRest } = await manyWalks({ count, steps: 14, seed, parallel: count });
  console.log(
    `walks of seed ${seed}: ${secondsToRest.toFixed(0)} s to rest; operators were ${JSON.stringify([...fates])}`,
  );
  expect(faults).toEqual([]);
  expect(fates.size).toBeGreaterThan(3);
}, 900_000);
