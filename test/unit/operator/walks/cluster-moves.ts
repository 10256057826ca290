/** What the cluster does, and what becomes of operators. */
import { labels } from "../../../../src/api/group.ts";
import { minutes, seconds } from "../scene.ts";
import { type Fault, storedKinds } from "../tiny-api.ts";
import { collectGarbage, type KubeletAct, syncDeployments, syncReplicaSets } from "../tiny-controllers.ts";
import type { Move, MoveTable } from "./moves.ts";
import { must } from "./must.ts";
import { isReady } from "./truth.ts";
import type { Walk } from "./walk.ts";

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
const faults: readonly Fault[] = ["conflict", "refused", "unavailable", "stored"];

function moves<T extends string | number>(
  all: readonly T[],
  weight: number,
  title: (one: T) => string,
  move: (one: T) => Move,
): MoveTable {
  return Object.fromEntries(all.map((one) => [title(one), [weight, move(one)]]));
}

export const clusterMoves: MoveTable = {
  "deployment controller": [12, ({ world }) => syncDeployments(world.api)],
  "replica set controller": [12, ({ world }) => syncReplicaSets(world.api)],
  "garbage collector": [4, ({ world }) => collectGarbage(world.api)],
  ...moves(
    acts,
    2,
    (act) => `kubelet: ${act}`,
    (act) => (walk, name, number) => walk.onPod(name, number, act),
  ),
  "a pod is up and ready": [8, (walk, name, number) => walk.onPod(name, number, "start", "ready")],
  "a pod ends": [5, (walk, name, number) => walk.onPod(name, number, "finish", "finish")],
  "a pod cannot be scheduled": [1, cannotBeScheduled],
  "a pod waits": [1, waits],
  "a pod is rescheduled": [1, (walk, name, number) => walk.onPod(name, number, "lose", "finish", "finish")],
  "a foreign pod with the label": [1, foreignPod],
  "a webhook changes what is written": [1, webhook],
  "quota is used up": [
    1,
    ({ world }, _name, number) =>
      void world.api.refuses.add(
        (["Pod", "Deployment", "ConfigMap", "PersistentVolumeClaim"] as const)[number % 4] ?? "Pod",
      ),
  ],
  "quota is raised": [2, ({ world }) => world.api.refuses.clear()],
  ...moves(
    [1 * seconds, 20 * seconds, 61 * seconds, 6 * minutes],
    2,
    (ms) => `${ms / 1000} s pass`,
    (ms) =>
      ({ world }) =>
        world.advance(ms),
  ),
};

export const operatorMoves: MoveTable = {
  ...moves(
    storedKinds,
    4,
    (kind) => `watch of ${kind}`,
    (kind) =>
      ({ world }) =>
        world.operator.catchUp(kind),
  ),
  "all watches": [6, ({ world }) => world.operator.catchUp()],
  look: [25, ({ world }, name) => void world.operator.look(undefined, name)],
  "look while the cluster moves": [4, lookWhileMoving],
  "all is quiet": [4, isQuiet],
  "a worker answers": [6, answers],
  "the operator dies": [4, dies],
  "the operator dies, and its last write is not answered": [2, diesUnanswered],
  ...moves(
    faults,
    1,
    (fault) => `a write meets: ${fault}`,
    (fault) =>
      ({ world }, _name, number) =>
        world.api.fail(number % 3, fault),
  ),
  "the leader pauses with a plan": [3, pauses],
  "the paused leader goes on": [3, goesOn],
  "the other version leads": [2, takesOver],
};

function cannotBeScheduled(walk: Walk, name: string, number: number): void {
  const pods = walk.podsOf(name).filter(({ phase, node }) => phase === "Pending" && node === undefined);
  const pod = pods[number % Math.max(1, pods.length)];
  if (pod !== undefined) walk.world.api.put("Pod", { ...pod, unschedulable: "0/3 nodes are available" });
}

const waitingReasons = ["ImagePullBackOff", "ErrImagePull", "ContainerCreating", "CreateContainerConfigError"];

function waits(walk: Walk, name: string, number: number): void {
  const pods = walk.podsOf(name).filter(({ phase }) => phase === "Pending");
  const pod = pods[number % Math.max(1, pods.length)];
  const reason = waitingReasons[number % waitingReasons.length] ?? "";
  const worker = { restarts: 0, running: false, waiting: { reason, message: "" } };
  if (pod !== undefined) walk.world.api.put("Pod", { ...pod, node: "node-1", worker });
}

/** With the run's label too, or without. */
function foreignPod({ world }: Walk, name: string, number: number): void {
  const run = world.recordOf(name)?.runs[0]?.run;
  const isLike = number % 2 === 0 && run !== undefined;
  const given = { [labels.workflow]: name, ...(isLike ? { [labels.run]: String(run) } : {}) };
  const pod = world.api.newMetadata(`${name}-${world.api.newMetadata("x").uid}`, { labels: given });
  world.api.put("Pod", {
    metadata: pod,
    run: isLike ? run : undefined,
    phase: "Running",
    node: "node-2",
    address: undefined,
    readySinceMs: undefined,
    unschedulable: undefined,
    worker: { restarts: 0, running: true },
    template: "",
  });
}

function webhook({ world }: Walk): void {
  const inject: typeof world.api.webhook = (spec) => {
    const annotations = { ...spec.template.metadata?.annotations, injected: "yes" };
    return { ...spec, template: { ...spec.template, metadata: { ...spec.template.metadata, annotations } } };
  };
  world.api.webhook = world.api.webhook === undefined ? inject : undefined;
}

/** Between two reads of one look, controllers and kubelets go on. */
function lookWhileMoving(walk: Walk, name: string, number: number): void {
  const { operator, api } = walk.world;
  let reads = number;
  operator.betweenReads = () => {
    reads += 1;
    if (reads % 3 === 0) syncDeployments(api);
    if (reads % 3 === 1) syncReplicaSets(api);
    if (reads % 3 === 2) walk.onPod(name, number, "finish");
  };
  operator.look(undefined, name);
  operator.betweenReads = undefined;
}

/** Carried out on what it made, a plan is empty: soon nothing is written any more. */
function isQuiet({ world }: Walk, name: string): void {
  const { operator, api } = world;
  for (let looks = 0; looks < 8; looks += 1) {
    operator.catchUp();
    operator.look(undefined, name);
  }
  operator.catchUp();
  const { writes } = api;
  for (let looks = 0; looks < 2; looks += 1) operator.look(undefined, name);
  must(api.writes === writes, "no write when nothing has changed", () => api.stored.Workflow.get(name)?.status);
}

/** A poll of a ready worker's /status. */
function answers(walk: Walk, name: string, number: number): void {
  const { world } = walk;
  const workflow = walk.workflow(name);
  if (workflow === undefined) return;
  const pod = walk.podsOf(name).find((one) => isReady(one) && one.worker?.running && one.of === workflow.metadata.uid);
  if (pod?.run === undefined) return;
  walk.backlog += 1;
  const backlog = number % 3 === 0 ? 0 : walk.backlog;
  walk.invariants.told(name, backlog);
  const schemaDrift = number % 5 === 0 ? [{ mapping: "contact", message: "column firstname is gone" }] : [];
  const status = { backlog, mappings: [{ name: "contact", phase: "Incremental", backlog }], schemaDrift };
  world.operator.note(name, { poll: { run: pod.run, atMs: world.api.nowMs, status } });
}

/** Between any two of its calls. */
function dies({ world }: Walk, name: string, number: number): void {
  world.operator.look(number % 6, name);
  world.operator.crash();
}

function diesUnanswered({ world }: Walk, name: string, number: number): void {
  world.api.fail(number % 4, "stored");
  world.operator.look((number % 4) + 1, name);
  world.operator.crash();
}

function pauses(walk: Walk, name: string): void {
  const { operator } = walk.world;
  const planned = operator.plan(name);
  if (planned !== undefined) walk.held = { operator, planned };
  walk.world.hadTwoLeaders = true;
}

/** As far as it was paused before a write: its plan is as old as it may be. */
function goesOn(walk: Walk): void {
  if (walk.held !== undefined) walk.held.operator.act(walk.held.planned);
  walk.held = undefined;
}

/** Its own watches went on, as far as they have come. */
function takesOver(walk: Walk): void {
  const [one, other] = walk.operators;
  walk.world.hadTwoLeaders = true;
  walk.world.operator = walk.world.operator === one ? other : one;
  walk.world.operator.forget();
}
