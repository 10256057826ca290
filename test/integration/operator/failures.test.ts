import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { type Expectation, messageLike } from "../../failures/expectation.ts";
import { noteMeasured } from "../../failures/measured.ts";
import { played } from "../../failures/played.ts";
import { Ground, patience } from "./ground.ts";

type Played = keyof typeof played;

const lostNode = "lost";
let ground: Ground;
/** Where the node is lost: it takes two minutes, while the rest is tried. */
let losing: Ground;
let lostAtMs: number;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
  losing = await Ground.make(inject("kubeconfig"));
  await losing.operator();
  lostAtMs = await loseNode();
});
afterAll(async () => {
  await losing?.kubectl("delete", "node", lostNode, "--ignore-not-found");
  await losing?.end();
  await ground?.end();
});

function readyOf({ conditions = [] }: WorkflowStatus) {
  return conditions.find(({ type }) => type === "Ready");
}

/** Waits until it is told as it must be, and writes down how long that took from `causedAtMs`. */
async function isTold(
  name: Played,
  causedAtMs: number,
  on = ground,
  timeout = patience.timeout,
): Promise<WorkflowStatus> {
  const { state, reason, message }: Expectation = played[name];
  const pattern = messageLike(message);
  const status = await vi.waitFor(
    async () => {
      const now = await on.status(name);
      const ready = readyOf(now);
      const holds = ready?.reason === reason && pattern.test(ready.message) && [now.state, "as it was"].includes(state);
      if (!holds) throw new Error(`not told: ${JSON.stringify(now)}`);
      return now;
    },
    { timeout, interval: 100 },
  );
  if (state === "FAILED") expect(status.failure).toMatchObject({ reason, message: readyOf(status)?.message });
  const told = { seconds: (Date.now() - causedAtMs) / 1000, message: readyOf(status)?.message ?? "" };
  noteMeasured(name, told, process.env);
  return status;
}

async function runs(name: Played, on = ground, changes: object = {}): Promise<void> {
  on.kubelet.behaviour.start = "up";
  await on.apply(name, { state: "Running", ...changes });
  await on.until(name, { state: "RUNNING" });
}

async function loseNode(): Promise<number> {
  const at = new Date().toISOString();
  const kubelet = { type: "Ready", status: "True", reason: "KubeletReady", message: "" };
  const conditions = [{ ...kubelet, lastHeartbeatTime: at, lastTransitionTime: at }];
  await losing.server.kubectl(["create", "-f", "-"], { apiVersion: "v1", kind: "Node", metadata: { name: lostNode } });
  const patch = JSON.stringify({ status: { conditions } });
  await losing.kubectl("patch", "node", lostNode, "--subresource=status", "--type=merge", "-p", patch);
  losing.kubelet.behaviour.node = lostNode;
  await runs("node-lost", losing);
  // From now on the played kubelet does nothing, as it would.
  losing.kubelet.behaviour.start = "slow";
  return Date.now();
}

/** Without a ready worker for so long, by the operator's own words. */
function isAfter60s(status: WorkflowStatus, notReadySinceMs: number): void {
  const left = status.transitions?.find(({ from }) => from === "RUNNING")?.at ?? "";
  expect(Date.parse(left) - Math.floor(notReadySinceMs / 1000) * 1000).toBeGreaterThanOrEqual(59_000);
}

const tells: Readonly<Record<Played, () => Promise<unknown>>> = {
  "pod-evicted": async () => {
    await runs("pod-evicted");
    ground.kubelet.behaviour.start = "slow";
    const [pod] = await ground.pods("pod-evicted");
    const causedAtMs = Date.now();
    const lastTransitionTime = new Date(causedAtMs).toISOString();
    // Source: managerImpl.evictPod of the kubelet, 1.36
    const condition = { type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet", lastTransitionTime };
    const status = {
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. ",
      conditions: [condition, { type: "Ready", status: "False", reason: "PodFailed", lastTransitionTime }],
    };
    const patch = JSON.stringify({ status });
    await ground.kubectl("patch", "pod", pod?.metadata.name ?? "", "--subresource=status", "--type=merge", "-p", patch);
    isAfter60s(await isTold("pod-evicted", causedAtMs, ground, 180_000), causedAtMs);
  },
  "node-lost": async () => {
    const status = await isTold("node-lost", lostAtMs, losing, 400_000);
    const [pod] = await losing.pods("node-lost");
    const notReady = pod?.status?.conditions?.find(({ type }) => type === "Ready");
    isAfter60s(status, Date.parse(String(notReady?.lastTransitionTime)));
  },
  "pod-not-ending": async () => {
    await runs("pod-not-ending", ground, { worker: { terminationGracePeriodSeconds: 5 } });
    ground.kubelet.behaviour.lastWords = "hangs";
    await ground.patch("pod-not-ending", { state: "Stopped" });
    await isTold("pod-not-ending", Date.now(), ground, 120_000);
    expect((await ground.status("pod-not-ending")).state).toBe("RUNNING");
    ground.kubelet.behaviour.lastWords = undefined;
    ground.kubelet.touchAll();
    await ground.until("pod-not-ending", { state: "STOPPED" });
  },
  "image-not-permitted": () => refused("image-not-permitted", { worker: { image: "registry.example/other:1" } }),
  "account-not-permitted": () =>
    refused("account-not-permitted", { worker: { template: { serviceAccountName: "other" } } }),
  "name-conflict": async () => {
    await ground.kubectl("create", "deployment", "name-conflict", "--image=nothing", "--replicas=0");
    await refused("name-conflict");
  },
  "revision-lost": async () => {
    await runs("revision-lost");
    for (const operator of ground.operators) await operator.stop();
    const pin = (await ground.status("revision-lost")).appliedRevision?.name ?? "";
    await ground.kubectl("delete", "configmap", pin);
    await ground.patch("revision-lost", { worker: { terminationGracePeriodSeconds: 90 } });
    const causedAtMs = Date.now();
    await ground.operator();
    await isTold("revision-lost", causedAtMs);
  },
  "queue-not-empty": async () => {
    await runs("queue-not-empty", ground, { queue: { volume: { storageClassName: "one" } } });
    ground.kubelet.behaviour.lastWords = { reason: "Stopped", message: "", backlog: 3 };
    await ground.patch("queue-not-empty", { state: "Stopped" });
    await ground.until("queue-not-empty", { state: "STOPPED", backlog: 3 });
    await ground.patch("queue-not-empty", { state: "Running", queue: { volume: { storageClassName: "other" } } });
    await isTold("queue-not-empty", Date.now());
  },
};

async function refused(name: Played, changes: object = {}): Promise<void> {
  await ground.apply(name, { state: "Running", ...changes });
  await isTold(name, Date.now());
  expect(await ground.pods(name)).toEqual([]);
}

describe("a failure is told: its state, its reason, what happened and what to do", () => {
  const quick = (Object.keys(tells) as Played[]).filter((name) => name !== "node-lost");
  test.each([...quick, "node-lost"] as const)("%s", { timeout: 480_000 }, async (name) => {
    await tells[name]();
  });
});
