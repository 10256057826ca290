/** `npm run drill`: troubles to practise on, on the cluster that `npm start` made. Each is real, and each can be taken back. */
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "../errors.ts";
import type { RunStep } from "../steps.ts";
import { prepareOperator, restoreOperator } from "./release.ts";
import { drillImages, type Seen, type Trouble, troubles } from "./troubles.ts";
import { prepareData, prepareGround, type World, workflowOf } from "./world.ts";

/**
 * The troubles that these words mean: names, or `all`.
 * @throws ClusterError NoSuchTrouble, with the names that there are
 */
export function troublesNamed(words: readonly string[]): readonly Trouble[] {
  const known = troubles.map(({ name }) => name);
  const unknown = words.filter((word) => word !== "all" && !known.includes(word));
  if (unknown.length > 0) {
    const sentence = `There is no trouble "${unknown.join(" ")}": say all, or some of ${known.join(", ")}`;
    throw new ClusterError("NoSuchTrouble", sentence);
  }
  return words.includes("all") ? troubles : troubles.filter(({ name }) => words.includes(name));
}

/**
 * Makes the troubles, and waits until each is there.
 * @throws ClusterError TroubleMissing when one does not come about within `seconds`
 */
export async function stageTroubles(
  world: World,
  staged: readonly Trouble[],
  step: RunStep,
  seconds = 300,
): Promise<void> {
  await step("a namespace with a sandbox of its own", () => prepareGround(world));
  await step("the page, and an image that the operator permits and no registry has", () =>
    prepareOperator(world, [drillImages]),
  );
  await step("tables and records", () =>
    prepareData(
      world,
      staged.flatMap(({ kinds }) => kinds),
    ),
  );
  await step(`troubles: ${staged.length}`, async (report) => {
    const deadline = performance.now() + seconds * 1000;
    await Promise.all(
      staged.map(async (trouble) => {
        await stage(world, trouble, deadline);
        report(`${trouble.workflow} is in trouble`);
      }),
    );
  });
}

/** A trouble that is there stays; one that was mended begins anew. */
async function stage(world: World, trouble: Trouble, deadline: number): Promise<void> {
  const { workflow, kinds, before, spec, later, isThere } = trouble;
  if (await stands(world, trouble)) return;
  await unstage(world, trouble);
  await before?.(world);
  const right = workflowOf(world, workflow, kinds);
  await world.apply([{ ...right, spec: spec?.(right.spec) ?? right.spec }]);
  if (later !== undefined) {
    await until(world, trouble, runsAndWrote, deadline);
    await later(world);
  }
  await until(world, trouble, isThere, deadline);
}

async function stands({ kubectl }: World, { workflow, isThere }: Trouble): Promise<boolean> {
  const known = await kubectl(["get", "iw", workflow, "--ignore-not-found", "--output", "json"]);
  return known !== "" && isThere((JSON.parse(known) as { status?: Seen }).status ?? {});
}

async function unstage(world: World, trouble: Trouble): Promise<void> {
  await world.kubectl(["delete", "iw", trouble.workflow, "--ignore-not-found"]);
  await mendTrouble(world, trouble);
}

function runsAndWrote({ state, backlog, mappings = [] }: Seen): boolean {
  return (
    state === "RUNNING" && backlog === 0 && mappings.length > 0 && mappings.every(({ written = 0 }) => written > 0)
  );
}

async function until(
  { kubectl }: World,
  { name, workflow }: Trouble,
  holds: (seen: Seen) => boolean,
  deadline: number,
): Promise<void> {
  for (;;) {
    const { status = {} } = JSON.parse(await kubectl(["get", "iw", workflow, "--output", "json"])) as { status?: Seen };
    if (holds(status)) return;
    if (performance.now() > deadline) {
      const seen = `${workflow} is ${status.state}: ${JSON.stringify(status)}`;
      throw new ClusterError("TroubleMissing", `The trouble "${name}" does not come about\n${seen}`);
    }
    await delay(1000);
  }
}

/** Mends what is wrong around the workflow; what is wrong in it is its own to mend. */
export async function mendTrouble(world: World, { mend }: Trouble): Promise<void> {
  await mend?.(world);
}

/** Takes troubles back: mended, and their workflows deleted. With all of them goes the namespace. */
export async function endTroubles(world: World, ended: readonly Trouble[], step: RunStep): Promise<void> {
  const { kubectl, cluster } = world;
  if (ended.length === troubles.length) {
    await step(`namespace ${cluster.namespace} deleted`, () =>
      kubectl(["delete", "namespace", cluster.namespace, "--ignore-not-found"]),
    );
    await step("the operator permits what it did before", () => restoreOperator(world, [drillImages]));
    return;
  }
  for (const trouble of ended) {
    await step(`${trouble.workflow} deleted, and what was wrong around it mended`, () => unstage(world, trouble));
  }
}
