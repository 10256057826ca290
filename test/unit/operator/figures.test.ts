import { describe, expect, test } from "vitest";
import { statusChange } from "../../../src/operator/status/status-patch.ts";
import { looks, running, stopped } from "./moments.ts";
import { seconds } from "./scene.ts";
import type { World } from "./world.ts";

describe("figures", () => {
  const poll = (world: World, backlog: number): void => {
    const run = world.status.appliedRevision?.run ?? 0;
    world.operator.memory = {
      ...world.operator.memory,
      poll: { run, atMs: world.api.nowMs, status: { backlog, mappings: [], schemaDrift: [] } },
    };
  };
  test("a backlog that nobody told of is absent, and not 0", () => {
    expect(running().status).not.toHaveProperty("backlog");
  });
  test("the time of a poll moves only with another change", () => {
    const world = running();
    poll(world, 5);
    looks(world);
    const { backlogObservedAt } = world.status;
    world.advance(30 * seconds);
    poll(world, 5);
    expect(world.operator.look()).toBe(false);
    poll(world, 4);
    looks(world);
    expect(world.status.backlogObservedAt).not.toBe(backlogObservedAt);
  });
  test("a stop whose last words were not heard leaves the last poll, as an estimate, also in the next look", () => {
    const world = running();
    poll(world, 5);
    stopped(world);
    expect(world.status).toMatchObject({ backlog: 5, backlogEstimated: true });
    world.operator.crash();
    world.settle();
    expect(world.status).toMatchObject({ backlog: 5, backlogEstimated: true });
  });
  test("a pace is told of what runs; how far a reading is stays on show", () => {
    const world = running();
    const run = world.status.appliedRevision?.run ?? 0;
    const reading = { read: 5000, estimatedTotal: 8000 };
    const contact = { name: "contact", phase: "Replay", reading, recordsPerSecond: 20, secondsToDrain: 400 };
    const status = { backlog: 5, mappings: [contact, { name: "account" }], schemaDrift: [] };
    world.operator.memory = { ...world.operator.memory, poll: { run, atMs: world.api.nowMs, status } };
    looks(world);
    expect(world.status.mappings).toEqual(status.mappings);
    stopped(world);
    expect(world.status.mappings).toEqual([{ name: "contact", phase: "Replay", reading }, { name: "account" }]);
  });
  test("figures alone are a change of counters; a phase is not", () => {
    const before = {
      state: "RUNNING",
      backlog: 1,
      mappings: [{ name: "contact", phase: "Snapshot", written: 1 }],
    } as const;
    const mappings = (phase: string, writtenRecords: number) => ({
      ...before,
      mappings: [{ name: "contact", phase, written: writtenRecords, recordsPerSecond: writtenRecords }],
    });
    expect(statusChange({ ...mappings("Snapshot", 1) }, { ...mappings("Snapshot", 2), backlog: 2 })).toBe("counters");
    expect(statusChange({ ...mappings("Snapshot", 1) }, { ...mappings("Incremental", 1) })).toBe("state");
  });
});
