import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import { Ground, patience } from "../ground.ts";
import { Witness } from "./witness.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** Starts, stops and restarts in every order and at every pace: one run at a time, and each ask is carried out once. */
let ground: Ground;
let witness: Witness;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  witness = new Witness(ground.client, ground.namespace);
  await witness.start();
  await ground.operator();
});
afterAll(async () => {
  expect(witness?.overlaps).toEqual([]);
  await witness?.stop();
  await ground?.end();
});

const run = (number: number) => ({ run: number }) as never;

/** Pods end when the test says so. */
async function whileNoPodEnds(act: () => Promise<void>): Promise<void> {
  ground.kubelet.behaviour.lastWords = "hangs";
  try {
    await act();
  } finally {
    ground.kubelet.behaviour.lastWords = undefined;
    ground.kubelet.touchAll();
  }
}

async function isStopping(name: string, message = /^Waiting for pod/): Promise<void> {
  await vi.waitFor(
    async () =>
      expect(await ground.condition(name, "Ready")).toMatchObject({
        status: "False",
        reason: "Stopping",
        message: expect.stringMatching(message),
      }),
    patience,
  );
}

async function recordOf(name: string) {
  return readRecord((await ground.deployment(name)).metadata.annotations?.[runsAnnotation]);
}

test("a stop while it starts ends the run before a worker was ever ready", async () => {
  ground.kubelet.behaviour.start = "slow";
  await ground.apply("early-stop", { state: "Running" });
  await ground.until("early-stop", { state: "STARTING", appliedRevision: run(1) });
  await vi.waitFor(async () => expect(await ground.pods("early-stop")).toHaveLength(1), patience);
  await ground.patch("early-stop", { state: "Stopped" });
  await ground.until("early-stop", { state: "STOPPED" });
  expect(await ground.unfinishedPods("early-stop")).toEqual([]);
  ground.kubelet.behaviour.start = "up";
  const { transitions } = await ground.status("early-stop");
  expect(transitions?.map(({ to }) => to)).toEqual(["STOPPED", "STARTING"]);
});

test("a start while it stops waits for the last pod, and is a new run with what was edited meanwhile", async () => {
  await ground.started("eager");
  await whileNoPodEnds(async () => {
    await ground.patch("eager", { state: "Stopped" });
    await isStopping("eager");
    await ground.patch("eager", { state: "Running", worker: { terminationGracePeriodSeconds: 90 } });
    await isStopping("eager");
    await ground.until("eager", { state: "RUNNING", appliedRevision: run(1), observedGeneration: 3 });
    expect((await ground.deployment("eager")).spec?.replicas).toBe(0);
  });
  await ground.until("eager", { state: "RUNNING", appliedRevision: run(2), pendingRestart: false });
  expect((await ground.deployment("eager")).spec?.template.spec?.terminationGracePeriodSeconds).toBe(90);
});

test("the state keeps its last word while it stops, and STOPPED is said when the last pod has ended", async () => {
  await ground.started("last-word");
  await whileNoPodEnds(async () => {
    await ground.patch("last-word", { state: "Stopped" });
    await isStopping("last-word");
    expect(await ground.status("last-word")).toMatchObject({ state: "RUNNING" });
  });
  await ground.until("last-word", { state: "STOPPED" });
  expect(await ground.unfinishedPods("last-word")).toEqual([]);
});

test("finished pods that an eviction left behind hold back neither STOPPED nor the next start", async () => {
  await ground.started("evicted");
  const [pod] = await ground.pods("evicted");
  const status = JSON.stringify({ status: { phase: "Failed", reason: "Evicted", message: "low on memory" } });
  await ground.kubectl("patch", "pod", pod?.metadata.name ?? "", "--type=merge", "--subresource=status", "-p", status);
  await vi.waitFor(async () => expect(await ground.pods("evicted")).toHaveLength(2), patience);
  // Nobody's any more: no controller will ever remove it.
  await ground.kubectl("patch", "pod", pod?.metadata.name ?? "", "--type=json", "-p", orphaned);
  await ground.patch("evicted", { state: "Stopped" });
  await ground.until("evicted", { state: "STOPPED" });
  expect(await ground.unfinishedPods("evicted")).toEqual([]);
  expect((await ground.pods("evicted")).map(({ metadata }) => metadata.name)).toContain(pod?.metadata.name);
  await ground.patch("evicted", { state: "Running" });
  await ground.until("evicted", { state: "RUNNING", appliedRevision: run(2) });
});

const orphaned = JSON.stringify([{ op: "remove", path: "/metadata/ownerReferences" }]);

test("a pod with the workflow's label holds back the start whoever owns it, and the message names it", async () => {
  await ground.apply("strange");
  await ground.until("strange", { state: "STOPPED" });
  const labels = { "integrationworkflow.io/workflow": "strange" };
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 1,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  };
  await ground.server.kubectl(["apply", "-f", "-"], {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "strange-pod", namespace: ground.namespace, labels },
    spec: { containers: [{ name: "worker", image: "x", securityContext }] },
  });
  await vi.waitFor(async () => expect((await ground.pods("strange"))[0]?.status?.phase).toBe("Running"), patience);
  await ground.patch("strange", { state: "Running" });
  await vi.waitFor(
    async () =>
      expect((await ground.condition("strange", "Ready"))?.message).toContain(
        `Waiting for pod strange-pod on node played: it has the workflow's label`,
      ),
    patience,
  );
  expect((await ground.status("strange")).appliedRevision).toBeUndefined();
  await ground.kubectl("delete", "pod", "strange-pod");
  await ground.until("strange", { state: "RUNNING", appliedRevision: run(1) });
});

test("toggles faster than the operator looks are one edit: what runs goes on, and pendingRestart says what waits", async () => {
  await ground.started("toggled");
  const [pod] = await ground.pods("toggled");
  // One that is not there does not look at all.
  await ground.operators.at(-1)?.kill();
  for (let count = 0; count < 5; count += 1) {
    await ground.patch("toggled", { state: "Stopped" });
    await ground.patch("toggled", { state: "Running", worker: { terminationGracePeriodSeconds: 61 + count } });
  }
  await ground.operator();
  await ground.until("toggled", { state: "RUNNING", pendingRestart: true, observedGeneration: 11 });
  expect((await ground.pods("toggled")).map(({ metadata }) => metadata.uid)).toEqual([pod?.metadata.uid]);
  expect((await ground.status("toggled")).appliedRevision).toMatchObject(run(1));
  // The sure way brings the last of them.
  await ground.patch("toggled", { restart: "now" });
  await ground.until("toggled", { state: "RUNNING", pendingRestart: false, handledRestart: "now" });
  expect((await ground.deployment("toggled")).spec?.template.spec?.terminationGracePeriodSeconds).toBe(65);
});

test("toggles at any pace end as the last one says, each run after the one before", async () => {
  const names = Array.from({ length: 6 }, (_, index) => `paced-${index}`);
  await Promise.all(
    names.map(async (name, index) => {
      await ground.apply(name, { state: "Running" });
      for (let count = 0; count < 6; count += 1) {
        await ground.patch(name, { state: count % 2 === 0 ? "Stopped" : "Running" });
        // Every one at another pace: from at once to after the stop, or the start, was told.
        const seen = (await ground.workflow(name)).metadata.generation;
        if (index % 3 > 0) await ground.until(name, { observedGeneration: seen });
        if (index % 3 > 1) await ground.until(name, { state: count % 2 === 0 ? "STOPPED" : "RUNNING" });
      }
      if (index >= 3) await ground.patch(name, { state: "Stopped" });
      await ground.until(name, { state: index >= 3 ? "STOPPED" : "RUNNING", observedGeneration: index >= 3 ? 8 : 7 });
      const { runs = [] } = (await recordOf(name)) ?? {};
      expect(runs.map(({ run: number }) => number)).toEqual(runs.map((_, place) => runs.length - place));
    }),
  );
});

test("a restart that is set twice before it is handled is one restart, of the last value", async () => {
  await ground.started("twice");
  await whileNoPodEnds(async () => {
    await ground.patch("twice", { restart: "first" });
    await isStopping("twice");
    await ground.patch("twice", { restart: "second" });
    await ground.until("twice", { observedGeneration: 3 });
  });
  await ground.until("twice", { state: "RUNNING", handledRestart: "second" });
  expect((await recordOf("twice"))?.runs.map(({ run: number }) => number)).toEqual([2, 1]);
});

test("a restart during a stop is handled by the next start, and by it alone", async () => {
  await ground.started("restart-in-stop");
  await whileNoPodEnds(async () => {
    await ground.patch("restart-in-stop", { state: "Stopped" });
    await isStopping("restart-in-stop");
    await ground.patch("restart-in-stop", { restart: "while stopping" });
    await ground.until("restart-in-stop", { observedGeneration: 3 });
  });
  await ground.until("restart-in-stop", { state: "STOPPED" });
  expect((await ground.status("restart-in-stop")).handledRestart).toBeUndefined();
  await ground.patch("restart-in-stop", { state: "Running" });
  await ground.until("restart-in-stop", {
    state: "RUNNING",
    handledRestart: "while stopping",
    appliedRevision: run(2),
  });
});

test("a stop during a restart stops it, and the restart is handled by the next start", async () => {
  await ground.started("stop-in-restart");
  await whileNoPodEnds(async () => {
    await ground.patch("stop-in-restart", { restart: "given up" });
    await isStopping("stop-in-restart");
    await ground.patch("stop-in-restart", { state: "Stopped" });
    await ground.until("stop-in-restart", { observedGeneration: 3 });
  });
  await ground.until("stop-in-restart", { state: "STOPPED" });
  expect((await recordOf("stop-in-restart"))?.runs).toHaveLength(1);
  await ground.patch("stop-in-restart", { state: "Running" });
  await ground.until("stop-in-restart", { state: "RUNNING", handledRestart: "given up", appliedRevision: run(2) });
});

test("a restart while it starts is a stop and one start", async () => {
  ground.kubelet.behaviour.start = "slow";
  await ground.apply("impatient", { state: "Running" });
  await ground.until("impatient", { state: "STARTING", appliedRevision: run(1) });
  await ground.patch("impatient", { restart: "again" });
  await ground.until("impatient", { state: "STARTING", handledRestart: "again", appliedRevision: run(2) });
  ground.kubelet.behaviour.start = "up";
  ground.kubelet.touchAll();
  await ground.until("impatient", { state: "RUNNING", appliedRevision: run(2) });
});

test("a restart that is removed, or given again, does nothing", async () => {
  await ground.started("removed", { restart: "one" });
  const [pod] = await ground.pods("removed");
  await ground.patch("removed", { restart: null });
  await ground.until("removed", { observedGeneration: 2, handledRestart: "one" });
  await ground.patch("removed", { restart: "one" });
  await ground.until("removed", { observedGeneration: 3, state: "RUNNING", appliedRevision: run(1) });
  expect((await ground.pods("removed")).map(({ metadata }) => metadata.uid)).toEqual([pod?.metadata.uid]);
});

test("a Deployment deleted during a stop, or during a restart, keeps neither from its end", async () => {
  for (const [name, ask, expected] of [
    ["gone-in-stop", { state: "Stopped" }, { state: "STOPPED" }],
    ["gone-in-restart", { restart: "now" }, { state: "RUNNING", handledRestart: "now", appliedRevision: run(2) }],
  ] as const) {
    await ground.started(name);
    await whileNoPodEnds(async () => {
      await ground.patch(name, ask);
      await isStopping(name);
      await ground.kubectl("delete", "deployment", name);
      await isStopping(name);
    });
    await ground.until(name, expected);
  }
});

test("a workflow deleted and made again at once waits until everything of the earlier one is gone", async () => {
  await ground.started("reborn");
  const before = (await ground.deployment("reborn")).metadata.uid;
  await whileNoPodEnds(async () => {
    await ground.kubectl("delete", "iw", "reborn");
    await ground.apply("reborn", { state: "Running" });
    await vi.waitFor(
      async () => expect((await ground.condition("reborn", "Ready"))?.message).toMatch(/^Waiting for /),
      patience,
    );
    await vi.waitFor(
      async () => expect((await ground.condition("reborn", "Ready"))?.message).toMatch(/^Waiting for pod reborn-/),
      patience,
    );
    expect((await ground.status("reborn")).appliedRevision).toBeUndefined();
  });
  await ground.until("reborn", { state: "RUNNING", appliedRevision: run(1) });
  expect((await ground.deployment("reborn")).metadata.uid).not.toBe(before);
});

test("a run that is stopped ends also when its Deployment was deleted and its ReplicaSet left behind: the message says what to do", async () => {
  await ground.started("orphan");
  await ground.operators.at(-1)?.kill();
  await ground.patch("orphan", { state: "Stopped" });
  await ground.kubectl("delete", "deployment", "orphan", "--cascade=orphan");
  await ground.operator();
  await isStopping("orphan", /^Waiting for ReplicaSet orphan-\S+ to be scaled to 0.*kubectl delete replicaset/);
  await ground.kubectl("delete", "replicaset", "-l", "integrationworkflow.io/workflow=orphan");
  await ground.until("orphan", { state: "STOPPED" });
});
