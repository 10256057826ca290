import { describe, expect, it } from "vitest";
import { CheckRequests } from "../../../../src/worker/engine/check-requests.ts";
import type { MappingState } from "../../../../src/worker/engine/context.ts";
import { HashTrust } from "../../../../src/worker/engine/hash-trust.ts";
import { Health } from "../../../../src/worker/engine/health.ts";
import { RateMeter } from "../../../../src/worker/engine/rate-meter.ts";
import {
  isMoving,
  nothingFitted,
  notReadyReason,
  uncompared,
  workerStatus,
} from "../../../../src/worker/engine/status.ts";
import { WaveGuard } from "../../../../src/worker/engine/wave-guard.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { TestClock } from "./test-clock.ts";

const pause = { reason: "MassDeletion", message: "200 records would go", since: 0 };
const block = { reason: "ColumnMissing", message: "there is no firstname" };

function mapping(changes: Partial<Pick<MappingState, "block">> & { pause?: typeof pause } = {}): MappingState {
  const wave = new WaveGuard(1, () => {});
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

  it("is that nothing was fitted yet, with what the last look met; one that was is enough, and a paused one does not count", () => {
    const waits = { name: "contact", ran: false, isPaused: false };
    const account = { ...waits, name: "account" };
    expect(nothingFitted([waits])?.message).toBe(
      "asks the systems what they know of contact, to compare it with the mapping",
    );
    expect(nothingFitted([waits, { ...account, lookFailure: "Dataverse: timed out" }])).toEqual({
      reason: "Starting",
      message:
        "asks the systems what they know of contact and 1 more, to compare it with the mapping; the last try: Dataverse: timed out",
    });
    expect(nothingFitted([waits, { ...account, ran: true }])).toBeUndefined();
    expect(nothingFitted([{ ...account, ran: true, isPaused: true }, waits])).toBeDefined();
    expect(nothingFitted([{ ...account, isPaused: true }])).toBeUndefined();
  });

  it("names the mappings that no look has compared", () => {
    const contact = { name: "contact", ran: true, isPaused: false };
    const account = { name: "account", ran: false, isPaused: false };
    expect(uncompared([contact, account])).toEqual({ uncompared: ["account"] });
    expect(uncompared([contact, { ...account, isPaused: true }])).toEqual({});
  });

  it("is not a service's wish to be left alone, for as long as its limits may keep it so", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    const throttled = () =>
      health
        .observe("Campaign", () =>
          Promise.reject(
            new CampaignError("429", { code: "Throttled", outcome: "Refused", status: 429, retryAfterSeconds: 120 }),
          ),
        )
        .catch(() => {});
    await throttled();
    await health.observe("Dataverse", async () => 1);
    // It has never answered anything else.
    expect(reasonOf([mapping()], health)).toBe("NoAnswer");
    await health.observe("Campaign", async () => 1);
    const passes = async (seconds: number) => {
      await clock.step(seconds * 1000);
      await health.observe("Dataverse", async () => 1);
    };
    for (let refusals = 0; refusals < 3; refusals++) {
      await throttled();
      expect(reasonOf([mapping()], health)).toBeUndefined();
      await passes(119);
    }
    expect(reasonOf([mapping()], health)).toBeUndefined();
    await throttled();
    await passes(4);
    expect(notReadyReason([mapping()], health, 60_000)).toMatchObject({
      reason: "NoAnswer",
      message: expect.stringContaining("Campaign did not answer within 60 s: 429"),
    });
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

describe("a mapping's line in status", () => {
  const lines = (...states: readonly MappingState[]) =>
    workerStatus(states, new Map(), { notReady: undefined, now: 0, settings: { mostParkedRecords: 1 } }).mappings;

  it("says why it is paused, in a word and a sentence, whoever else runs", () => {
    const wave = mapping();
    wave.wave.refused("A", "told of A");
    expect(lines(mapping({ pause }), mapping({ block }), wave, mapping())).toMatchObject([
      { phase: "Paused", reason: "MassDeletion", message: "200 records would go" },
      { phase: "Paused", reason: "ColumnMissing", message: "there is no firstname" },
      { phase: "Paused", reason: "RefusalWave", message: expect.stringContaining("told of A") },
      { phase: "Incremental" },
    ]);
    expect(lines(mapping())[0]).not.toHaveProperty("reason");
    const [long] = lines(mapping({ block: { reason: "ColumnMissing", message: "x".repeat(3000) } }));
    expect(long?.message).toHaveLength(1024);
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
