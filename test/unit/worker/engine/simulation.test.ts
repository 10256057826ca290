/**
 * The promise, under everything at once: changes while reading, calls that fail in every way, answers that are lost,
 * writes that land late, delta links that expire, kills at any moment; keys that two rows have, and that move from one to
 * another. In the end Campaign has what Dataverse has, once, and of no record an older version ever replaced a newer one.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { inOrder, lot } from "./random-lots.ts";
import { byNumber, mapping, Simulation } from "./simulation.ts";

type Step =
  | { readonly kind: "Put"; readonly record: number; readonly number?: string }
  | { readonly kind: "Delete"; readonly record: number }
  | { readonly kind: "MakeByHand"; readonly record: number }
  | { readonly kind: "ExpireTokens" }
  | { readonly kind: "Kill" }
  | { readonly kind: "Pass"; readonly steps: number };

const record = fc.integer({ min: 0, max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: record.map((n) => ({ kind: "Put", record: n }) as const) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(record, fc.constantFrom("n-0", "n-1", "n-2", undefined))
      .map(([n, number]) => ({ kind: "Put", record: n, number: number ?? `of id-${n}` }) as const),
  },
  { weight: 4, arbitrary: record.map((n) => ({ kind: "Delete", record: n }) as const) },
  { weight: 1, arbitrary: record.map((n) => ({ kind: "MakeByHand", record: n }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "ExpireTokens" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "Kill" } as const) },
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }).map((steps) => ({ kind: "Pass", steps }) as const) },
);
async function happen(simulation: Simulation, what: Step, count: number): Promise<void> {
  switch (what.kind) {
    case "Put":
      return simulation.source.put(`id-${what.record}`, `name ${count}`, what.number);
    case "Delete":
      return simulation.source.delete(`id-${what.record}`);
    case "MakeByHand":
      return simulation.makeByHand(`id-${what.record}`);
    case "ExpireTokens":
      return simulation.source.expireTokens();
    case "Kill":
      await simulation.kill();
      return simulation.start();
    case "Pass":
      for (let n = 0; n < what.steps; n++) await simulation.clock.step();
  }
}

it.each([
  ["the row's id", mapping],
  ["a number that rows share and pass on", byNumber],
])("by %s: nothing is lost, nothing goes backwards, nothing is there twice", async (_key, asked) => {
  const property = fc.asyncProperty(
    fc.array(record, { maxLength: 10 }),
    fc.array(step, { minLength: 1, maxLength: 40 }),
    fc.array(lot, { maxLength: 200 }),
    fc.array(record, { maxLength: 3 }),
    fc.boolean(),
    async (before, steps, lots, byHand, keepsKeysUnique) => {
      const simulation = new Simulation(asked, inOrder(lots));
      simulation.target.keepsKeysUnique = keepsKeysUnique;
      try {
        for (const n of byHand) simulation.target.makeByHand(asked === byNumber ? `of id-${n}` : `id-${n}`);
        for (const [count, n] of before.entries()) simulation.source.put(`id-${n}`, `before ${count}`);
        await simulation.start();
        for (const [count, what] of steps.entries()) await happen(simulation, what, count);
        await simulation.settle();
        expect(simulation.isSame()).toBe(true);
        for (const versions of simulation.histories()) expect(versions).toEqual(versions.toSorted((a, b) => a - b));
      } finally {
        await simulation.end();
      }
    },
  );
  await fc.assert(property, { numRuns: Number(process.env["RUNS"] ?? 60), endOnFailure: false });
});
