import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, Health } from "../../../../src/worker/engine/health.ts";
import { engineSettings, inferredLimit } from "../../../../src/worker/engine/settings.ts";
import { WaveGuard } from "../../../../src/worker/engine/wave-guard.ts";
import { CampaignError, DataverseError } from "../../../../src/worker/http/service-error.ts";
import { TestClock } from "./test-clock.ts";

describe("the guard against waves of refusals", () => {
  it("buries up to the limit, then holds, until one is written", () => {
    const told: unknown[] = [];
    const guard = new WaveGuard(3, (wave) => told.push(wave));
    expect([1, 2, 3, 4].map(() => guard.refused("A", "told of A"))).toEqual(["Bury", "Bury", "Hold", "Hold"]);
    expect(guard.wave).toBe("told of A");
    guard.over();
    guard.over();
    expect(guard.refused("A", "told of A")).toBe("Bury");
    expect(told, "told when it begins, and when it is over").toEqual(["told of A", undefined]);
  });

  it("is over when something else is refused", () => {
    const told: unknown[] = [];
    const guard = new WaveGuard(2, (wave) => told.push(wave));
    expect(["A", "A", "B", "B"].map((cause) => guard.refused(cause, cause))).toEqual(["Bury", "Hold", "Bury", "Hold"]);
    expect(told).toEqual(["A", undefined, "B"]);
  });

  it("does not take different causes for a wave", () => {
    const guard = new WaveGuard(3, () => {});
    expect(["A", "A", "B", "A", "A"].map((cause) => guard.refused(cause, ""))).not.toContain("Hold");
  });
});

describe("the health of a service", () => {
  const outage = new DataverseError("away", { code: "Outage", outcome: "Unknown" });
  const refusal = new CampaignError("no", { code: "Refused", outcome: "Refused" });
  const fail = (health: Health, error: Error) =>
    health.observe("Campaign", () => Promise.reject(error)).catch(() => {});

  it("is silent until it answered, and again when its last answer is too old", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    expect(health.silent(60_000)).toHaveLength(2);
    await health.observe("Campaign", async () => 1);
    expect(health.silent(60_000).map(({ service }) => service)).toEqual(["Dataverse"]);
    await clock.until(() => clock.now() > 61_000, 100_000);
    expect(health.silent(60_000)).toHaveLength(2);
  });

  it("a refusal is an answer, an outage is none, and some outages in a row mean that it is down", async () => {
    const health = new Health(new TestClock());
    await fail(health, outage);
    expect(health.answeredWithin("Campaign", 60_000)).toBe(false);
    await fail(health, refusal);
    expect(health.answeredWithin("Campaign", 60_000)).toBe(true);
    for (let n = 0; n < 3; n++) await fail(health, outage);
    expect(health.isDown("Campaign")).toBe(true);
    expect(health.isDown("Dataverse")).toBe(false);
  });

  it("is left alone for its pause, and not a moment longer than until it answers another call", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    const { signal } = new AbortController();
    for (let n = 0; n < 20; n++) await fail(health, outage);
    const begins = clock.now();
    const ends: number[] = [];
    const pause = () => health.pause("Campaign", 1, signal).then(() => ends.push(clock.now() - begins));
    void pause();
    await clock.until(() => ends.length === 1, 60_000);
    expect(ends).toEqual([30_000]);
    void pause();
    await clock.until(() => clock.now() - begins >= 34_000, 60_000);
    await health.observe("Dataverse", async () => 1);
    await clock.step();
    expect(ends).toHaveLength(1);
    await health.observe("Campaign", async () => 1);
    await clock.until(() => ends.length === 2, 1000);
    expect(ends[1]).toBeLessThan(36_000);
    // Nothing is left of the answer for the pause after it.
    for (let n = 0; n < 20; n++) await fail(health, outage);
    void pause();
    await clock.step();
    expect(ends).toHaveLength(2);
  });
});

it("a pause grows with every failure, at most to half a minute, and is never nothing after one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const pause = backoffMs(failures, random);
      expect(pause).toBeGreaterThanOrEqual(250);
      expect(pause).toBeLessThanOrEqual(30_000);
      expect(backoffMs(failures + 1, random)).toBeGreaterThanOrEqual(pause);
    }),
  );
});

describe("the engine's figures", () => {
  const input = { engineCallsPerSecond: 20, sharePercent: 100, mappings: 1, callTimeoutSeconds: 60 };

  it("a lease outlives a call by a minute", () => {
    expect(engineSettings(input).leaseMs).toBe(120_000);
  });

  it("asking for changes takes at most a fifth of what Dataverse grants, whatever the share and the mappings", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 100 }), (mappings, sharePercent) => {
        const { pollIntervalMs } = engineSettings({ ...input, mappings, sharePercent });
        expect((mappings * 1000) / pollIntervalMs).toBeLessThanOrEqual((20 * sharePercent) / 100 / 5 + 0.001);
      }),
    );
  });

  it("checks that refusals ask for take at most a fifth of Campaign's calls, however few those are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 100 }), (mappings, calls) => {
        const { freshCheckMs, checkIntervalMs } = engineSettings({ ...input, mappings, engineCallsPerSecond: calls });
        expect((mappings * 1000) / freshCheckMs).toBeLessThanOrEqual(calls / 5 + 0.001);
        expect(freshCheckMs).toBeLessThanOrEqual(checkIntervalMs);
      }),
    );
  });

  it("inferred deletions are let go up to 5 % of what was written, and up to 100 of a few", () => {
    const settings = engineSettings(input);
    expect(inferredLimit(settings, 0)).toBe(100);
    expect(inferredLimit(settings, 10_000)).toBe(500);
  });
});
