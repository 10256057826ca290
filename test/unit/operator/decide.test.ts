import { describe, expect, test } from "vitest";
import { decide } from "../../../src/operator/decide.ts";
import { lookAt } from "../../../src/operator/look.ts";
import { digestOf } from "../../../src/operator/pin.ts";
import type { Snapshot } from "../../../src/operator/snapshot.ts";
import { statusChange } from "../../../src/operator/status-patch.ts";
import { minutes, policy, seconds } from "./scene.ts";
import { World } from "./world.ts";

function running(changes: object = {}): World {
  const world = new World({ state: "Running", ...changes });
  world.settle();
  expect(world.status.state).toBe("RUNNING");
  return world;
}

/** Looks until nothing is left to do, while nothing else moves. */
function looks(world: World): void {
  for (let count = 0; count < 8 && world.operator.look(); count += 1) world.operator.catchUp();
}

function stopped(world: World): void {
  world.edit({ state: "Stopped" });
  world.settle();
  expect(world.status.state).toBe("STOPPED");
}

function failing(world: World): World {
  world.kubelets("giveUp");
  world.operator.catchUp();
  looks(world);
  return world;
}

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

describe("an operator that was upgraded", () => {
  const upgraded = { ...policy, defaultWorkerImage: "registry.example/integration-workflow:2.0.0" };

  test("tells what a restart would change, warns nobody, and changes nothing that runs", () => {
    const world = running();
    const template = world.deployment?.spec.template;
    world.operator.crash();
    world.operator.policy = upgraded;
    world.settle();
    expect(world.deployment?.spec.template).toBe(template);
    expect(world.status).toMatchObject({ pendingRestart: false, pendingChangeCount: 1 });
    expect(world.status.pendingChanges).toEqual([
      {
        path: "deployment.template.spec.containers[name=worker].image",
        from: policy.defaultWorkerImage,
        to: upgraded.defaultWorkerImage,
        source: "Operator",
      },
    ]);
    expect(world.condition("RestartRequired")?.status).toBe("False");
  });
  test("brings its image with the next start", () => {
    const world = running();
    world.operator.policy = upgraded;
    world.edit({ restart: "upgrade" });
    world.settle();
    expect(world.deployment?.spec.template.spec?.containers[0]?.image).toBe(upgraded.defaultWorkerImage);
    expect(world.status).toMatchObject({ pendingChangeCount: 0, handledRestart: "upgrade" });
  });
});

describe("restart", () => {
  test("set while stopped, it is handled by the next start", () => {
    const world = new World({ restart: "early" });
    world.settle();
    expect(world.status.handledRestart).toBeUndefined();
    world.edit({ state: "Running" });
    world.settle();
    expect(world.status).toMatchObject({ handledRestart: "early", appliedRevision: { run: 1 } });
  });
  test("removed, it does nothing; given again, it does nothing either", () => {
    const world = running({ restart: "one" });
    const { restart, ...spec } = world.workflow.spec;
    world.setSpec(spec);
    world.settle();
    world.edit({ restart });
    world.settle();
    expect(world.status).toMatchObject({ handledRestart: "one", appliedRevision: { run: 1 } });
  });
  test("of a workflow that FAILED, it is a new run that begins with STARTING", () => {
    const world = running();
    world.kubelets("giveUp");
    world.operator.catchUp();
    looks(world);
    world.edit({ restart: "mended" });
    world.settle();
    expect(world.status.transitions?.slice(0, 3).map(({ to }) => to)).toEqual(["RUNNING", "STARTING", "FAILED"]);
  });
});

describe("revisions", () => {
  test("A, B, A: the pin of A is used again, and the record keeps the order", () => {
    const world = running();
    const first = world.status.appliedRevision?.name;
    world.editMapping(false);
    world.edit({ restart: "b" });
    world.settle();
    world.editMapping(true);
    world.edit({ restart: "a" });
    world.settle();
    expect(world.status.appliedRevision).toMatchObject({ name: first, run: 3 });
    expect(world.record?.runs.map(({ run, pin }) => [run, pin === first])).toEqual([
      [3, true],
      [2, false],
      [1, true],
    ]);
  });
  test("earlier pins are kept up to the limit, and the newest of them", () => {
    const world = running({ revisionHistoryLimit: 2 });
    const names: string[] = [];
    for (const seconds_ of [61, 62, 63, 64]) {
      names.push(world.status.appliedRevision?.name ?? "");
      world.edit({
        worker: { ...world.workflow.spec.worker, terminationGracePeriodSeconds: seconds_ },
        restart: `r${seconds_}`,
      });
      world.settle();
    }
    const kept = [...world.api.stored.ConfigMap.keys()].sort();
    expect(kept).toEqual([names[2], names[3], world.status.appliedRevision?.name].sort());
  });
  test("a pin whose content was exchanged under its name is not believed: it is replaced", () => {
    const world = running();
    const name = world.status.appliedRevision?.name ?? "";
    const pin = world.api.stored.ConfigMap.get(name);
    if (pin?.content === undefined) throw new Error("no pin");
    const forged = structuredClone(pin.content) as unknown as {
      deployment: { template: { spec: { containers: { image: string }[] } } };
    };
    const [worker] = forged.deployment.template.spec.containers;
    if (worker !== undefined) worker.image = "registry.example/evil:1";
    world.api.put("ConfigMap", { ...pin, content: forged as never, digest: digestOf(forged as never) });
    world.settle();
    expect(world.deployment?.spec.template.spec?.containers[0]?.image).toBe(policy.defaultWorkerImage);
    expect(world.api.stored.ConfigMap.get(name)?.content).toEqual(pin.content);
    expect(world.status.state).toBe("RUNNING");
  });
});

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
    const stray = world.api.newMetadata("stray", { labels: {} });
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
    world.operator.memory = {
      ...world.operator.memory,
      lastWords: {
        run,
        finishedAtMs: world.api.nowMs,
        graceful: true,
        words: { reason: "Stopped", message: "", backlog },
      },
    };
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
  test("figures alone are a change of counters; a phase is not", () => {
    const before = {
      state: "RUNNING",
      backlog: 1,
      mappings: [{ name: "contact", phase: "Snapshot", written: 1 }],
    } as const;
    const mappings = (phase: string, writtenRecords: number) => ({
      ...before,
      mappings: [{ name: "contact", phase, written: writtenRecords }],
    });
    expect(statusChange({ ...mappings("Snapshot", 1) }, { ...mappings("Snapshot", 2), backlog: 2 })).toBe("counters");
    expect(statusChange({ ...mappings("Snapshot", 1) }, { ...mappings("Incremental", 1) })).toBe("state");
  });
});

test("a pod that should have ended names itself, its node and what a person may do, when its time is over", () => {
  const world = running();
  world.edit({ restart: "now" });
  world.operator.catchUp();
  looks(world);
  for (let round = 0; round < 4; round += 1) {
    world.controllers();
    world.operator.catchUp();
    looks(world);
  }
  expect(world.condition("Ready")?.message).toMatch(/^Waiting for pod \S+ on node node-1 to end$/);
  const again = world.operator.plan()?.plan.lookAgainMs ?? 0;
  world.advance(again);
  looks(world);
  expect(world.condition("Ready")?.message).toMatch(/should have ended by .* --force --grace-period=0$/);
});

test.each([
  ["the end of a run", "Stopped"],
  ["the start of a run", "Running"],
] as const)("%s is decided on what the API server says, never on caches alone", (_sentence, state) => {
  const world = running();
  world.edit({ state: "Stopped" });
  world.operator.catchUp();
  looks(world);
  for (let round = 0; round < 4; round += 1) world.controllers();
  world.edit({ state });
  // The caches have everything but the pods, whose watch is late: one is still ending.
  world.operator.catchUp("Workflow", "Deployment", "ReplicaSet");
  const planned = world.operator.plan()?.snapshot as Snapshot;
  const blind: Snapshot = { ...planned, pods: [], fresh: false };
  expect(decide(blind)).toMatchObject({ writes: [], status: undefined, lookAfresh: true });
  const sighted = decide({ ...blind, pods: world.pods, fresh: true });
  expect(sighted.writes).toEqual([]);
  expect(sighted.status).toMatchObject({
    state: "RUNNING",
    conditions: expect.arrayContaining([expect.objectContaining({ type: "Ready", reason: "Stopping" })]),
  });
});

test("a Deployment whose stop its controller has not seen is not gone, whatever else is", () => {
  const world = running();
  const snapshot = world.operator.plan()?.snapshot as Snapshot;
  const own = snapshot.deployment;
  if (own === undefined) throw new Error("no Deployment");
  const unseen = {
    ...own,
    metadata: { ...own.metadata, generation: 9 },
    status: { observedGeneration: 8, replicas: 0 },
  };
  expect(lookAt({ ...snapshot, deployment: unseen, replicaSets: [], pods: [] }).remains?.message).toContain(
    "Deployment contacts",
  );
  const seen = { ...unseen, status: { observedGeneration: 9, replicas: 0 } };
  expect(lookAt({ ...snapshot, deployment: seen, replicaSets: [], pods: [] }).remains).toBeUndefined();
});

test("a ReplicaSet whose stop its controller has not seen, or that still counts pods, is not gone", () => {
  const world = running();
  const snapshot = world.operator.plan()?.snapshot as Snapshot;
  const [replicaSet] = snapshot.replicaSets;
  if (replicaSet === undefined) throw new Error("no ReplicaSet");
  const remains = (replicas: number, generation: number, observedGeneration: number, counted: number) =>
    lookAt({
      ...snapshot,
      deployment: undefined,
      pods: [],
      replicaSets: [
        {
          ...replicaSet,
          replicas,
          metadata: { ...replicaSet.metadata, generation },
          status: { observedGeneration, replicas: counted },
        },
      ],
    }).remains?.message;
  expect(remains(1, 2, 2, 0)).toContain("Waiting for ReplicaSet");
  expect(remains(0, 2, 1, 0)).toContain("Waiting for ReplicaSet");
  expect(remains(0, 2, 2, 1)).toContain("Waiting for ReplicaSet");
  expect(remains(0, 2, 2, 0)).toBeUndefined();
});
