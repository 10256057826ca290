import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { readRecord, runsAnnotation, writeRecord } from "../../../../src/api/run-record.ts";
import { pinManifest, readPin } from "../../../../src/operator/objects/pin.ts";
import { deploymentOfRun } from "../../../../src/operator/objects/render.ts";
import { configMaps } from "../../../../src/operator/shell/projections.ts";
import { digestOf, pinNames } from "../../../../src/operator/sight/pin-identity.ts";
import { Ground, patience } from "../ground.ts";
import type { OperatorProcess } from "../operator-process.ts";
import { Witness } from "./witness.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** An operator of another version, an admission policy, a backup: none brings an edit in, or a run that nobody asked for. */
let ground: Ground;
let witness: Witness;
let operator: OperatorProcess;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  witness = new Witness(ground.client, ground.namespace);
  await witness.start();
  operator = await ground.operator();
});
afterAll(async () => {
  expect(witness?.overlaps).toEqual([]);
  await witness?.stop();
  await ground?.end();
});

const run = (number: number) => ({ run: number }) as never;
const grace = (seconds: number) => ({ worker: { terminationGracePeriodSeconds: seconds } });

async function anotherOperator(): Promise<void> {
  await operator.stop();
  operator = await ground.operator();
  await operator.said("operator started");
}

const writesOf = (object: string) =>
  operator.lines.filter((line) => line.message === "wrote" && line["object"] === object);

test("an operator that renders otherwise changes nothing that runs: it tells what a restart would change, and warns nobody", async () => {
  await ground.started("rendered");
  await operator.stop();
  await asOfAnotherVersion("rendered");
  const { generation } = (await ground.deployment("rendered")).metadata;
  const [pod] = await ground.pods("rendered");
  operator = await ground.operator();
  const { pendingChanges } = await ground.until("rendered", { pendingChangeCount: 1, pendingRestart: false });
  expect(pendingChanges).toEqual([
    { path: "deployment.progressDeadlineSeconds", from: "300", to: "600", source: "Operator" },
  ]);
  expect(await ground.condition("rendered", "RestartRequired")).toMatchObject({ status: "False" });
  expect(await ground.condition("rendered", "Ready")).toMatchObject({ status: "True", reason: "Running" });

  await ground.kubectl("delete", "deployment", "rendered");
  await vi.waitFor(
    async () => expect((await ground.deployment("rendered")).spec?.progressDeadlineSeconds).toBe(300),
    patience,
  );
  await ground.until("rendered", { state: "RUNNING", appliedRevision: run(1) });
  expect(generation).toBeGreaterThan(0);
  const uids = async () => (await ground.pods("rendered")).map(({ metadata }) => metadata.uid);
  // Kubernetes removes what the Deployment had when there is another one already.
  await vi.waitFor(async () => expect(await uids()).not.toContain(pod?.metadata.uid), patience);

  await ground.patch("rendered", { restart: "upgrade" });
  await ground.until("rendered", { state: "RUNNING", handledRestart: "upgrade", pendingChangeCount: 0 });
  expect((await ground.deployment("rendered")).spec?.progressDeadlineSeconds).toBe(600);
});

/** Makes pin, Deployment and status what an operator would have made that renders another deadline. */
async function asOfAnotherVersion(name: string): Promise<void> {
  const workflow = await ground.workflow(name);
  const deployment = await ground.deployment(name);
  const record = readRecord(deployment.metadata.annotations?.[runsAnnotation]);
  const [last] = record?.runs ?? [];
  if (record === undefined || last === undefined) throw new Error("no run");
  const { data } = await ground.client.get(configMaps, { namespace: ground.namespace, name: last.pin });
  const content = readPin(data);
  if (content === undefined) throw new Error("no pin");
  const other = { ...content, deployment: { ...content.deployment, progressDeadlineSeconds: 300 } };
  const digest = digestOf(other);
  const [pin = ""] = pinNames(name, digest);
  const first = { ...last, pin, digest };
  const manifest = { apiVersion: "v1", kind: "ConfigMap", ...pinManifest(workflow, pin, other) };
  await ground.server.kubectl(["create", "-f", "-"], manifest);
  const { labels, ownerReferences } = deployment.metadata;
  const annotations = { [runsAnnotation]: writeRecord({ ...record, runs: [first] }) };
  await ground.server.kubectl(["replace", "-f", "-"], {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: ground.namespace, labels, ownerReferences, annotations },
    spec: deploymentOfRun(other.deployment, first, 1),
  });
  const status = { ...workflow.status, appliedRevision: { ...workflow.status?.appliedRevision, name: pin } };
  const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
  await ground.kubectl("patch", "iw", name, ...patch);
  await vi.waitFor(async () => {
    const [pod, ...more] = await ground.pods(name);
    expect(more).toEqual([]);
    expect(JSON.stringify(pod?.spec?.volumes)).toContain(pin);
    expect(pod?.status?.containerStatuses?.[0]?.ready).toBe(true);
  }, patience);
}

test("a mutating admission policy adds what it adds, brings no edit in, and is not fought", async () => {
  await ground.started("mutated");
  await ground.patch("mutated", grace(90));
  await ground.until("mutated", { pendingRestart: true });
  const before = await ground.deployment("mutated");
  const end = await injectAnnotations();
  try {
    // What is there already is not touched, neither by the policy nor by the next operator.
    await anotherOperator();
    await ground.until("mutated", { state: "RUNNING", pendingRestart: true });
    expect((await ground.deployment("mutated")).metadata.generation).toBe(before.metadata.generation);

    await ground.kubectl("delete", "deployment", "mutated");
    await isMutated(before);
    await ground.kubectl("set", "image", "deployment/mutated", "worker=registry.example/by-hand:1");
    await vi.waitFor(async () => expect(await ground.events("mutated", "PutBack")).toHaveLength(2), patience);
    await isMutated(before);
    await ground.until("mutated", { state: "RUNNING", pendingRestart: true, appliedRevision: run(1) });
    const { generation } = (await ground.deployment("mutated")).metadata;
    // Looked at again for another reason, it is left as it is.
    await ground.patch("mutated", grace(91));
    await ground.until("mutated", { observedGeneration: 3 });
    expect((await ground.deployment("mutated")).metadata.generation).toBe(generation);
    expect(writesOf("Deployment mutated")).toHaveLength(2);
  } finally {
    await end();
  }
  expect(witness.ran("mutated").filter((what) => !what.includes(" 60 s"))).toEqual([]);
});

async function isMutated(before: Awaited<ReturnType<typeof ground.deployment>>): Promise<void> {
  await vi.waitFor(async () => {
    const { template } = (await ground.deployment("mutated")).spec ?? {};
    const { metadata, ...rest } = template ?? {};
    expect(metadata?.annotations).toEqual({ injected: "yes" });
    expect(rest).toEqual({ spec: before.spec?.template.spec });
    expect(metadata?.labels).toEqual(before.spec?.template.metadata?.labels);
  }, patience);
}

/** @returns what ends it */
async function injectAnnotations(): Promise<() => Promise<unknown>> {
  const name = `rules-${ground.namespace}`;
  const apiVersion = "admissionregistration.k8s.io/v1";
  const expression = `Object{spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{annotations: {"injected": "yes"}}}}}`;
  const resourceRules = [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
  ];
  await ground.server.kubectl(["apply", "-f", "-"], {
    apiVersion,
    kind: "MutatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      matchConstraints: { resourceRules },
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
    },
  });
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": ground.namespace } };
  await ground.server.kubectl(["apply", "-f", "-"], {
    apiVersion,
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, matchResources: { namespaceSelector } },
  });
  const injected = "jsonpath={.spec.template.metadata.annotations.injected}";
  await vi.waitFor(
    async () =>
      expect(await ground.kubectl("create", "deployment", "x", "--image=x", "--dry-run=server", "-o", injected)).toBe(
        "yes",
      ),
    patience,
  );
  return () => ground.server.kubectl(["delete", "mutatingadmissionpolicy,mutatingadmissionpolicybinding", name]);
}

test.each([
  ["with the status that it had", true, false],
  ["without a status", false, false],
  ["with the status that it had, before everything of the deleted one is gone", true, true],
])(
  "a workflow that was deleted and is restored from a backup, %s, is started as its spec says",
  async (which, withStatus, atOnce) => {
    const name = `restored-${which.length}`;
    await ground.started(name);
    await ground.patch(name, { restart: "once" });
    await ground.until(name, { state: "RUNNING", handledRestart: "once", appliedRevision: run(2) });
    await ground.patch(name, grace(90));
    await ground.until(name, { pendingRestart: true });
    const { apiVersion, kind, spec, status } = await ground.workflow(name);
    const backup = { apiVersion, kind, metadata: { name, namespace: ground.namespace }, spec };
    await operator.kill();
    await ground.kubectl("delete", "iw", name);
    if (!atOnce) await vi.waitFor(async () => expect(await ground.pods(name)).toEqual([]), patience);
    // Times are of whole seconds, and nobody restores in the second in which the run began.
    const beganAtMs = Date.parse(status?.appliedRevision?.appliedAt ?? "");
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(beganAtMs + 1000), patience);
    await ground.server.kubectl(["create", "-f", "-"], backup);
    if (withStatus) await ground.server.kubectl(["replace", "--subresource=status", "-f", "-"], { ...backup, status });
    operator = await ground.operator();
    await ground.until(name, {
      state: "RUNNING",
      appliedRevision: run(1),
      pendingRestart: false,
      handledRestart: "once",
    });
    expect((await ground.deployment(name)).spec?.template.spec?.terminationGracePeriodSeconds).toBe(90);
    expect((await ground.status(name)).failure).toBeUndefined();
    expect(await ground.events(name, "RevisionLost")).toEqual([]);
  },
);

test("a stopped workflow that is restored with the status of a time when it ran stays stopped", async () => {
  await ground.started("at-rest");
  const { status } = await ground.workflow("at-rest");
  await ground.patch("at-rest", { state: "Stopped" });
  await ground.until("at-rest", { state: "STOPPED" });
  const { apiVersion, kind, metadata, spec } = await ground.workflow("at-rest");
  const { resourceVersion: _, ...rest } = metadata;
  const old = { apiVersion, kind, metadata: rest, spec, status };
  await ground.server.kubectl(["replace", "--subresource=status", "-f", "-"], old);
  await ground.until("at-rest", { state: "STOPPED", observedGeneration: 2 });
  await anotherOperator();
  await ground.server.kubectl(["replace", "--subresource=status", "-f", "-"], old);
  await ground.until("at-rest", { state: "STOPPED", observedGeneration: 2 });
  expect(await ground.pods("at-rest")).toEqual([]);
  expect((await ground.deployment("at-rest")).spec?.replicas).toBe(0);
});
