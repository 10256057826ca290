import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { effectiveSpec } from "../../../../src/api/configuration.ts";
import { Ground, patience } from "../ground.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** Whose objects are whose: nothing of anybody else is taken over, and what goes is waited for. */
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
});
afterAll(() => ground?.end());

const run = (number: number) => ({ run: number }) as never;

async function saysReady(name: string, message: RegExp, timeout = patience.timeout): Promise<string> {
  await vi.waitFor(
    async () =>
      expect(await ground.condition(name, "Ready")).toMatchObject({
        status: "False",
        message: expect.stringMatching(message),
      }),
    { ...patience, timeout },
  );
  return (await ground.condition(name, "Ready"))?.message ?? "";
}

/** What moves with every write of anybody, but of a Deployment's own controller, which goes on to write when it was made. */
async function versionOf(kind: string, name: string): Promise<string> {
  if (kind !== "Deployment")
    return ground.kubectl("get", kind, name, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion}");
  const { metadata, ...object } = await ground.askedOf(name);
  // Its own controller writes the one, before or after it is looked at first.
  const { "deployment.kubernetes.io/revision": _, ...annotations } = metadata.annotations ?? {};
  return JSON.stringify([object, { ...metadata, annotations: undefined }, annotations]);
}

const foreign: Readonly<Record<string, { name: (workflow: string) => string; spec: object; apiVersion: string }>> = {
  Deployment: {
    apiVersion: "apps/v1",
    name: (workflow) => workflow,
    spec: {
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "x" } },
        template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "x", image: "x" }] } },
      },
    },
  },
  PersistentVolumeClaim: {
    apiVersion: "v1",
    name: (workflow) => `${workflow}-queue`,
    spec: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
  },
  NetworkPolicy: {
    apiVersion: "networking.k8s.io/v1",
    name: (workflow) => `${workflow}-worker`,
    spec: { spec: { podSelector: {}, policyTypes: ["Egress"] } },
  },
};

function manifest(kind: string, workflow: string, metadata: object = {}): object {
  const { apiVersion = "", name, spec } = foreign[kind] ?? {};
  return { apiVersion, kind, metadata: { name: name?.(workflow), namespace: ground.namespace, ...metadata }, ...spec };
}

const kinds = Object.keys(foreign);
const looks = [
  { look: "without labels", metadataOf: () => ({}), owner: "nobody that Kubernetes knows of" },
  {
    look: "with our labels and another owner",
    metadataOf: (name: string, uid: string) => ({
      labels: {
        "integrationworkflow.io/workflow": name,
        "app.kubernetes.io/managed-by": "integration-workflow-operator",
      },
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid, controller: true }],
    }),
    owner: "ConfigMap owner",
  },
];

test.concurrent.each(kinds.flatMap((kind) => looks.map((look) => ({ kind, ...look }))))(
  "a $kind of the derived name, $look, is not touched: NameConflict names it, until it is gone",
  async ({ kind, look, metadataOf, owner }) => {
    const workflow = `${kind.toLowerCase().slice(0, 10)}-${look.length}`;
    const name = foreign[kind]?.name(workflow) ?? "";
    const uid = await ownerUid();
    await ground.server.kubectl(["create", "-f", "-"], manifest(kind, workflow, metadataOf(workflow, uid)));
    const before = await versionOf(kind, name);
    await ground.apply(workflow, { state: "Running" });
    const { failure } = await ground.until(workflow, { state: "FAILED", failure: { reason: "NameConflict" } as never });
    expect(failure?.message).toContain(`${kind} ${name} belongs to ${owner}`);
    expect((await ground.status(workflow)).appliedRevision).toBeUndefined();
    expect(await ground.pods(workflow)).toEqual([]);
    expect(await versionOf(kind, name)).toBe(before);
    await ground.kubectl("delete", kind, name);
    await ground.until(workflow, { state: "RUNNING", appliedRevision: run(1) });
  },
);

async function ownerUid(): Promise<string> {
  await ground.kubectl("create", "configmap", "owner").catch(() => undefined);
  return ground.kubectl("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}");
}

test.concurrent("a ConfigMap with the name of the pin that a start needs is not touched: NameConflict, until it is gone", async () => {
  await ground.started("pin-taken");
  const pin = (await ground.status("pin-taken")).appliedRevision?.name ?? "";
  await ground.patch("pin-taken", { state: "Stopped" });
  await ground.until("pin-taken", { state: "STOPPED" });
  await ground.kubectl("delete", "configmap", pin);
  await ground.kubectl("create", "configmap", pin, "--from-literal=mine=yes");
  const before = await versionOf("configmap", pin);
  await ground.patch("pin-taken", { state: "Running" });
  const { failure } = await ground.until("pin-taken", {
    state: "FAILED",
    failure: { reason: "NameConflict" } as never,
  });
  expect(failure?.message).toContain(`ConfigMap ${pin} belongs to nobody`);
  expect(await versionOf("configmap", pin)).toBe(before);
  await ground.kubectl("delete", "configmap", pin);
  await ground.until("pin-taken", { state: "RUNNING", appliedRevision: run(2) });
});

test.concurrent("a pin whose name somebody else takes while the run is on: NameConflict, the pods left alone, nothing written over and over", async () => {
  await ground.started("pin-replaced");
  const pin = (await ground.status("pin-replaced")).appliedRevision?.name ?? "";
  const [pod] = await ground.pods("pin-replaced");
  const { generation } = (await ground.deployment("pin-replaced")).metadata;
  const data = await ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data}");
  // In one step, so that the operator has no time to make it again.
  await ground.operators.at(-1)?.kill();
  await ground.kubectl("delete", "configmap", pin);
  await ground.kubectl("create", "configmap", pin, "--from-literal=mine=yes");
  const before = await versionOf("configmap", pin);
  const operator = await ground.operator();
  await ground.until("pin-replaced", { state: "FAILED", failure: { reason: "NameConflict" } as never });
  expect(await versionOf("configmap", pin)).toBe(before);
  expect((await ground.pods("pin-replaced")).map(({ metadata }) => metadata.uid)).toEqual([pod?.metadata.uid]);
  expect((await ground.deployment("pin-replaced")).metadata.generation).toBe(generation);
  const tries = operator.lines.filter(
    ({ message, object }) => message === "name is taken" && object === `ConfigMap ${pin}`,
  );
  expect(tries.length).toBeLessThanOrEqual(1);
  await ground.kubectl("delete", "configmap", pin);
  await ground.until("pin-replaced", { state: "RUNNING", appliedRevision: run(1) });
  expect(await ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data}")).toBe(data);
});

test.concurrent("an object of the derived name that is being deleted is waited for", async () => {
  const finalizers = ["example.com/hold"];
  await ground.server.kubectl(["create", "-f", "-"], manifest("Deployment", "held", { finalizers }));
  await ground.kubectl("delete", "deployment", "held", "--wait=false");
  await ground.apply("held", { state: "Running" });
  await saysReady("held", /^Waiting for Deployment held to go: it is being deleted$/);
  await ground.until("held", { state: "STARTING" });
  await ground.kubectl("patch", "deployment", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
  await ground.until("held", { state: "RUNNING", appliedRevision: run(1) });
});

test.concurrent("a Deployment whose owner somebody takes away is somebody else's: its pods go on, and it is ours again when it is given back", async () => {
  await ground.started("disowned");
  const { ownerReferences, uid } = (await ground.deployment("disowned")).metadata;
  const [pod] = await ground.pods("disowned");
  const owned = (references: unknown) => JSON.stringify({ metadata: { ownerReferences: references } });
  await ground.kubectl("patch", "deployment", "disowned", "--type=merge", "-p", owned(null));
  await ground.until("disowned", { state: "FAILED", failure: { reason: "NameConflict" } as never });
  await ground.kubectl("patch", "deployment", "disowned", "--type=merge", "-p", owned(ownerReferences));
  await vi.waitFor(async () => expect((await ground.status("disowned")).failure?.reason).not.toBe("NameConflict"), {
    ...patience,
    timeout: 90_000,
  });
  expect((await ground.deployment("disowned")).metadata.uid).toBe(uid);
  expect((await ground.pods("disowned")).map(({ metadata }) => metadata.uid)).toEqual([pod?.metadata.uid]);
});

test.concurrent("a workflow that is being deleted is left alone, whatever happens to what it owns", async () => {
  await ground.started("leaving");
  const pin = (await ground.status("leaving")).appliedRevision?.name ?? "";
  const hold = (finalizers: readonly string[] | null) =>
    ground.kubectl("patch", "iw", "leaving", "--type=merge", "-p", JSON.stringify({ metadata: { finalizers } }));
  await hold(["example.com/hold"]);
  await ground.kubectl("delete", "iw", "leaving", "--wait=false");
  const { resourceVersion } = (await ground.workflow("leaving")).metadata;
  await ground.kubectl("scale", "deployment", "leaving", "--replicas=0");
  await ground.kubectl("delete", "configmap", pin);
  await ground.patch("leaving", { state: "Stopped" });
  const afterEdit = (await ground.workflow("leaving")).metadata.resourceVersion;
  expect(afterEdit).not.toBe(resourceVersion);
  // The operator has seen all that when it has handled what was made after it.
  await ground.started("after-leaving");
  expect((await ground.deployment("leaving")).spec?.replicas).toBe(0);
  await expect(ground.kubectl("get", "configmap", pin)).rejects.toThrow("not found");
  expect((await ground.workflow("leaving")).metadata.resourceVersion).toBe(afterEdit);
  await hold(null);
  await vi.waitFor(() => expect(ground.deployment("leaving")).rejects.toThrow("not found"), patience);
});

test.concurrent("no write of the operator touches the spec, and none leaves a finalizer", async () => {
  await ground.started("unwritten", { restart: "one" });
  const { spec, metadata } = await ground.workflow("unwritten");
  await ground.patch("unwritten", { restart: "two" });
  await ground.until("unwritten", { state: "RUNNING", handledRestart: "two" });
  const after = await ground.workflow("unwritten");
  expect(after.spec).toEqual({ ...spec, restart: "two" });
  expect(effectiveSpec(after.spec)).toEqual(effectiveSpec(spec));
  expect(after.metadata.generation).toBe(metadata.generation + 1);
  const finalizers = await ground.kubectl("get", "iw", "unwritten", "-o", "jsonpath={.metadata.finalizers}");
  expect(finalizers).toBe("");
});

test("a pod that cannot end blocks the start until a person does what the message says", async () => {
  await ground.started("endless", { worker: { terminationGracePeriodSeconds: 10 } });
  ground.kubelet.behaviour.lastWords = "hangs";
  await ground.patch("endless", { restart: "now" });
  const message = await saysReady("endless", /should have ended by/, 110_000);
  expect(message).toMatch(/^Pod endless-\S+ on node played should have ended by \S+Z\. If the node is gone for good, /);
  await ground.until("endless", { state: "RUNNING", appliedRevision: run(1) });
  const [, command = ""] = /run: kubectl (.+)$/.exec(message) ?? [];
  await ground.server.kubectl(command.split(" "));
  ground.kubelet.behaviour.lastWords = undefined;
  await ground.until("endless", { state: "RUNNING", handledRestart: "now", appliedRevision: run(2) });
});
