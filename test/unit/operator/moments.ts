import { expect } from "vitest";
import { World } from "./world.ts";

/** A workflow that RUNS, with healthy pods, a while after its start. */
export function running(changes: object = {}): World {
  const world = new World({ state: "Running", ...changes });
  world.settle();
  expect(world.status.state).toBe("RUNNING");
  return world;
}

/** Looks until nothing is left to do, while nothing else moves. */
export function looks(world: World): void {
  for (let count = 0; count < 8 && world.operator.look(); count += 1) world.operator.catchUp();
}

export function stopped(world: World): void {
  world.edit({ state: "Stopped" });
  world.settle();
  expect(world.status.state).toBe("STOPPED");
}

export function failing(world: World): World {
  world.kubelets("giveUp");
  world.operator.catchUp();
  looks(world);
  return world;
}
