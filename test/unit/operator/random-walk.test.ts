import fc from "fast-check";
import { expect, test } from "vitest";
import { Invariants } from "./invariants.ts";
import { type Move, type Walk, walks } from "./moves.ts";
import { World } from "./world.ts";

function walkOf(steps: readonly Move[]): void {
  const world = new World({ revisionHistoryLimit: 1 });
  const walk: Walk = { world, invariants: new Invariants(world), held: undefined, restarts: 0 };
  for (const { run } of steps) {
    run(walk);
    walk.invariants.check();
  }
  world.settle();
  walk.invariants.check();
  if (world.status.failure?.reason === "RevisionLost") {
    // Only a person can help, and the message says how.
    walk.invariants.asked();
    world.edit({ restart: "the way out" });
    world.settle();
  }
  walk.invariants.checkSettled();
}

/** More of them before a release: WALKS=100000. */
const numRuns = Number(process.env["WALKS"] ?? 400);

test("whatever users, nodes, crashes and late watches do: the invariants hold, and all comes right in the end", () => {
  const walk = fc.property(walks, walkOf);
  fc.assert(walk, { numRuns, includeErrorInReport: true, endOnFailure: false });
}, 3_600_000);

test("a mutating webhook causes no endless writes, also after the operator's memory is gone", () => {
  const world = new World({ state: "Running" });
  world.api.webhook = (spec) => ({
    ...spec,
    template: { ...spec.template, metadata: { ...spec.template.metadata, annotations: { injected: "yes" } } },
  });
  const invariants = new Invariants(world);
  invariants.asked();
  world.settle();
  invariants.checkSettled();
  const { generation } = world.deployment?.metadata ?? {};
  world.operator.crash();
  world.settle();
  invariants.checkSettled();
  expect(world.deployment?.metadata.generation).toBe(generation);
});
