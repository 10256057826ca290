import { describe, expect, test } from "vitest";
import { decide } from "../../../src/operator/decide/decide.ts";
import type { Snapshot } from "../../../src/operator/sight/snapshot.ts";
import { looks, running, stopped } from "./moments.ts";
import { World } from "./world.ts";

describe("whose objects", () => {
  const deletedAndMadeAgain = (world: World): void => {
    const { metadata, ...rest } = world.workflow;
    world.api.put("Workflow", {
      ...rest,
      status: {},
      metadata: { ...metadata, ...world.api.newMetadata("contacts"), generation: 1 },
    });
    world.operator.crash();
  };
  test("those of an earlier workflow of this name are waited for, and its claim is taken over", () => {
    const world = running();
    const claim = [...world.api.stored.PersistentVolumeClaim.values()][0]?.metadata.uid;
    deletedAndMadeAgain(world);
    looks(world);
    expect(world.status.state).toBe("STARTING");
    expect(world.condition("Ready")?.message).toBe(
      "Waiting for Deployment contacts to go: it belongs to an earlier workflow of this name",
    );
    world.settle();
    expect(world.status).toMatchObject({ state: "RUNNING", appliedRevision: { run: 1 } });
    expect([...world.api.stored.PersistentVolumeClaim.values()].map(({ metadata }) => metadata.uid)).toEqual([claim]);
  });
  test("a start that failed for what is mended tells what it waits for now, and has failed until it begins", () => {
    const world = new World({ state: "Stopped" });
    world.settle();
    const metadata = world.api.newMetadata("contacts-worker");
    world.api.put("NetworkPolicy", { metadata, spec: {} });
    world.edit({ state: "Running" });
    world.operator.catchUp();
    looks(world);
    expect(world.status).toMatchObject({ state: "FAILED", failure: { reason: "NameConflict" } });
    // Its owner deletes it, and a finalizer keeps it for a while.
    world.api.put("NetworkPolicy", { metadata: { ...metadata, deletionTimestamp: "2026-11-21T10:00:00Z" }, spec: {} });
    world.operator.catchUp();
    looks(world);
    const message = "Waiting for NetworkPolicy contacts-worker to go: it is being deleted";
    expect(world.status).toMatchObject({ state: "FAILED", failure: { reason: "NameConflict", message } });
    world.api.remove("NetworkPolicy", "contacts-worker");
    world.settle();
    expect(world.status.state).toBe("RUNNING");
  });
  test("a workflow that is being deleted is left alone", () => {
    const world = running();
    const planned = world.operator.plan();
    const { workflow } = world;
    const ending = {
      ...workflow,
      spec: { ...workflow.spec, state: "Stopped" },
      metadata: { ...workflow.metadata, deletionTimestamp: "2026-11-21T10:00:00Z" },
    } as const;
    const plan = decide({ ...(planned?.snapshot as Snapshot), workflow: ending });
    expect(plan).toMatchObject({ writes: [], status: undefined, notes: [] });
  });
  test("stray pods with the workflow's label hold back the start, and are named", () => {
    const world = running();
    stopped(world);
    const stray = world.api.newMetadata("stray", { labels: { "integrationworkflow.io/workflow": "contacts" } });
    world.api.put("Pod", {
      metadata: stray,
      run: undefined,
      phase: "Running",
      node: "node-9",
      address: undefined,
      readySinceMs: undefined,
      unschedulable: undefined,
      worker: undefined,
      template: "",
    });
    world.edit({ state: "Running" });
    world.operator.catchUp();
    looks(world);
    expect(world.status).toMatchObject({ state: "STARTING", appliedRevision: { run: 1 } });
    expect(world.condition("Ready")?.message).toMatch(
      /Waiting for pod stray on node node-9.*kubectl delete pod -n crm stray/,
    );
    world.api.remove("Pod", "stray");
    world.settle();
    expect(world.status.appliedRevision?.run).toBe(2);
  });
});

describe("moving the queue", () => {
  const other = {
    queue: {
      deadLetterRetentionDays: 30,
      volume: { size: "1Gi", storageClassName: "fast", accessMode: "ReadWriteOnce", whenDeleted: "Retain" },
    },
  };
  const withBacklog = (backlog: number): World => {
    const world = running();
    const run = 1;
    world.operator.memory = {
      ...world.operator.memory,
      poll: { run, atMs: world.api.nowMs, status: { backlog, mappings: [], schemaDrift: [] } },
    };
    looks(world);
    world.lastWords = JSON.stringify({ reason: "Stopped", message: "", backlog });
    stopped(world);
    expect(world.status).toMatchObject({ backlog, backlogEstimated: false });
    return world;
  };
  test("while records wait in it, the start is refused, with the ways out", () => {
    const world = withBacklog(7);
    world.edit({ ...other, state: "Running" });
    world.operator.catchUp();
    looks(world);
    expect(world.status.failure).toMatchObject({
      reason: "QueueNotEmpty",
      message: expect.stringContaining("deleting PersistentVolumeClaim contacts-queue"),
    });
    world.edit({ queue: { deadLetterRetentionDays: 30 } });
    world.settle();
    expect(world.status.state).toBe("RUNNING");
  });
  test("when it is empty, a claim of the other class is made beside the first, which stays", () => {
    const world = withBacklog(0);
    world.edit({ ...other, state: "Running" });
    world.settle();
    expect(world.status.state).toBe("RUNNING");
    const classes = [...world.api.stored.PersistentVolumeClaim.values()].map(({ metadata, storageClassName }) => [
      metadata.name,
      storageClassName,
    ]);
    expect(classes).toEqual([
      ["contacts-queue", "standard"],
      [expect.stringMatching(/^contacts-queue-[0-9a-f]{4}$/), "fast"],
    ]);
  });
  test("when its claim was deleted, what waited is given up", () => {
    const world = withBacklog(7);
    world.api.remove("PersistentVolumeClaim", "contacts-queue");
    world.edit({ ...other, state: "Running" });
    world.settle();
    expect(world.status.state).toBe("RUNNING");
  });
});

test("a claim grows at the next start, and never shrinks", () => {
  const world = running();
  const volume = { size: "2Gi", accessMode: "ReadWriteOnce", whenDeleted: "Retain" };
  world.edit({ queue: { deadLetterRetentionDays: 30, volume } });
  world.settle();
  expect(world.api.stored.PersistentVolumeClaim.get("contacts-queue")?.size).toBe("1Gi");
  world.edit({ restart: "grow" });
  world.settle();
  expect(world.api.stored.PersistentVolumeClaim.get("contacts-queue")?.size).toBe("2Gi");
});

test("a claim that may not grow keeps nothing from running, and is tried again after the next edit, not before", () => {
  const world = running();
  const size = () => world.api.stored.PersistentVolumeClaim.get("contacts-queue")?.size;
  const volume = { size: "2Gi", accessMode: "ReadWriteOnce", whenDeleted: "Retain" };
  world.api.refuses.add("PersistentVolumeClaim");
  world.edit({ queue: { deadLetterRetentionDays: 30, volume }, restart: "grow" });
  world.settle();
  expect([world.status.state, size()]).toEqual(["RUNNING", "1Gi"]);
  world.api.mend();
  const { attempts } = world.api;
  world.settle();
  expect(world.api.attempts).toBe(attempts);
  world.edit({ revisionHistoryLimit: 3 });
  world.settle();
  expect([world.status.state, size()]).toEqual(["RUNNING", "2Gi"]);
});
