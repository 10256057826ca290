import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { Ground, patience } from "../ground.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** The queue's volume: what it holds is not lost by an edit, and it goes with the workflow only if that was asked for. */
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
});
afterAll(() => ground?.end());

const volume = (changes: object) => ({ queue: { volume: changes } });
const fast = volume({ storageClassName: "fast" });

/** Stopped, with so many records in its queue by its worker's last words. */
async function stoppedWith(name: string, backlog: number): Promise<void> {
  ground.kubelet.behaviour.lastWords = { reason: "Stopped", message: "as asked", backlog };
  await ground.patch(name, { state: "Stopped" });
  await ground.until(name, { state: "STOPPED", backlog, backlogEstimated: false });
}

const claimsOf = async (name: string) =>
  (
    await ground.kubectl(
      "get",
      "pvc",
      "-l",
      `integrationworkflow.io/workflow=${name}`,
      "-o",
      "jsonpath={.items[*].metadata.name}",
    )
  )
    .split(" ")
    .filter(Boolean)
    .sort();

async function claimMounted(name: string): Promise<string | undefined> {
  const volumes = (await ground.deployment(name)).spec?.template.spec?.volumes ?? [];
  return volumes.find(({ persistentVolumeClaim }) => persistentVolumeClaim)?.persistentVolumeClaim?.claimName;
}

const isQueueNotEmpty = (name: string) =>
  ground.until(name, { state: "FAILED", failure: { reason: "QueueNotEmpty" } as never });

test("the queue is not moved to another storage class while records wait in it: QueueNotEmpty, with the ways out, which work", async () => {
  await ground.started("moved");
  await stoppedWith("moved", 7);
  await ground.patch("moved", { state: "Running", ...fast });
  const { failure } = await isQueueNotEmpty("moved");
  expect(failure?.message).toMatch(
    /volume claim moved-queue to volume claim moved-queue-[0-9a-f]{4} while records wait/,
  );
  expect(failure?.message).toContain("put spec.queue back, start, let the backlog drain to 0, stop, and move then");
  expect(await ground.unfinishedPods("moved")).toEqual([]);
  expect(await claimsOf("moved")).toEqual(["moved-queue"]);

  await ground.patch("moved", { queue: null });
  await ground.until("moved", { state: "RUNNING", appliedRevision: { run: 2 } as never });
  expect(await claimMounted("moved")).toBe("moved-queue");
  await stoppedWith("moved", 0);
  await ground.patch("moved", { state: "Running", ...fast });
  await ground.until("moved", { state: "RUNNING", appliedRevision: { run: 3 } as never });
  expect(await claimMounted("moved")).toMatch(/^moved-queue-[0-9a-f]{4}$/);
  // Nothing that holds records is ever deleted by the operator.
  expect(await claimsOf("moved")).toEqual(["moved-queue", await claimMounted("moved")]);
});

test("nor to a database, nor by a restart while it runs, nor when its pin is gone", async () => {
  await ground.started("to-database");
  await stoppedWith("to-database", 7);
  const database = { queue: { volume: null, postgres: { credentialsSecretRef: { name: "queue-database" } } } };
  await ground.patch("to-database", { state: "Running", ...database });
  const { failure } = await isQueueNotEmpty("to-database");
  expect(failure?.message).toContain("from volume claim to-database-queue to a database");
  await ground.patch("to-database", { state: "Stopped" });
  await ground.until("to-database", { state: "STOPPED" });
  await ground.operators.at(-1)?.stop();
  await ground.kubectl("delete", "configmap", "-l", "integrationworkflow.io/workflow=to-database");
  await ground.operator();
  await ground.patch("to-database", { state: "Running" });
  await isQueueNotEmpty("to-database");

  // Another run, which ends with records in its queue, and not by a person's stop.
  await ground.started("restarted");
  ground.kubelet.behaviour.lastWords = { reason: "Stopped", message: "as asked", backlog: 3 };
  await ground.patch("restarted", { restart: "now", ...fast });
  await isQueueNotEmpty("restarted");
  expect(await claimsOf("restarted")).toEqual(["restarted-queue"]);
});

test("whoever deletes the claim gives up what waits in it, and the start goes on by itself", async () => {
  await ground.started("given-up");
  await stoppedWith("given-up", 7);
  await ground.patch("given-up", { state: "Running", ...fast });
  const { failure } = await isQueueNotEmpty("given-up");
  const [, claim = ""] = /deleting PersistentVolumeClaim (\S+)$/.exec(failure?.message ?? "") ?? [];
  expect(claim).toBe("given-up-queue");
  await ground.kubectl("delete", "pvc", claim, "--wait=false");
  await ground.until("given-up", { state: "RUNNING", appliedRevision: { run: 2 } as never });
});

test("whenDeleted takes force at once, while it runs, both ways, and is no edit that waits", async () => {
  await ground.started("kept");
  const [pod] = await ground.pods("kept");
  const owners = () => ground.kubectl("get", "pvc", "kept-queue", "-o", "jsonpath={.metadata.ownerReferences[*].kind}");
  for (const [whenDeleted, expected] of [
    ["Delete", "IntegrationWorkflow"],
    ["Retain", ""],
  ] as const) {
    await ground.patch("kept", volume({ whenDeleted }));
    await vi.waitFor(async () => expect(await owners()).toBe(expected), patience);
    await ground.until("kept", { state: "RUNNING", pendingRestart: false, pendingChangeCount: 0 });
  }
  expect((await ground.pods("kept")).map(({ metadata }) => metadata.uid)).toEqual([pod?.metadata.uid]);
});

test("a claim that is kept is found again by its labels when the workflow comes back, and its records with it", async () => {
  await ground.started("back", fast);
  const claims = await claimsOf("back");
  const uid = await ground.kubectl("get", "pvc", claims[0] ?? "", "-o", "jsonpath={.metadata.uid}");
  await ground.kubectl("delete", "iw", "back", "--cascade=foreground");
  await ground.started("back", fast);
  expect(await claimsOf("back")).toEqual(claims);
  expect(await claimMounted("back")).toBe(claims[0]);
  expect(await ground.kubectl("get", "pvc", claims[0] ?? "", "-o", "jsonpath={.metadata.uid}")).toBe(uid);
});

test("a storage class that cannot make its volumes larger keeps no workflow from starting: it is told by an Event", async () => {
  await ground.started("larger", volume({ size: "1Gi" }));
  await ground.patch("larger", { ...volume({ size: "2Gi" }) });
  await ground.until("larger", { pendingRestart: true });
  await ground.patch("larger", { restart: "larger" });
  await ground.until("larger", { state: "RUNNING", handledRestart: "larger", pendingRestart: false });
  await vi.waitFor(
    async () =>
      expect(await ground.events("larger", "Refused")).toEqual([
        expect.stringContaining("PersistentVolumeClaim larger-queue"),
      ]),
    patience,
  );
});

test("a volume does not shrink: the API server says so", async () => {
  await ground.apply("shrunk", volume({ size: "2Gi" }));
  await expect(ground.patch("shrunk", volume({ size: "1Gi" }))).rejects.toThrow(/queue\.volume\.size/);
});
