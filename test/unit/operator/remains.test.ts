import { expect, test } from "vitest";
import { decide } from "../../../src/operator/decide/decide.ts";
import { lookAt } from "../../../src/operator/sight/look.ts";
import type { Snapshot } from "../../../src/operator/sight/snapshot.ts";
import { looks, running } from "./moments.ts";

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
