import { describe, expect, test } from "vitest";
import type { MappingStatus, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import type { WorkerStatus } from "../../../src/api/worker-contract.ts";
import { statusChange } from "../../../src/operator/status/status-change.ts";
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
  test("a mapping that is paused while others run says why, with one Event when it begins and one when it is over", () => {
    const world = running();
    const says = (...mappings: MappingStatus[]) => {
      const run = world.status.appliedRevision?.run ?? 0;
      const status = { backlog: 0, mappings, schemaDrift: [] };
      world.operator.memory = { ...world.operator.memory, poll: { run, atMs: world.api.nowMs, status } };
      looks(world);
    };
    const told = () => world.operator.events.filter((reason) => /MassDeletion|RefusalWave|MappingResumed/.test(reason));
    const contact = { name: "contact", phase: "Incremental" };
    const account = { name: "account", phase: "Paused", reason: "MassDeletion", message: "200 records would go" };
    says(contact, account);
    expect(world.status).toMatchObject({ state: "RUNNING", mappings: [contact, account] });
    says({ ...contact, backlog: 3 }, { ...account, backlog: 5 });
    expect(told()).toEqual(["MassDeletion"]);
    says(contact, { ...account, reason: "RefusalWave" });
    says(contact, { name: "account", phase: "Incremental" });
    expect(told()).toEqual(["MassDeletion", "RefusalWave", "MappingResumed"]);
    expect(world.status.mappings?.[1]).toEqual({ name: "account", phase: "Incremental" });
    says(contact, account);
    stopped(world);
    expect(told()).toHaveLength(4);
  });
  test("of a schema nothing is told before every mapping was compared in this run", () => {
    const world = running();
    const says = (status: Pick<WorkerStatus, "schemaDrift" | "uncompared">) => {
      const run = world.status.appliedRevision?.run ?? 0;
      const poll = { run, atMs: world.api.nowMs, status: { backlog: 0, mappings: [], ...status } };
      world.operator.memory = { ...world.operator.memory, poll };
      looks(world);
    };
    const told = () => world.status.conditions?.find(({ type }) => type === "SchemaDrift")?.status;
    says({ schemaDrift: [], uncompared: ["account"] });
    expect(told()).toBeUndefined();
    says({ schemaDrift: [{ mapping: "contact", message: "column firstname is gone" }], uncompared: ["account"] });
    expect(told()).toBe("True");
    says({ schemaDrift: [] });
    expect(told()).toBe("False");
    says({ schemaDrift: [], uncompared: ["account"] });
    expect(told(), "a container that begins again").toBe("False");
    stopped(world);
    expect(told(), "how it last was").toBe("False");
    world.edit({ state: "Running" });
    world.settle();
    expect(told(), "another run").toBeUndefined();
    says({ schemaDrift: [] });
    expect(told()).toBe("False");
  });
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
  test("other words of a condition are a change of their own kind, figures or not; another reason is one of state", () => {
    const saying = (message: string, reason = "Starting", backlog = 1): WorkflowStatus => ({
      state: "STARTING",
      backlog,
      conditions: [
        {
          type: "Ready",
          status: "False",
          reason,
          message,
          observedGeneration: 1,
          lastTransitionTime: "2026-11-21T10:00:00Z",
        },
      ],
    });
    expect(statusChange(saying("no pod yet"), saying("a pod waits"))).toBe("words");
    expect(statusChange(saying("no pod yet"), saying("a pod waits", "Starting", 2))).toBe("words");
    expect(statusChange(saying("no pod yet"), saying("no pod yet", "Recovering"))).toBe("state");
    expect(statusChange(saying("no pod yet"), { ...saying("a pod waits"), state: "RUNNING" })).toBe("state");
  });
});
