import { describe, expect, test } from "vitest";
import type { MappingStatus } from "../../../src/api/integration-workflow.ts";
import type { WorkerStatus } from "../../../src/api/worker-contract.ts";
import type { PodSeen } from "../../../src/operator/sight/snapshot.ts";
import { rfc3339 } from "../../../src/operator/time.ts";
import { failing, looks, running, stopped } from "./moments.ts";
import { minutes, seconds, start } from "./scene.ts";
import { kubelet } from "./tiny-controllers.ts";
import { World } from "./world.ts";

function says(world: World, status: Partial<WorkerStatus>): void {
  const run = world.status.appliedRevision?.run ?? 0;
  const poll = { run, atMs: world.api.nowMs, status: { backlog: 0, mappings: [], schemaDrift: [], ...status } };
  world.operator.memory = { ...world.operator.memory, poll };
  looks(world);
}

/** The API server refused the operator's last write, a moment ago. */
function refuses(world: World): void {
  const { generation } = world.workflow.metadata;
  const refusal = { object: "Deployment contacts", message: "denied by policy", atMs: world.api.nowMs, generation };
  world.operator.memory = { ...world.operator.memory, refusal: { ...refusal, inARow: 1 } };
  world.operator.catchUp();
  looks(world);
}

const shared = {
  organisation: "https://contoso.crm.dynamics.com",
  secret: "dynamics",
  total: 200,
  workflows: [{ workflow: "contacts", share: 100, shareToBe: undefined }],
  andOthers: false,
};

const types = (world: World) => world.status.conditions?.map(({ type }) => type);

describe("order", () => {
  test("conditions keep their place, whichever of them is known when, also after the operator's memory is gone", () => {
    const world = running();
    says(world, { schemaDrift: [{ mapping: "contact", message: "column firstname is gone" }] });
    world.operator.sharedLimits = shared;
    looks(world);
    const before = ["Ready", "Running", "Reconciling", "Stalled", "RestartRequired", "SchemaDrift"];
    expect(types(world)).toEqual([...before, "LimitsOvercommitted"]);
    const { writes } = world.api;
    world.operator.crash();
    looks(world);
    expect(types(world)).toEqual([...before, "LimitsOvercommitted"]);
    expect(world.api.writes).toBe(writes);
  });

  test("a condition of somebody else stays, behind the operator's", () => {
    const world = running();
    const theirs = {
      type: "Approved",
      status: "True",
      reason: "ByHand",
      message: "m",
      lastTransitionTime: "2026-11-21T10:00:00Z",
    } as const;
    const { status = {} } = world.workflow;
    const conditions = [theirs, ...(status.conditions ?? [])];
    world.api.put("Workflow", { ...world.workflow, status: { ...status, conditions } });
    world.editMapping(false);
    world.settle();
    expect(types(world)?.at(-1)).toBe("Approved");
    expect(world.condition("Approved")).toEqual(theirs);
  });

  test("mappings keep their place when a worker tells them in another order; new ones come behind", () => {
    const world = running();
    const [contact, account, lead] = ["contact", "account", "lead"].map((name): MappingStatus => ({ name, read: 1 }));
    const names = () => world.status.mappings?.map(({ name }) => name);
    if (contact === undefined || account === undefined || lead === undefined)
      throw new Error("three names, three rows");
    says(world, { mappings: [contact, account] });
    const { writes } = world.api;
    says(world, { mappings: [account, contact] });
    expect(names()).toEqual(["contact", "account"]);
    expect(world.api.writes).toBe(writes);
    says(world, { mappings: [lead, { ...account, read: 2 }, contact] });
    expect(names()).toEqual(["contact", "account", "lead"]);
  });

  test("what a service or a schema suffers from is told in one order, however a worker tells it", () => {
    const world = running();
    const held = { heldBy: "Service", limit: "Calls", since: "2026-11-21T10:00:00Z" } as const;
    const figures = { heldPercent: 1, refusedCalls: 1, callsLastMinute: 1 };
    const [campaign, dataverse] = (["Campaign", "Dataverse"] as const).map((service) => ({
      service,
      ...held,
      ...figures,
    }));
    const drifts = ["contact", "account"].map((mapping) => ({ mapping, message: "a column is gone" }));
    if (campaign === undefined || dataverse === undefined) throw new Error("two services, two rows");
    says(world, { throttling: [campaign, dataverse], schemaDrift: drifts });
    const { writes } = world.api;
    says(world, { throttling: [dataverse, campaign], schemaDrift: drifts.toReversed() });
    expect(world.api.writes).toBe(writes);
  });
});

describe("pending changes", () => {
  const fields = (applyUpdates: boolean, reversed = false) => {
    const all = Array.from({ length: 40 }, (_, number) => ({
      column: `column${number}`,
      field: `field${number}`,
      applyUpdates,
    }));
    const key = { column: "contactid", field: "externalId" };
    const mapping = { table: "contact", resource: "profile", key, fields: reversed ? all.toReversed() : all };
    return { ingress: { mappings: [mapping] } };
  };

  test("all are counted, the first 32 are told, in one order, which a lost memory does not change", () => {
    const world = running(fields(true));
    world.edit(fields(false));
    world.settle();
    const { pendingChanges = [], pendingChangeCount } = world.status;
    expect([pendingChangeCount, pendingChanges.length]).toEqual([40, 32]);
    const { writes } = world.api;
    world.operator.crash();
    looks(world);
    expect(world.api.writes).toBe(writes);
    expect(world.status.pendingChanges).toEqual(pendingChanges);
  });

  test("another order of entries that have a key is no edit, and leaves nothing pending", () => {
    const world = running(fields(true));
    world.edit(fields(true, true));
    world.settle();
    expect(world.status).toMatchObject({ pendingRestart: false, pendingChangeCount: 0, pendingChanges: [] });
  });
});

test("a worker that crashes again and again changes no words and no transition: only the counter of its restarts moves", () => {
  const world = running();
  world.kubelets("crashLoop");
  world.operator.catchUp();
  looks(world);
  expect(world.status.state).toBe("FAILED");
  const { conditions, transitions, failure } = world.status;
  for (let restarts = 2; restarts < 20; restarts += 1) {
    world.advance(5 * minutes);
    const [pod] = world.pods;
    if (pod?.worker?.ended === undefined) throw new Error("its worker has ended");
    const ended = { ...pod.worker.ended, finishedAtMs: world.api.nowMs };
    world.api.put("Pod", { ...pod, worker: { ...pod.worker, restarts, ended } });
    world.operator.catchUp();
    looks(world);
    expect(world.status.failure).toEqual({ ...failure, restarts });
  }
  expect([world.status.conditions, world.status.transitions]).toEqual([conditions, transitions]);
});

describe("what the API server refuses", () => {
  test("a stop that is refused is in progress, and says who refused what: nobody may take the workflow for ready", () => {
    const world = running();
    world.edit({ state: "Stopped" });
    refuses(world);
    expect(world.status).toMatchObject({ state: "RUNNING", observedGeneration: 2 });
    expect(world.condition("Ready")).toMatchObject({
      status: "False",
      reason: "Stopping",
      message: "The API server refused Deployment contacts: denied by policy",
    });
    expect(world.condition("Running")).toMatchObject({ status: "True" });
    expect(world.condition("Reconciling")).toMatchObject({ status: "True" });
  });

  test("a restart that is refused, too", () => {
    const world = running();
    world.edit({ restart: "once" });
    refuses(world);
    expect(world.condition("Ready")).toMatchObject({ status: "False", reason: "Stopping" });
    expect(world.status.handledRestart).toBeUndefined();
  });
});

describe("Events", () => {
  test("a workflow that fails for another reason than before says so, once", () => {
    const world = failing(running());
    expect(world.operator.events.filter((reason) => reason === "CredentialsRejected")).toHaveLength(1);
    const [pod] = world.pods;
    if (pod?.worker?.ended === undefined) throw new Error("its worker has ended");
    const message = JSON.stringify({ reason: "HostKeyMismatch", message: "another key" });
    const changed: PodSeen = { ...pod, worker: { ...pod.worker, ended: { ...pod.worker.ended, message } } };
    world.api.put("Pod", changed as never); // Of the kind that was there.
    world.operator.catchUp();
    looks(world);
    looks(world);
    expect(world.status.failure).toMatchObject({ reason: "HostKeyMismatch" });
    expect(world.operator.events.filter((reason) => reason === "HostKeyMismatch")).toHaveLength(1);
    // It FAILED once.
    expect(world.status.transitions?.filter(({ to }) => to === "FAILED")).toHaveLength(1);
  });
});

describe("ten minutes in which nothing happens, looked at every second", () => {
  const settled: Readonly<Record<string, () => World>> = {
    STOPPED: () => {
      const world = running();
      stopped(world);
      return world;
    },
    "STOPPED, and never started": () => {
      const world = new World();
      world.settle();
      return world;
    },
    RUNNING: () => running(),
    "RUNNING, with an edit that waits": () => {
      const world = running();
      world.editMapping(false);
      world.settle();
      return world;
    },
    "RUNNING, with a worker that says the same all the time": () => {
      const world = running();
      says(world, { backlog: 3, mappings: [{ name: "contact", phase: "Incremental", backlog: 3 }] });
      return world;
    },
    "RUNNING, and throttled by limits that are shared": () => {
      const world = running();
      world.operator.sharedLimits = shared;
      looks(world);
      return world;
    },
    FAILED: () => failing(running()),
    "STARTING, after it ran": () => {
      const world = running();
      world.kubelets("unready");
      world.operator.catchUp();
      looks(world);
      world.advance(61 * seconds);
      looks(world);
      expect(world.condition("Ready")?.reason).toBe("Recovering");
      return world;
    },
  };

  test.each(Object.keys(settled))("%s: nothing is written, and a look without memory writes nothing either", (name) => {
    const world = settled[name]?.() ?? new World();
    const { writes } = world.api;
    for (let second = 0; second < 600; second += 1) {
      world.advance(1 * seconds);
      world.operator.look();
    }
    expect(world.api.writes).toBe(writes);
    for (let minute = 0; minute < 10; minute += 1) {
      world.advance(1 * minutes);
      const { sharedLimits } = world.operator;
      world.operator.crash();
      world.operator.sharedLimits = sharedLimits;
      world.operator.look();
    }
    expect(world.api.writes).toBe(writes);
  });
});

test("a workflow that recovers says since when no worker was ready, not since when that is told; a lost memory changes no word", () => {
  const world = running();
  world.advance(10 * minutes);
  const unreadyAtMs = world.api.nowMs;
  world.kubelets("unready");
  world.operator.catchUp();
  looks(world);
  world.advance(60 * seconds);
  looks(world);
  const { message } = world.condition("Ready") ?? {};
  expect(message).toContain(`No ready worker since ${rfc3339(unreadyAtMs)}.`);
  const { writes } = world.api;
  world.advance(1 * minutes);
  world.operator.crash();
  looks(world);
  expect(world.condition("Ready")?.message).toBe(message);
  expect(world.api.writes).toBe(writes);
});

test("a new run is told as a transition also when it is in the state that the last one was in, with the same revision", () => {
  const world = running();
  const before = world.status;
  world.edit({ restart: "once" });
  for (let round = 0; round < 20 && world.status.handledRestart !== "once"; round += 1) {
    world.operator.catchUp();
    world.operator.look();
    // All of the cluster is faster than the operator's next look.
    for (let step = 0; step < 4; step += 1) {
      world.controllers();
      world.kubelets("start", "ready");
      for (const pod of world.pods) if (pod.metadata.deletionTimestamp !== undefined) kubelet(world.api, pod, "finish");
    }
    world.advance(1 * seconds);
  }
  const { state, appliedRevision, transitions = [] } = world.status;
  expect(state).toBe("RUNNING");
  expect(appliedRevision).toMatchObject({ name: before.appliedRevision?.name, run: 2 });
  expect(transitions.length).toBe((before.transitions?.length ?? 0) + 1);
  expect(transitions[0]).toMatchObject({ from: "RUNNING", to: "RUNNING", reason: "WorkerReady" });
  expect(world.operator.events.filter((reason) => reason === "WorkerReady")).toHaveLength(2);
});

test("every condition says of which generation it speaks, and status speaks of the newest", () => {
  const world = running();
  says(world, { schemaDrift: [] });
  world.operator.sharedLimits = shared;
  looks(world);
  world.editMapping(false);
  world.settle();
  const { generation } = world.workflow.metadata;
  expect(generation).toBeGreaterThan(1);
  expect(world.status.observedGeneration).toBe(generation);
  expect(new Set(world.status.conditions?.map(({ observedGeneration }) => observedGeneration))).toEqual(
    new Set([generation]),
  );
  expect(Date.parse(world.condition("Ready")?.lastTransitionTime ?? "")).toBeGreaterThanOrEqual(start);
});
