import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HashTrust } from "../../../../src/worker/engine/hash-trust.ts";
import {
  begunCheck,
  checksOfAnother,
  drifted,
  goodCheck,
  isDoubted,
  resumedChecks,
} from "../../../../src/worker/engine/schema-checks.ts";
import type { Doubt, SchemaChecks } from "../../../../src/worker/queue/checkpoint.ts";

type Event = { readonly kind: "Good" } | { readonly kind: "Bad"; readonly doubt: Doubt } | { readonly kind: "Edited" };

const doubt = fc.constantFrom<Doubt>("None", "SinceGood", "All");
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "Good" } as const) },
  { weight: 2, arbitrary: doubt.map((one) => ({ kind: "Bad", doubt: one }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "Edited" } as const) },
);

describe("what is believed of what was written", () => {
  it("is what was followed by a good check, and nothing that a drift puts in doubt, however often", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        let checks: SchemaChecks = begunCheck(undefined, 1000);
        /** One write in each epoch: whether Campaign surely has it. */
        const written = new Map<number, boolean>();
        let unconfirmed: number[] = [];
        for (const one of events) {
          written.set(checks.epoch, true);
          unconfirmed.push(checks.epoch);
          const before = checks.epoch;
          checks = begunCheck(checks, 0);
          expect(checks.epoch).toBeGreaterThan(before);
          if (one.kind === "Edited") checks = checksOfAnother(checks);
          else if (one.kind === "Bad") {
            checks = drifted(checks, one.doubt);
            const lost = { None: [], SinceGood: unconfirmed, All: [...written.keys()] }[one.doubt];
            for (const epoch of lost) written.set(epoch, false);
          } else {
            checks = goodCheck(resumedChecks(checks, "None"), before, "");
            unconfirmed = [];
          }
        }
        checks = resumedChecks(checks, "None");
        for (const [epoch, isSure] of written) if (!isSure) expect(isDoubted(checks, epoch)).toBe(true);
        expect(isDoubted(checks, checks.epoch)).toBe(false);
        expect(checks.doubted.length).toBeLessThanOrEqual(20);
      }),
    );
  });

  it("stays believed when a drift concerns Dataverse alone, and but for the last minute when nothing is lost for sure", () => {
    const first = goodCheck(begunCheck(undefined, 100), 0, "a");
    const second = goodCheck(begunCheck(first, 0), first.epoch, "a");
    const third = begunCheck(second, 0);
    expect(resumedChecks(drifted(third, "None"), "None").doubted).toEqual([]);
    const resumed = resumedChecks(drifted(third, "SinceGood"), "None");
    expect([100, 101, 102, 103].map((epoch) => isDoubted(resumed, epoch))).toEqual([false, true, true, false]);
    expect(isDoubted(resumedChecks(drifted(third, "All"), "None"), 0)).toBe(true);
  });

  it("is not what is answered after its plan is over", () => {
    const trust = new HashTrust({ epoch: 5, good: 4, doubted: [[1, 2]] });
    expect([trust.stamp(), trust.believes(2), trust.believes(3)]).toEqual([5, false, true]);
    trust.end();
    expect([trust.stamp(), trust.believes(3)]).toEqual([undefined, false]);
  });
});
