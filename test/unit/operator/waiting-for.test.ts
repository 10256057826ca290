import { expect, test } from "vitest";
import { waitingFor } from "../../../src/operator/health/waiting-for.ts";
import { type Look, lookAt } from "../../../src/operator/sight/look.ts";
import type { PodSeen, PodSteps } from "../../../src/operator/sight/snapshot.ts";
import { looks, running } from "./moments.ts";
import { container, minutes, pod, seconds } from "./scene.ts";

const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);
const startedAt = at("10:00:00");
const given = ". If nothing starts, it is FAILED at 2026-11-21T10:05:00Z";

function lookOfRunning(): Look {
  const planned = running().operator.plan();
  if (planned === undefined) throw new Error("the workflow is not there");
  return lookAt(planned.snapshot);
}

function says(...pods: PodSeen[]): string {
  const look = lookOfRunning();
  return waitingFor({ ...look, runPods: pods, memory: { ...look.memory, poll: undefined } }, startedAt).message;
}

const notStarted = (steps: PodSteps, changes: Partial<PodSeen> = {}) =>
  pod({
    worker: container({ running: false, waiting: { reason: "ContainerCreating", message: "" } }),
    steps,
    ...changes,
  });
const createdAtMs = at("10:00:01");
const scheduledAtMs = at("10:00:02");
const sandboxAtMs = at("10:00:09");

test.each<[string, PodSeen[], string]>([
  ["no pod", [], `no pod yet, since 2026-11-21T10:00:00Z: the cluster's controllers make it${given}`],
  [
    "no node takes it",
    [
      notStarted(
        { createdAtMs },
        { node: undefined, worker: undefined, unschedulable: "0/3 nodes: too little memory" },
      ),
    ],
    `Pod contacts-abc waits for a node since 2026-11-21T10:00:01Z: 0/3 nodes: too little memory${given}`,
  ],
  [
    "the scheduler has not said anything",
    [notStarted({ createdAtMs }, { node: undefined, worker: undefined })],
    `Pod contacts-abc waits for a node since 2026-11-21T10:00:01Z. The scheduler has said nothing of it: see that kube-scheduler runs${given}`,
  ],
  [
    "its volume",
    [notStarted({ createdAtMs, scheduledAtMs, sandboxAtMs: false })],
    `Pod contacts-abc on node node-1 waits for its volumes and its network since 2026-11-21T10:00:02Z: kubectl describe pod -n crm contacts-abc says which. Often another node still holds the volume of PersistentVolumeClaim contacts-queue${given}`,
  ],
  [
    "its image",
    [notStarted({ createdAtMs, scheduledAtMs, sandboxAtMs })],
    `Pod contacts-abc on node node-1 waits for its image since 2026-11-21T10:00:09Z${given}`,
  ],
  [
    "an image that does not come",
    [
      notStarted(
        { createdAtMs, scheduledAtMs, sandboxAtMs },
        { worker: container({ running: false, waiting: { reason: "ErrImagePull", message: "no such host" } }) },
      ),
    ],
    `Pod contacts-abc on node node-1 waits since 2026-11-21T10:00:02Z: ErrImagePull: no such host${given}`,
  ],
  [
    "a kubelet that does not say how far it is",
    [notStarted({ createdAtMs, scheduledAtMs })],
    `Pod contacts-abc on node node-1 waits to be started since 2026-11-21T10:00:02Z: its kubelet has not said more. See that the node is up: kubectl get node node-1${given}`,
  ],
  [
    "a node that is not heard of: its worker may live, so nothing is said of Dynamics 365 and Campaign",
    [pod({ nodeSilentSinceMs: at("10:03:00") })],
    "Node node-1 of pod contacts-abc is not ready, or not heard of, since 2026-11-21T10:03:00Z: see whether it is up (kubectl get node node-1). Kubernetes gives the pod up five minutes later. If the node is gone for good, delete its Node object: kubectl delete node node-1",
  ],
  [
    "a worker whose startup probe fails",
    [pod({ worker: container({ started: false }), steps: { workerAtMs: at("10:00:30") } })],
    "The worker in pod contacts-abc is up since 2026-11-21T10:00:30Z and has not answered on /livez yet, for which it has 5 minutes: kubectl logs -n crm contacts-abc shows what it does",
  ],
  [
    "a worker that was killed before",
    [
      pod({
        worker: container({
          started: false,
          restarts: 1,
          ended: { exitCode: 137, reason: "Error", message: "", finishedAtMs: at("10:05:30") },
        }),
        steps: { workerAtMs: at("10:05:31") },
      }),
    ],
    'The worker in pod contacts-abc is up since 2026-11-21T10:05:31Z and has not answered on /livez yet, for which it has 5 minutes: kubectl logs -n crm contacts-abc shows what it does. The one before it was killed (exit code 137), as the kubelet does with one that does not answer its probes on /livez: kubectl describe pod -n crm contacts-abc then says "probe failed", and kubectl logs --previous what it was doing',
  ],
  [
    "a worker that is up is never given up by time",
    [pod({ steps: { createdAtMs, scheduledAtMs, sandboxAtMs, workerAtMs: at("10:00:30") } })],
    "The worker in pod contacts-abc is up since 2026-11-21T10:00:30Z and not ready yet: Dynamics 365 and Campaign must both answer it. It tries for as long as it takes. If it stays so, look whether Dynamics 365 and Campaign are up (their status pages) and can be reached from the cluster",
  ],
  [
    "one of two is up: the other is not what decides",
    [notStarted({ createdAtMs, scheduledAtMs, sandboxAtMs }), pod({ name: "second" })],
    "Pod contacts-abc on node node-1 waits for its image since 2026-11-21T10:00:09Z",
  ],
])("a start that waits says which step, since when, and when it is given up: %s", (_name, pods, expected) => {
  expect(says(...pods).replace(/^Run \d+ has /, "")).toBe(expected);
});

test("what the worker says of itself is told", () => {
  const look = lookOfRunning();
  const run = look.run?.run ?? 0;
  const notReady = { reason: "NoAnswer", message: "Campaign did not answer within 60 s" };
  const poll = { run, atMs: startedAt, status: { backlog: 0, mappings: [], schemaDrift: [], notReady } };
  const told = waitingFor({ ...look, runPods: [pod()], memory: { ...look.memory, poll } }, startedAt).message;
  expect(told).toContain("is up and not ready yet: NoAnswer: Campaign did not answer within 60 s. It tries");
  expect(told).toContain("look whether Dynamics 365 and Campaign are up");
  const ownTrouble = { reason: "StoreLocked", message: "another worker holds the queue" };
  const stored = { ...poll, status: { ...poll.status, notReady: ownTrouble } };
  const own = waitingFor({ ...look, runPods: [pod()], memory: { ...look.memory, poll: stored } }, startedAt).message;
  expect(own).toMatch(/StoreLocked: another worker holds the queue\. It tries for as long as it takes$/);
});

test("a pod that its node evicted counts for nothing, and is told", () => {
  const look = lookOfRunning();
  const failed = {
    reason: "Evicted",
    message: "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. ",
    atMs: at("10:02:00"),
  };
  const evicted = pod({ name: "contacts-old", run: look.run?.run, phase: "Failed", failed });
  const next = notStarted({ createdAtMs: at("10:02:01") }, { node: undefined, worker: undefined });
  const said = (goodUntilMs: number) =>
    waitingFor({ ...look, claims: [], pods: [evicted, next], runPods: [next] }, goodUntilMs).message;
  expect(said(at("10:01:50"))).toContain(
    "Pod contacts-old before it failed on node node-1 at 2026-11-21T10:02:00Z, Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. kubectl describe node node-1 shows what it is short of",
  );
  expect(said(at("11:00:00"))).not.toContain("contacts-old");
});

test("a pod that should have ended is told when it is late, with what may be done; and it is known when", () => {
  const look = lookOfRunning();
  const ending = pod({ name: "contacts-old", node: "node-2", deletionTimestamp: "2026-11-21T10:04:00Z" });
  const next = notStarted({ createdAtMs: at("10:03:00") }, { node: undefined, worker: undefined });
  const says = (nowMs: number) => waitingFor({ ...look, nowMs, claims: [], runPods: [ending, next] }, startedAt);
  expect(says(at("10:04:20"))).toMatchObject({ message: expect.not.stringContaining("--force"), saysMoreInMs: 10_000 });
  expect(says(at("10:04:30")).message).toMatch(
    /Pod contacts-old on node node-2 should have ended by .*delete its Node object, or run: kubectl delete pod -n crm contacts-old --force/,
  );
});

test("a claim without a volume is named where the scheduler says nothing", () => {
  const look = lookOfRunning();
  const claims = look.claims.map((claim) => ({ ...claim, bound: false, storageClassName: "fast" }));
  const next = notStarted({ createdAtMs }, { node: undefined, worker: undefined });
  expect(waitingFor({ ...look, claims, runPods: [next] }, startedAt).message).toContain(
    "PersistentVolumeClaim contacts-queue has no volume. See that storage class fast exists and that its provisioner runs: kubectl describe pvc -n crm contacts-queue says more",
  );
});

test("Recovering says since when no worker was ready: a minute before it is told, and the same at every look", () => {
  const world = running();
  world.kubelets("unready");
  world.operator.catchUp();
  looks(world);
  const leftAt = world.api.nowMs;
  world.advance(60 * seconds);
  looks(world);
  const message = () => world.condition("Ready")?.message ?? "";
  expect(message()).toContain(`No ready worker since ${new Date(leftAt).toISOString().slice(0, 19)}Z. `);
  const told = message();
  world.advance(10 * minutes);
  looks(world);
  expect(message()).toBe(told);
});
