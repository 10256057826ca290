import { describe, expect, it } from "vitest";
import { CheckRequests } from "../../../../src/worker/engine/check-requests.ts";
import type { MappingState } from "../../../../src/worker/engine/context.ts";
import { HashTrust } from "../../../../src/worker/engine/hash-trust.ts";
import { Health } from "../../../../src/worker/engine/health.ts";
import { RateMeter } from "../../../../src/worker/engine/rate-meter.ts";
import { isMoving, notReadyReason, workerStatus } from "../../../../src/worker/engine/status.ts";
import { WaveGuard } from "../../../../src/worker/engine/wave-guard.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { TestClock } from "./test-clock.ts";

const pause = { reason: "MassDeletion", message: "200 records would go", since: 0 };
const block = { reason: "ColumnMissing", message: "there is no firstname" };

function mapping(changes: Partial<Pick<MappingState, "block">> & { pause?: typeof pause } = {}): MappingState {
  const wave = new WaveGuard(1);
  return {
    mapping: { table: "contact" } as MappingState["mapping"], // Its name is all that is asked for.
    checkpoint: {
      mapping: "contact",
      mappingHash: "h",
      generation: 1,
      ...(changes.pause === undefined ? {} : { pause: changes.pause }),
    },
    reading: undefined,
    plan: undefined,
    block: changes.block,
    trust: new HashTrust(),
    requests: new CheckRequests(),
    ran: true,
    wave,
    suspendedUntil: 0,
    speed: { written: new RateMeter(), done: new RateMeter() },
  };
}

describe("why a worker is not ready", () => {
  const silence = new Health(new TestClock());
  const reasonOf = (states: readonly MappingState[], health: Health) => notReadyReason(states, health, 60_000)?.reason;

  it("is the pause of its mappings, whoever is silent: nobody asks a system for a mapping that stands still", () => {
    expect(reasonOf([mapping({ pause })], silence)).toBe("MassDeletion");
    expect(reasonOf([mapping({ block })], silence)).toBe("ColumnMissing");
    expect(reasonOf([mapping({ pause }), mapping({ block })], silence)).toBe("MassDeletion");
  });

  it("is the silence when a mapping wants to run", () => {
    expect(reasonOf([mapping({ pause }), mapping()], silence)).toBe("NoAnswer");
  });

  it("is the silence during a wave of refusals, for the reader goes on", async () => {
    const state = mapping();
    state.wave.refused("A", "told of A");
    expect(reasonOf([state], silence)).toBe("NoAnswer");
    const health = new Health(new TestClock());
    const refusal = new CampaignError("no", { code: "Refused", outcome: "Refused" });
    await health.observe("Dataverse", async () => 1);
    await health.observe("Campaign", () => Promise.reject(refusal)).catch(() => {});
    expect(reasonOf([state], health)).toBe("RefusalWave");
  });
});

describe("when everything is written", () => {
  const told = (pending: number, parked: number, donePerSecond: number) => {
    const state = mapping();
    state.speed.done.add(donePerSecond * 10, 0);
    const counts = { pending, parked, dead: 0, written: 0, totalRead: 0, totalWritten: 0 };
    const ground = { notReady: undefined, now: 10_000, settings: { mostParkedRecords: 45_000 } };
    const [status] = workerStatus([state], new Map([["contact", counts]]), ground).mappings;
    return status;
  };

  it("is told by what waits and the pace; 0 when nothing is left, and by nobody who cannot tell", () => {
    expect(told(1000, 0, 20)?.secondsToDrain).toBe(50);
    expect(told(0, 0, 0)?.secondsToDrain).toBe(0);
    expect(told(1000, 0, 0)).not.toHaveProperty("secondsToDrain");
  });

  it("is another record's affair when all that is left waits for it, and then nothing moves", () => {
    const status = told(7, 7, 20);
    expect(status).toMatchObject({ backlog: 7, parked: 7 });
    expect(status).not.toHaveProperty("secondsToDrain");
    expect(status !== undefined && isMoving(status)).toBe(false);
    expect(told(8, 7, 20)?.secondsToDrain).toBe(1);
    expect(told(8, 0, 20)).not.toHaveProperty("parked");
  });
});
