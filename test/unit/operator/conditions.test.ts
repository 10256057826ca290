import { describe, expect, test } from "vitest";
import { failing, looks, running } from "./moments.ts";
import { minutes, seconds } from "./scene.ts";
import { World } from "./world.ts";

describe("conditions are the table of the contract", () => {
  const table = (world: World): string =>
    ["Ready", "Running", "Reconciling", "Stalled"].map((type) => world.condition(type)?.status).join(" ");

  test("STOPPED: ready, not running, not reconciling, not stalled", () => {
    const world = new World();
    looks(world);
    expect([world.status.state, table(world), world.condition("Ready")?.reason]).toEqual([
      "STOPPED",
      "True False False False",
      "Stopped",
    ]);
  });
  test("STARTING: reconciling", () => {
    const world = new World({ state: "Running" });
    looks(world);
    expect([world.status.state, table(world), world.condition("Ready")?.reason]).toEqual([
      "STARTING",
      "False False True False",
      "Starting",
    ]);
  });
  test("RUNNING: ready and running", () => {
    const world = running();
    expect([table(world), world.condition("Ready")?.reason]).toEqual(["True True False False", "Running"]);
  });
  test("STARTING after it ran: Recovering, and only after 60 s without a ready pod", () => {
    const world = running();
    world.kubelets("unready");
    world.operator.catchUp();
    looks(world);
    expect(world.status.state).toBe("RUNNING");
    world.advance(59 * seconds);
    looks(world);
    expect(world.status.state).toBe("RUNNING");
    world.advance(1 * seconds);
    looks(world);
    expect([world.status.state, table(world), world.condition("Ready")?.reason]).toEqual([
      "STARTING",
      "False False True False",
      "Recovering",
    ]);
    world.advance(60 * minutes);
    looks(world);
    expect(world.status.state).toBe("STARTING");
  });
  test("FAILED: stalled, with the reason", () => {
    const world = running();
    world.kubelets("giveUp");
    world.operator.catchUp();
    looks(world);
    expect([world.status.state, table(world), world.condition("Ready")?.reason]).toEqual([
      "FAILED",
      "False False False True",
      "CredentialsRejected",
    ]);
    expect(world.status.failure).toMatchObject({
      reason: "CredentialsRejected",
      message: "Secret dynamics, key clientSecret",
    });
  });
  test.each([
    ["RUNNING", (world: World) => world],
    ["FAILED", failing],
  ])("while stopping, %s stays the last word until the last process has ended", (word, bring) => {
    const world = bring(running());
    world.edit({ state: "Stopped" });
    world.operator.catchUp();
    looks(world);
    world.controllers();
    world.operator.catchUp();
    looks(world);
    expect([world.status.state, table(world), world.condition("Ready")?.reason]).toEqual([
      word,
      "False False True False",
      "Stopping",
    ]);
    world.settle();
    expect([world.status.state, world.status.failure]).toEqual(["STOPPED", undefined]);
  });
  test("an edit of a running workflow changes none of them, and RestartRequired stands beside", () => {
    const world = running();
    const before = table(world);
    world.editMapping(false);
    world.settle();
    expect([table(world), world.condition("RestartRequired")?.status]).toEqual([before, "True"]);
    expect(world.status.conditions?.map(({ observedGeneration }) => observedGeneration)).toEqual([2, 2, 2, 2, 2]);
  });
  test("lastTransitionTime moves only with the condition's status", () => {
    const world = running();
    const before = world.condition("Ready")?.lastTransitionTime;
    world.advance(10 * minutes);
    world.editMapping(false);
    world.settle();
    expect(world.condition("Ready")?.lastTransitionTime).toBe(before);
    expect(world.condition("RestartRequired")?.lastTransitionTime).not.toBe(before);
  });
});
