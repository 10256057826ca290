import fc from "fast-check";
import type { Invariants } from "./invariants.ts";
import { minutes, seconds } from "./scene.ts";
import type { Stored } from "./tiny-api.ts";
import { collectGarbage, type KubeletAct, kubelet, syncDeployments, syncReplicaSets } from "./tiny-controllers.ts";
import type { World } from "./world.ts";

/** What can happen on a walk. */
export interface Walk {
  readonly world: World;
  readonly invariants: Invariants;
  /** A plan that a paused leader still holds. */
  held: ReturnType<World["operator"]["plan"]>;
  restarts: number;
}

export interface Move {
  readonly name: string;
  readonly run: (walk: Walk) => void;
}

const kinds: readonly (keyof Stored)[] = ["Workflow", "Deployment", "ReplicaSet", "Pod", "ConfigMap"];
const acts: readonly KubeletAct[] = [
  "start",
  "ready",
  "unready",
  "crash",
  "crashLoop",
  "giveUp",
  "finish",
  "lose",
  "evict",
];

function setState(walk: Walk, state: "Running" | "Stopped"): void {
  if (state === "Running" && walk.world.workflow.spec.state !== "Running") walk.invariants.asked();
  walk.world.edit({ state });
}

function restart(walk: Walk): void {
  walk.restarts += 1;
  walk.invariants.asked();
  walk.world.edit({ restart: `restart-${walk.restarts}` });
}

function forgetRestart({ world }: Walk): void {
  const { restart: forgotten, ...spec } = world.workflow.spec;
  void forgotten;
  world.setSpec(spec);
}

/** kubectl, past the workflow. */
function editDeployment({ world }: Walk, change: (spec: NonNullable<World["deployment"]>["spec"]) => object): void {
  const { deployment } = world;
  if (deployment === undefined) return;
  const metadata = { ...deployment.metadata, generation: (deployment.metadata.generation ?? 0) + 1 };
  const spec = { ...deployment.spec, ...change(deployment.spec) };
  world.api.put("Deployment", { ...deployment, spec, metadata, editor: "kubectl" });
}

function deleteDeployment({ world }: Walk): void {
  // A run that status has not told of yet leaves no trace: its number would be used again.
  if (world.status.appliedRevision?.run === world.record?.runs[0]?.run) world.api.remove("Deployment", "contacts");
}

function deletePins({ world }: Walk): void {
  for (const name of [...world.api.stored.ConfigMap.keys()]) world.api.remove("ConfigMap", name);
}

function onPod({ world }: Walk, index: number, ...some: KubeletAct[]): void {
  const name = world.pods[index % Math.max(1, world.pods.length)]?.metadata.name ?? "";
  for (const act of some) {
    const pod = world.api.stored.Pod.get(name);
    if (pod !== undefined) kubelet(world.api, pod, act);
  }
}

function pause(walk: Walk): void {
  walk.held = walk.world.operator.plan();
}

function goOn(walk: Walk): void {
  if (walk.held !== undefined) walk.world.operator.act(walk.held);
  walk.held = undefined;
}

function dieAfter({ world }: Walk, writes: number): void {
  world.operator.look(writes);
  world.operator.crash();
}

const revision = "deployment.kubernetes.io/restartedAt";

const table: readonly (readonly [weight: number, name: string, run: (walk: Walk, number: number) => void])[] = [
  [8, "start", (walk) => setState(walk, "Running")],
  [5, "stop", (walk) => setState(walk, "Stopped")],
  [4, "restart", restart],
  [1, "forget restart", forgetRestart],
  [4, "edit", ({ world }, number) => world.editMapping(number % 2 === 0)],
  [1, "kubectl scale", (walk, number) => editDeployment(walk, () => ({ replicas: number % 4 }))],
  [
    1,
    "kubectl rollout restart",
    (walk, number) =>
      editDeployment(walk, ({ template }) => ({
        template: { ...template, metadata: { ...template.metadata, annotations: { [revision]: String(number) } } },
      })),
  ],
  [1, "delete the Deployment", deleteDeployment],
  [1, "delete the pins", deletePins],
  [12, "deployment controller", ({ world }) => syncDeployments(world.api)],
  [12, "replica set controller", ({ world }) => syncReplicaSets(world.api)],
  [4, "garbage collector", ({ world }) => collectGarbage(world.api)],
  ...acts.map((act): (typeof table)[number] => [3, `kubelet ${act}`, (walk, number) => onPod(walk, number, act)]),
  [6, "a pod is up and ready", (walk, number) => onPod(walk, number, "start", "ready")],
  [5, "a pod ends", (walk, number) => onPod(walk, number, "finish", "finish")],
  ...[1 * seconds, 20 * seconds, 61 * seconds, 6 * minutes].map((ms): (typeof table)[number] => [
    2,
    `${ms} ms pass`,
    ({ world }) => world.advance(ms),
  ]),
  ...kinds.map((kind): (typeof table)[number] => [5, `watch of ${kind}`, ({ world }) => world.operator.catchUp(kind)]),
  [25, "look", ({ world }) => void world.operator.look()],
  [5, "the operator dies", (walk, number) => dieAfter(walk, number % 4)],
  [3, "the leader pauses with a plan", pause],
  [3, "the paused leader goes on", goOn],
];

/** A move is shown by its name. */
const move = fc
  .tuple(fc.oneof(...table.map((entry) => ({ weight: entry[0], arbitrary: fc.constant(entry) }))), fc.nat(12))
  .map(([[, name, run], number]) => ({
    name,
    run: (walk: Walk) => run(walk, number),
    [fc.toStringMethod]: () => name,
  }));

export const walks: fc.Arbitrary<readonly Move[]> = fc.array(move, { minLength: 10, maxLength: 250, size: "max" });
