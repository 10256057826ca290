import { describe, expect, test } from "vitest";
import { runsAnnotation, writeRecord } from "../../../src/api/run-record.ts";
import { looks, running, stopped } from "./moments.ts";
import type { World } from "./world.ts";

/** Runs with another grace period each, so that each has a pin of its own. @returns the pins' names, oldest first */
function grown(world: World, ...graces: readonly number[]): string[] {
  const names = [world.status.appliedRevision?.name ?? ""];
  for (const grace of graces) {
    const { worker } = world.workflow.spec;
    world.edit({ worker: { ...worker, terminationGracePeriodSeconds: grace }, restart: `r${grace}` });
    world.settle();
    names.push(world.status.appliedRevision?.name ?? "");
  }
  return names;
}

function deleteDeployment(world: World): void {
  world.api.remove("Deployment", "contacts");
  world.controllers();
}

describe("a Deployment that was deleted", () => {
  test.each(["while the operator looks", "while no operator runs"])("%s takes no earlier revision with it", (when) => {
    const world = running();
    const names = grown(world, 61, 62);
    if (when === "while no operator runs") world.operator.crash();
    deleteDeployment(world);
    world.settle();
    expect(world.status).toMatchObject({ state: "RUNNING", appliedRevision: { name: names[2], run: 3 } });
    expect([...world.api.stored.ConfigMap.keys()].sort()).toEqual([...names].sort());
    // Nor does the next start, or the look after it.
    const [latest] = grown(world, 63).slice(-1);
    expect([...world.api.stored.ConfigMap.keys()].sort()).toEqual([...names, latest].sort());
  });
  test("while the operator looks, it is made again with the whole record of runs", () => {
    const world = running();
    grown(world, 61, 62);
    const { record } = world;
    deleteDeployment(world);
    world.settle();
    expect(world.record).toEqual(record);
  });
  test("while an old status was written back, is made again for the run that was, if the operator has seen it", () => {
    const world = running();
    const old = world.status;
    const names = grown(world, 61);
    world.edit({ worker: { ...world.workflow.spec.worker, terminationGracePeriodSeconds: 62 } });
    world.settle();
    world.api.put("Workflow", { ...world.workflow, status: old });
    deleteDeployment(world);
    world.settle();
    expect(world.status).toMatchObject({
      state: "RUNNING",
      pendingRestart: true,
      appliedRevision: { name: names[1], run: 2 },
    });
  });
  test("never overlaps with pods of another run, even when an old status is all that is known", () => {
    const world = running();
    const old = world.status;
    stopped(world);
    world.edit({ state: "Running" });
    world.settle();
    world.operator.crash();
    world.api.put("Workflow", { ...world.workflow, status: old });
    world.api.remove("Deployment", "contacts");
    world.controllers();
    world.operator.catchUp();
    looks(world);
    expect(world.pods.map(({ run }) => run)).toEqual([2]);
    expect(world.deployment).toBeUndefined();
    world.settle();
    expect(world.status.state).toBe("RUNNING");
  });
});

describe("an old state that somebody restores", () => {
  test("of the Deployment: the run that status tells of goes on, and no edit gets in", () => {
    const world = running();
    const old = world.deployment;
    const { runs: oldRuns = [] } = world.record ?? {};
    const names = grown(world, 61);
    const { template } = world.deployment?.spec ?? {};
    world.edit({ worker: { ...world.workflow.spec.worker, terminationGracePeriodSeconds: 62 } });
    world.settle();
    for (const active of [true, false]) {
      world.operator.crash();
      const { deployment } = world;
      if (deployment === undefined || old === undefined) throw new Error("no Deployment");
      const annotations = { [runsAnnotation]: writeRecord({ active, runs: oldRuns }) };
      const { generation = 0 } = deployment.metadata;
      const metadata = { ...deployment.metadata, annotations, generation: generation + 1 };
      world.api.put("Deployment", { ...deployment, metadata, spec: { ...old.spec, replicas: active ? 1 : 0 } });
      world.settle();
      expect(world.deployment?.spec.template).toEqual(template);
      expect(world.status).toMatchObject({ pendingRestart: true, appliedRevision: { name: names[1], run: 2 } });
    }
  });
  test("of status, while it runs: everything is told as it is again", () => {
    const world = running();
    const old = world.status;
    stopped(world);
    const before = world.status;
    world.edit({ state: "Running" });
    world.settle();
    for (const status of [old, before, {}]) {
      const { template } = world.deployment?.spec ?? {};
      world.edit({ worker: { ...world.workflow.spec.worker, terminationGracePeriodSeconds: 77 } });
      world.settle();
      world.api.put("Workflow", { ...world.workflow, status });
      world.settle();
      expect(world.deployment?.spec.template).toEqual(template);
      expect(world.status).toMatchObject({ state: "RUNNING", pendingRestart: true, appliedRevision: { run: 2 } });
    }
  });
  test("of status, on a resource that was made anew: it is started as its spec says, from run 1", () => {
    const world = running();
    grown(world, 61);
    const old = world.status;
    const { metadata, ...rest } = world.workflow;
    world.advance(60_000);
    world.api.put("Workflow", {
      ...rest,
      status: old,
      metadata: { ...metadata, ...world.api.newMetadata("contacts"), generation: 1 },
    });
    world.operator.crash();
    world.settle();
    expect(world.status).toMatchObject({ state: "RUNNING", pendingRestart: false, appliedRevision: { run: 1 } });
    expect(world.record?.runs).toHaveLength(1);
  });
});

describe("the pin of a run", () => {
  test.each([
    ["somebody else's", {}, "NameConflict"],
    ["being deleted", { deletionTimestamp: "2026-11-21T10:00:00Z", isOwn: true }, undefined],
  ])("whose name an object has that is %s: it is told, and not written again and again", (_what, made, reason) => {
    const world = running();
    const name = world.status.appliedRevision?.name ?? "";
    const pin = world.api.stored.ConfigMap.get(name);
    if (pin === undefined) throw new Error("no pin");
    const { ownerReferences = [], ...metadata } = pin.metadata;
    const { isOwn, ...more } = { isOwn: false, ...made };
    const taken = { ...metadata, uid: "another", ...(isOwn ? { ownerReferences } : {}), ...more };
    world.api.put("ConfigMap", { ...pin, metadata: taken });
    world.operator.catchUp();
    looks(world);
    if (reason !== undefined) expect(world.status).toMatchObject({ state: "FAILED", failure: { reason } });
    else expect(world.status.state).toBe("RUNNING");
    const { writes } = world.api;
    expect(world.operator.look()).toBe(false);
    expect(world.api.writes).toBe(writes);
    expect(world.pods).toHaveLength(1);
    world.api.remove("ConfigMap", name);
    world.settle();
    expect(world.status.state).toBe("RUNNING");
    expect(world.api.stored.ConfigMap.get(name)?.content).toEqual(pin.content);
  });
  test("when it is lost after a stop, a queue with records in it is not moved either", () => {
    const world = running();
    stopped(world);
    world.api.put("Workflow", { ...world.workflow, status: { ...world.status, backlog: 5 } });
    world.api.remove("ConfigMap", world.status.appliedRevision?.name ?? "");
    world.operator.crash();
    const volume = { size: "1Gi", storageClassName: "fast", accessMode: "ReadWriteOnce", whenDeleted: "Retain" };
    world.edit({ state: "Running", queue: { deadLetterRetentionDays: 30, volume } });
    world.operator.catchUp();
    looks(world);
    expect(world.status).toMatchObject({ state: "FAILED", failure: { reason: "QueueNotEmpty" } });
  });
});
