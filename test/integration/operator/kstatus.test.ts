/** Flux and Helm judge a resource by kstatus: here it judges every status that there can be. */
import fc from "fast-check";
import { describe, expect, inject, test } from "vitest";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { status as statusSchema } from "../../../src/api/schema/status.ts";
import { failing, looks, running, stopped } from "../../unit/operator/moments.ts";
import { minutes, seconds } from "../../unit/operator/scene.ts";
import { walkThrough } from "../../unit/operator/walks/course.ts";
import { courses } from "../../unit/operator/walks/moves.ts";
import { World } from "../../unit/operator/world.ts";
import { faultsOf, type Judged, misjudged, type Verdict, verdictOfContract } from "./kstatus.ts";

const program = inject("kstatus");

/** What the API server fills in. */
const { default: unseen } = statusSchema as { readonly default?: NonNullable<Judged["status"]> };

/** As the API server shows a workflow whose status nobody has written. */
function served(workflow: IntegrationWorkflow): Judged {
  const status = workflow.status ?? unseen;
  return status === undefined ? workflow : { ...workflow, status };
}

function looked(world: World): Judged {
  world.operator.catchUp();
  looks(world);
  return world.workflow;
}

function stopping(world: World): Judged {
  world.edit({ state: "Stopped" });
  looked(world);
  world.controllers();
  return looked(world);
}

function recovering(world: World): Judged {
  world.kubelets("unready");
  looked(world);
  world.advance(60 * seconds);
  return looked(world);
}

/** The rows of the contract's table, each as the operator writes it. */
const rows: readonly (readonly [row: string, verdict: Verdict, make: () => Judged])[] = [
  ["not yet seen", "InProgress", () => served(new World().workflow)],
  ["STARTING", "InProgress", () => looked(new World({ state: "Running" }))],
  ["STARTING, after it ran", "InProgress", () => recovering(running())],
  ["RUNNING", "Current", () => running().workflow],
  ["RUNNING, while stopping", "InProgress", () => stopping(running())],
  ["FAILED, while stopping", "InProgress", () => stopping(failing(running()))],
  ["STOPPED", "Current", () => looked(new World())],
  ["FAILED", "Failed", () => failing(running()).workflow],
];

describe("the table of the contract, row by row, as kstatus reads it", () => {
  test.each(rows)("%s: %s", async (_, verdict, make) => {
    const workflow = make();
    expect(verdictOfContract(workflow)).toBe(verdict);
    expect(faultsOf(workflow)).toEqual([]);
    expect(await misjudged(program, [workflow])).toEqual([]);
  });
});

test("an edit that waits for a restart changes no verdict: nothing hangs on it", async () => {
  const world = running();
  world.editMapping(false);
  world.settle();
  expect(world.condition("RestartRequired")?.status).toBe("True");
  expect(verdictOfContract(world.workflow)).toBe("Current");
  expect(await misjudged(program, [world.workflow])).toEqual([]);
});

test("an edit that the operator has not seen is in progress, whatever status said before", async () => {
  const unseen = [running(), failing(running())].map((world) => {
    world.editMapping(false);
    return world.workflow;
  });
  expect(unseen.map(verdictOfContract)).toEqual(["InProgress", "InProgress"]);
  expect(await misjudged(program, unseen)).toEqual([]);
});

test("a workflow that is being deleted is terminating", async () => {
  const world = running();
  const { metadata, ...rest } = world.workflow;
  const ending = { ...rest, metadata: { ...metadata, deletionTimestamp: "2026-11-21T11:00:00Z" } };
  expect(await misjudged(program, [ending])).toEqual([]);
});

test("every status that random walks come by is what the contract says, for the contract and for kstatus", async () => {
  const seen = new Map<string, Judged>();
  const note = (workflow: IntegrationWorkflow): void => {
    const { spec, status = {}, metadata } = workflow;
    const isSeen = status.observedGeneration === metadata.generation;
    const conditions = status.conditions?.map(({ type, status: is, reason }) => [type, is, reason]);
    const { restart } = spec;
    const shape = [spec.state, restart === status.handledRestart, isSeen, status.state, conditions];
    seen.set(JSON.stringify(shape), served(workflow));
  };
  fc.assert(
    fc.property(courses, (course) => walkThrough(course, note)),
    { numRuns: 200 },
  );
  const workflows = [...seen.values()];
  const verdicts = Map.groupBy(workflows, verdictOfContract);
  for (const verdict of ["Current", "InProgress", "Failed"] as const) expect(verdicts.get(verdict)).not.toBeUndefined();
  expect(await misjudged(program, workflows)).toEqual([]);
});

test("time alone changes no verdict of a workflow that runs as it should", async () => {
  const world = running();
  const later = Array.from({ length: 12 }, () => {
    world.advance(10 * minutes);
    return looked(world);
  });
  expect(new Set(later.map(verdictOfContract))).toEqual(new Set(["Current"]));
  stopped(world);
  expect(verdictOfContract(world.workflow)).toBe("Current");
  expect(await misjudged(program, [...later, world.workflow])).toEqual([]);
});
