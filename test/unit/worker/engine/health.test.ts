import { describe, expect, test } from "vitest";
import { Health } from "../../../../src/worker/engine/health.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { TestClock } from "./test-clock.ts";

const forGood = new AbortController().signal;

async function downFor(health: Health, failures: number): Promise<void> {
  for (let n = 0; n < failures; n += 1) {
    const fails = health.observe("Campaign", () =>
      Promise.reject(new CampaignError("gone", { code: "Unreachable", outcome: "NotSent" })),
    );
    await expect(fails).rejects.toThrow("gone");
  }
}

function waiting(health: Health, clock: TestClock): { overAt: number | undefined } {
  const wait: { overAt: number | undefined } = { overAt: undefined };
  void health.pauseAll(["Dataverse", "Campaign"], 1, forGood).then(() => {
    wait.overAt = clock.now();
  });
  return wait;
}

describe("the wait before a question that found no answer is asked again", () => {
  test("grows to half a minute while nothing answers", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    await downFor(health, 20);
    const wait = waiting(health, clock);
    await clock.until(() => wait.overAt !== undefined, 60_000);
    expect(wait.overAt).toBe(30_500);
  });

  test("ends as soon as the service answers somebody else", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    await downFor(health, 20);
    const wait = waiting(health, clock);
    for (let n = 0; n < 3; n += 1) await clock.step();
    expect(wait.overAt).toBe(undefined);
    const answeredAt = clock.now();
    await health.observe("Campaign", async () => "an answer");
    await clock.until(() => wait.overAt !== undefined, 60_000);
    expect(wait.overAt).toBeLessThanOrEqual(answeredAt + 1000);
  });

  test("is half a second at least, also when others are answered", async () => {
    const clock = new TestClock();
    const health = new Health(clock);
    const wait = waiting(health, clock);
    await clock.until(() => wait.overAt !== undefined, 60_000);
    expect(wait.overAt).toBe(500);
  });
});
