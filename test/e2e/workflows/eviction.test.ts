import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadContacts } from "./contacts.ts";
import { type Ground, prepareGround } from "./ground.ts";
import type { Kubectl, KubernetesObject } from "./kubectl.ts";
import { contactFields, contactsWorkflow, type Pod, pods, untilStatus, workflow } from "./workflow.ts";

/** A worker's pod goes in all the ways that a real node knows, while an edit waits: what runs stays what was pinned. */
const name = "moved";
const ofWorkflow = `integrationworkflow.io/workflow=${name}`;
let ground: Ground;
let sight: Sight;

beforeAll(async () => {
  ground = await prepareGround("eviction");
  await loadContacts(ground.sandbox, 100);
  await ground.kubectl.apply(contactsWorkflow({ name, ...ground }));
  sight = watchPods(ground.kubectl);
  await isRunning();
  const fields = contactFields.filter(({ field }) => field !== "middleName");
  const edit = JSON.stringify([{ op: "replace", path: "/spec/ingress/mappings/0/fields", value: fields }]);
  await ground.kubectl.run(["patch", "iw", name, "--type=json", "-p", edit]);
  await untilStatus(ground.kubectl, name, "pending", ({ pendingRestart }) => pendingRestart === true);
});
afterAll(() => {
  sight?.close();
  ground?.close();
});

interface WatchedPod extends Pod {
  readonly spec: Pod["spec"] & {
    readonly volumes: readonly {
      readonly projected?: { readonly sources: readonly { readonly configMap?: { readonly name: string } }[] };
    }[];
  };
}

interface Sight {
  /** Run and revision of each pod that was ever there, by its name. */
  readonly ran: ReadonlyMap<string, string>;
  /** Each time that unfinished pods of two runs were there at once. */
  readonly overlaps: readonly string[];
  close(): void;
}

/** Sees every pod of the workflow from its first moment to its last. */
function watchPods(kubectl: Kubectl): Sight {
  const child = kubectl.start(["get", "pods", "-l", ofWorkflow, "--watch", "--output-watch-events", "-o", "json"]);
  const ran = new Map<string, string>();
  const unfinished = new Map<string, string>();
  const overlaps: string[] = [];
  // An event is a line.
  createInterface({ input: child.stdout }).on("line", (line) =>
    note(JSON.parse(line) as { type: string; object: WatchedPod }),
  );
  function note({ type, object: { metadata, spec, status } }: { type: string; object: WatchedPod }): void {
    const run = metadata.labels?.["integrationworkflow.io/run"] ?? "";
    const sources = spec.volumes.flatMap(({ projected }) => projected?.sources ?? []);
    ran.set(metadata.name, `run ${run} of ${sources.find(({ configMap }) => configMap)?.configMap?.name}`);
    if (type === "DELETED" || ["Succeeded", "Failed"].includes(status.phase)) unfinished.delete(metadata.name);
    else unfinished.set(metadata.name, run);
    if (new Set(unfinished.values()).size > 1) overlaps.push([...unfinished.entries()].join("; "));
  }
  return { ran, overlaps, close: () => child.kill() };
}

function isRunning(run = 1) {
  return untilStatus(
    ground.kubectl,
    name,
    `run ${run} is RUNNING, everything written`,
    ({ state, backlog, appliedRevision }) => state === "RUNNING" && backlog === 0 && appliedRevision?.run === run,
  );
}

async function onlyPod(): Promise<Pod> {
  const [pod, ...more] = (await pods(ground.kubectl, name)).filter(({ status }) => status.phase === "Running");
  if (pod === undefined || more.length > 0) throw new Error("not one pod");
  return pod;
}

/** Waits until another pod is ready, and then for the status to say so. */
async function isReplaced(former: Pod): Promise<void> {
  await vi.waitFor(
    async () => {
      const all = await pods(ground.kubectl, name);
      const ready = all.filter(({ status }) => status.phase === "Running" && status.containerStatuses?.[0]?.ready);
      expect(ready.map(({ metadata }) => metadata.uid)).toEqual([expect.not.stringMatching(former.metadata.uid)]);
    },
    { timeout: 180_000, interval: 500 },
  );
  const { status } = await isRunning();
  expect(status.pendingRestart).toBe(true);
  const revision = `run 1 of ${status.appliedRevision?.name}`;
  expect([...new Set(sight.ran.values())]).toEqual([revision]);
}

async function template() {
  const [deployment] = await ground.kubectl.list<KubernetesObject & { spec: { template: unknown } }>(
    "deployments",
    ofWorkflow,
  );
  return deployment?.spec.template;
}

test("a node that is drained takes the pod, and what comes after it runs the pinned revision", async () => {
  const { kubectl } = ground;
  const [former, before] = [await onlyPod(), await template()];
  const node = former.spec.nodeName ?? "";
  const drain = ["drain", node, "--delete-emptydir-data", "--ignore-daemonsets", "--pod-selector", ofWorkflow];
  await kubectl.run([...drain, "--timeout=120s"]);
  try {
    // Nothing is placed while the node takes none.
    await untilStatus(kubectl, name, "told", ({ conditions = [] }) =>
      conditions.some(({ message }) => /unschedulable/i.test(message)),
    );
  } finally {
    await kubectl.run(["uncordon", node]);
  }
  await isReplaced(former);
  expect(await template()).toEqual(before);
});

test("a pod that is deleted without its grace period is followed by one of the pinned revision", async () => {
  const [former, before] = [await onlyPod(), await template()];
  await ground.kubectl.run(["delete", "pod", former.metadata.name, "--force", "--grace-period=0"]);
  await isReplaced(former);
  expect(await template()).toEqual(before);
});

test("a pod that the kubelet ends for good, as in an eviction, is followed by one of the pinned revision, and counts for nothing any more", async () => {
  const { kubectl } = ground;
  const [former, before] = [await onlyPod(), await template()];
  // The test's kubelet evicts nothing, whatever is short: the host's disk and memory are not its own. This it does enforce.
  await kubectl.mergePatch("pod", former.metadata.name, { spec: { activeDeadlineSeconds: 1 } });
  await vi.waitFor(
    async () => {
      const pod = await kubectl.json<Pod & { status: { reason?: string } }>(["get", "pod", former.metadata.name]);
      expect(pod.status).toMatchObject({ phase: "Failed", reason: "DeadlineExceeded" });
    },
    { timeout: 180_000, interval: 500 },
  );
  await isReplaced(former);
  expect(await template()).toEqual(before);
  expect((await pods(kubectl, name)).map(({ metadata }) => metadata.uid)).toContain(former.metadata.uid);
});

test("the restart after all that is one run more, with the edit, and two runs never had pods at once", async () => {
  const before = await workflow(ground.kubectl, name);
  await ground.kubectl.mergePatch("iw", name, { spec: { restart: "now" } });
  const { status } = await isRunning(2);
  expect(status).toMatchObject({ pendingRestart: false, handledRestart: "now" });
  expect(status.appliedRevision?.name).not.toBe(before.status.appliedRevision?.name);
  expect(new Set(sight.ran.values()).size).toBe(2);
  expect(sight.overlaps).toEqual([]);
});
