import fc from "fast-check";
import { expect, test } from "vitest";
import { propertySeed } from "../../property-seed.ts";
import { running } from "./moments.ts";
import { walkThrough } from "./walks/course.ts";
import { keptWalks } from "./walks/kept.ts";
import { courses } from "./walks/moves.ts";

/** The same in every run; others by PROPERTY_SEED, and many of them by npm run bench -- walks --count 100000. */
const count = Number(process.env["WALKS"] ?? 4000);

test(`whatever users, nodes, crashes and late watches do: the invariants hold, and all comes right (seed ${propertySeed})`, () => {
  const walked = fc.property(courses, (course) => walkThrough(course));
  fc.assert(walked, { numRuns: count, includeErrorInReport: true, endOnFailure: false });
}, 3_600_000);

test.each(Object.entries(keptWalks))("a walk that once failed: %s", (_name, course) => walkThrough(course));

test("a mutating webhook causes no endless writes, also after the operator's memory is gone", () => {
  const world = running();
  world.api.webhook = (spec) => ({
    ...spec,
    template: { ...spec.template, metadata: { ...spec.template.metadata, annotations: { injected: "yes" } } },
  });
  world.edit({ restart: "with the webhook" });
  world.settle();
  const { generation } = world.deployment?.metadata ?? {};
  world.operator.crash();
  world.settle();
  expect(world.status.state).toBe("RUNNING");
  expect(world.deployment?.metadata.generation).toBe(generation);
});
