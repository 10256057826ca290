import fc from "fast-check";
import { done, type Fate, type Lot, type Lots } from "./calls.ts";
import { longestAnswerMs } from "./simulation.ts";

/** Most calls go well. */
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 12, arbitrary: fc.constant("Done" as const) },
  { weight: 1, arbitrary: fc.constantFrom("NotSent", "Outage", "LostAfter", "LandsLate", "LandsLate") },
);

export const lot: fc.Arbitrary<Lot> = fc.record({
  fate,
  delayMs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 3000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 3000, max: longestAnswerMs }) },
  ),
});

/** Then everything is done at once. */
export function inOrder(lots: readonly Lot[]): Lots {
  const left = [...lots];
  return () => left.shift() ?? done;
}
