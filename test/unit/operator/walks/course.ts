import { effectiveSpec } from "../../../../src/api/configuration.ts";
import type { IntegrationWorkflow } from "../../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../../src/api/json.ts";
import { inForceLeftOut } from "./invariants.ts";
import { type Course, moves } from "./moves.ts";
import { must } from "./must.ts";
import { digestOfPin, isOwnedBy, isUnfinished } from "./truth.ts";
import { removeForeign } from "./user-moves.ts";
import { Walk } from "./walk.ts";

/**
 * Walks a course, with all that must be so at every step, and after it: when the world is well again, what was asked for
 * comes about.
 * @param onWorkflow told of every workflow after every step, and whenever a status was written
 * @throws Broken
 */
export function walkThrough(
  { workflows, steps }: Course,
  onWorkflow: (workflow: IntegrationWorkflow) => void = () => {},
): void {
  const walk = new Walk(workflows);
  walk.invariants.onStatus = onWorkflow;
  for (const [name, number, who] of steps) {
    const move = moves[name]?.[1];
    if (move === undefined) throw new RangeError(`there is no move ${name}`);
    move(walk, walk.name(who), number);
    walk.invariants.check();
    for (const workflow of walk.world.api.stored.Workflow.values()) onWorkflow(workflow);
  }
  recover(walk);
  for (const name of walk.names) checkSettled(walk, name);
}

/** All that ailed the world is mended; then people do what the messages tell them. */
function recover(walk: Walk): void {
  const { world } = walk;
  world.api.mend();
  world.settle();
  walk.invariants.check();
  for (const name of walk.names) {
    removeForeign(walk, name);
    walk.makeAgain(name, { ...walk.specs.get(name), state: "Running" } as NonNullable<
      ReturnType<typeof walk.specs.get>
    >);
  }
  world.settle();
  for (let round = 0; round < 4; round += 1) {
    for (const name of walk.names) if (followAdvice(walk, name)) world.settle();
  }
  walk.invariants.check();
}

/** @returns whether there was something to do */
function followAdvice(walk: Walk, name: string): boolean {
  const { failure } = walk.workflow(name)?.status ?? {};
  const spec = walk.workflow(name)?.spec;
  if (failure === undefined || spec === undefined) return false;
  const pinned = walk.invariants.contentOf(name)?.configuration.spec;
  switch (failure.reason) {
    case "RevisionLost":
      walk.restarts += 1;
      walk.edit(name, { restart: `way out ${walk.restarts}` });
      return true;
    case "ImageNotPermitted": {
      const { image: _, ...worker } = spec.worker;
      walk.edit(name, { worker });
      return true;
    }
    case "ServiceAccountNotPermitted":
      walk.edit(name, { worker: { ...spec.worker, template: {} } });
      return true;
    case "QueueNotEmpty":
      walk.edit(name, { queue: pinned?.queue ?? walk.specs.get(name)?.queue });
      return true;
    case "FieldConflict": {
      const rival = walk.names.find((other) => other !== name && failure.message.includes(other));
      must(rival !== undefined, "the message names who has the field", () => failure);
      walk.edit(rival, { state: "Stopped" });
      return true;
    }
    default:
      throw new Error(`nobody knows a way out: ${JSON.stringify(failure)}`);
  }
}

/** After everything worked for a while. */
function checkSettled({ world }: Walk, name: string): void {
  const { stored } = world.api;
  const workflow = stored.Workflow.get(name);
  const { status } = workflow ?? {};
  must(workflow !== undefined && status !== undefined, "every workflow has a status");
  const isAsked = workflow.spec.state === "Running";
  must(status.state === (isAsked ? "RUNNING" : "STOPPED"), "what was asked for comes about", () => [name, status]);
  const condition = (type: string) => status.conditions?.find((one) => one.type === type)?.status;
  must(condition("Ready") === "True", "what was asked for is so, and Ready says it", () => status.conditions);
  must(status.observedGeneration === workflow.metadata.generation, "the newest generation was seen");
  const pods = world.pods.filter((pod) => pod.of === workflow.metadata.uid && isUnfinished(pod));
  const [run] = world.recordOf(name)?.runs ?? [];
  const pin = stored.ConfigMap.get(run?.pin ?? "");
  if (isAsked) {
    const { restart } = workflow.spec;
    must(restart === undefined || status.handledRestart === restart, "the restart is handled", () => [
      restart,
      status.handledRestart,
    ]);
    must(
      pin?.content !== undefined && (run?.digest === undefined || digestOfPin(pin) === run.digest),
      "the run's pin is there",
      () => run,
    );
    const isSame = sameJson(
      inForceLeftOut(pin.content.configuration.spec),
      inForceLeftOut(effectiveSpec(workflow.spec)),
    );
    must(status.pendingRestart === !isSame, "pendingRestart says whether anything differs");
    must(
      pods.length === pin.content.configuration.spec.worker.replicas,
      "as many workers run as were asked for",
      () => pods.length,
    );
    must(
      pods.every((pod) => pod.run === run?.run),
      "all workers are of the run",
    );
    const { template } = stored.Deployment.get(name)?.spec ?? {};
    const image = template?.spec?.containers[0]?.image;
    must(
      image === pin.content.deployment.template.spec?.containers[0]?.image,
      "what somebody changed was put back",
      () => image,
    );
  } else {
    must(pods.length === 0, "no worker is left");
    must(status.pendingRestart === false, "nothing is pending of what is stopped");
  }
  const kept = [...stored.ConfigMap.values()].filter(
    (one) =>
      // One whose content was exchanged is no pin any more.
      isOwnedBy(one.metadata, workflow) &&
      one.metadata.name === `${name}-${digestOfPin(one)?.slice(0, 8)}` &&
      // What a paused leader made of an older plan goes with the next run.
      (one.metadata.creationTimestamp ?? "") <= (run?.startedAt ?? ""),
  );
  if (isAsked && !world.operator.mayNotDelete(name))
    must(
      kept.length <= workflow.spec.revisionHistoryLimit + 1,
      "pins are kept up to the limit, and no more",
      () => kept.length,
    );
  const before = world.api.writes;
  for (let looks = 0; looks < 3; looks += 1) world.operator.look(undefined, name);
  must(world.api.writes === before, "no write when nothing changed", () => name);
}
