import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { Ground, patience } from "./ground.ts";
import { crashLoop } from "./kubelet.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator("--allowed-worker-images", "registry.example/permitted/*");
});
afterAll(() => ground?.end());

test("a template edited by hand is put back within seconds, with an Event that names who did it", async () => {
  await ground.started("edited");
  const { template } = (await ground.deployment("edited")).spec ?? {};
  await ground.kubectl(
    "set",
    "image",
    "deployment/edited",
    "worker=registry.example/other:1",
    "--field-manager=somebody",
  );
  await expect.poll(async () => (await ground.deployment("edited")).spec?.template, patience).toEqual(template);
  await expect.poll(() => ground.events("edited", "PutBack"), patience).toEqual([expect.stringContaining("somebody")]);

  await ground.kubectl("rollout", "restart", "deployment/edited");
  await expect.poll(async () => (await ground.events("edited", "PutBack")).length, patience).toBe(2);
  expect((await ground.deployment("edited")).spec?.template).toEqual(template);

  await ground.kubectl("scale", "deployment/edited", "--replicas=3");
  await expect.poll(async () => (await ground.events("edited", "PutBack")).length, patience).toBe(3);
  expect((await ground.deployment("edited")).spec?.replicas).toBe(1);
  await ground.until("edited", { state: "RUNNING", appliedRevision: { run: 1 } as never });
});

test("replicas that somebody sets on a stopped workflow's Deployment go back to 0, and STOPPED is told again", async () => {
  await ground.started("scaled");
  await ground.patch("scaled", { state: "Stopped" });
  await ground.until("scaled", { state: "STOPPED" });
  await ground.kubectl("scale", "deployment/scaled", "--replicas=1");
  await expect.poll(async () => (await ground.deployment("scaled")).spec?.replicas, patience).toBe(0);
  await expect
    .poll(() => ground.condition("scaled", "Ready"), patience)
    .toMatchObject({ status: "True", reason: "Stopped" });
  await expect.poll(async () => (await ground.pods("scaled")).length, patience).toBe(0);
});

test("a Deployment deleted by hand is made again, and the run goes on as it was pinned, whatever was edited since", async () => {
  await ground.started("deleted");
  const { template } = (await ground.deployment("deleted")).spec ?? {};
  await ground.patch("deleted", { worker: { terminationGracePeriodSeconds: 90 } });
  await ground.until("deleted", { pendingRestart: true });
  await ground.kubectl("delete", "deployment", "deleted");
  await expect
    .poll(async () => (await ground.deployment("deleted").catch(() => undefined))?.spec?.template, patience)
    .toEqual(template);
  await ground.until("deleted", { state: "RUNNING", pendingRestart: true, appliedRevision: { run: 1 } as never });
});

test("a deleted pin is made again with the same content, even when an edit waits", async () => {
  await ground.started("pinned");
  const { appliedRevision } = await ground.status("pinned");
  const pin = appliedRevision?.name ?? "";
  const data = await ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data}");
  await ground.patch("pinned", { worker: { terminationGracePeriodSeconds: 90 } });
  await ground.until("pinned", { pendingRestart: true });
  await ground.kubectl("delete", "configmap", pin);
  await expect
    .poll(() => ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data}").catch(() => ""), patience)
    .toBe(data);
  await ground.until("pinned", { state: "RUNNING" });
});

test("a pin that cannot be made again is RevisionLost, the pods are left alone, and a restart mends it", async () => {
  await ground.started("lost");
  const [operator] = ground.operators;
  await operator?.stop();
  const pin = (await ground.status("lost")).appliedRevision?.name ?? "";
  const before = (await ground.pods("lost")).map(({ metadata }) => metadata.uid);
  await ground.kubectl("delete", "configmap", pin);
  await ground.patch("lost", { worker: { terminationGracePeriodSeconds: 90 } });
  await ground.operator("--allowed-worker-images", "registry.example/permitted/*");
  await ground.until("lost", { state: "FAILED", failure: { reason: "RevisionLost" } as never });
  expect((await ground.pods("lost")).map(({ metadata }) => metadata.uid)).toEqual(before);
  await ground.patch("lost", { restart: "mend" });
  await ground.until("lost", { state: "RUNNING", handledRestart: "mend", appliedRevision: { run: 2 } as never });
});

test("an object of the derived name that is somebody else's is not touched: NameConflict, until it is gone", async () => {
  await ground.kubectl("create", "deployment", "taken", "--image=nothing", "--replicas=0");
  const before = await ground.deployment("taken");
  await ground.apply("taken", { state: "Running" });
  const { failure } = await ground.until("taken", { state: "FAILED", failure: { reason: "NameConflict" } as never });
  expect(failure?.message).toContain("Deployment taken belongs to nobody");
  expect((await ground.deployment("taken")).spec).toEqual(before.spec);
  await ground.kubectl("delete", "deployment", "taken");
  await ground.until("taken", { state: "RUNNING", appliedRevision: { run: 1 } as never });
});

test("an image that is not permitted is refused with the way out, and a permitted one runs", async () => {
  await ground.apply("image", { state: "Running", worker: { image: "registry.example/forbidden:1" } });
  const { failure } = await ground.until("image", { state: "FAILED" });
  expect(failure).toMatchObject({
    reason: "ImageNotPermitted",
    message: expect.stringContaining("--allowed-worker-images"),
  });
  await ground.patch("image", { worker: { image: "registry.example/permitted/worker:1" } });
  await ground.until("image", { state: "RUNNING" });
});

test("a Deployment that the API server refuses is FAILED with its words, and an edit is tried at once", async () => {
  await ground.apply("refused", {
    state: "Running",
    worker: { resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } },
  });
  const { failure } = await ground.until("refused", { state: "FAILED", failure: { reason: "Refused" } as never });
  expect(failure?.message).toContain("must be less than or equal to cpu limit");
  await ground.patch("refused", { worker: { resources: null } });
  await ground.until("refused", { state: "RUNNING" });
});

test("a worker's final word is the reason why the workflow FAILED, and FAILED stays while its container runs again", async () => {
  ground.kubelet.behaviour.start = "slow";
  await ground.apply("rejected", { state: "Running" });
  await expect.poll(async () => (await ground.pods("rejected"))[0]?.status?.phase, patience).toBe("Running");
  const [pod] = await ground.pods("rejected");
  const words = JSON.stringify({
    reason: "CredentialsRejected",
    message: "Secret dynamics: the client secret has expired",
  });
  await ground.kubelet.setContainer(pod?.metadata.name ?? "", ground.namespace, crashLoop(78, words), false);
  await ground.until("rejected", {
    state: "FAILED",
    failure: { reason: "CredentialsRejected", message: "Secret dynamics: the client secret has expired" } as never,
  });
  expect(await ground.condition("rejected", "Stalled")).toMatchObject({
    status: "True",
    reason: "CredentialsRejected",
  });
  ground.kubelet.behaviour.start = "up";
  await ground.patch("rejected", { restart: "after the Secret was mended" });
  await ground.until("rejected", { state: "RUNNING", appliedRevision: { run: 2 } as never });
});

test("a pod that will not end blocks the next start, and the message names pod and node", async () => {
  await ground.started("stuck");
  ground.kubelet.behaviour.lastWords = "hangs";
  await ground.patch("stuck", { restart: "now" });
  await expect
    .poll(() => ground.condition("stuck", "Ready"), patience)
    .toMatchObject({
      reason: "Stopping",
      message: expect.stringMatching(/^Waiting for pod stuck-\S+ on node played to end$/),
    });
  await ground.until("stuck", { state: "RUNNING", appliedRevision: { run: 1 } as never });
  ground.kubelet.behaviour.lastWords = undefined;
  ground.kubelet.touchAll();
  await ground.until("stuck", { state: "RUNNING", handledRestart: "now", appliedRevision: { run: 2 } as never });
});

test("a claim outlives its workflow by default, is found again, and goes with it when that was asked for, at once", async () => {
  const claims = () =>
    ground.kubectl(
      "get",
      "pvc",
      "-l",
      "integrationworkflow.io/workflow=kept",
      "-o",
      "jsonpath={.items[*].metadata.uid}",
    );
  await ground.started("kept");
  const uid = await claims();
  await ground.kubectl("delete", "iw", "kept", "--wait");
  await expect.poll(async () => (await ground.pods("kept")).length, patience).toBe(0);
  await ground.started("kept");
  expect(await claims()).toBe(uid);
  await ground.patch("kept", { state: "Stopped", queue: { volume: { whenDeleted: "Delete" } } });
  await ground.until("kept", { state: "STOPPED", pendingRestart: false });
  await expect
    .poll(
      () => ground.kubectl("get", "pvc", "kept-queue", "-o", "jsonpath={.metadata.ownerReferences[*].kind}"),
      patience,
    )
    .toBe("IntegrationWorkflow");
  await ground.kubectl("delete", "iw", "kept", "--wait");
  // The claim's own protection goes when no pod uses it.
  await expect.poll(claims, patience).toBe("");
});

test("a mutating admission policy causes one write and no more, also for an operator that comes after", async () => {
  const name = `mutate-${ground.namespace}`;
  const expression = `Object{spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{annotations: {"injected": "yes"}}}}}`;
  const api = { apiVersion: "admissionregistration.k8s.io/v1" };
  await ground.server.kubectl(["apply", "-f", "-"], {
    ...api,
    kind: "MutatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      matchConstraints: {
        resourceRules: [
          { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
        ],
      },
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
    },
  });
  await ground.server.kubectl(["apply", "-f", "-"], {
    ...api,
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name },
    spec: {
      policyName: name,
      matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": ground.namespace } } },
    },
  });
  const probe = () =>
    ground.kubectl(
      "create",
      "deployment",
      "probe",
      "--image=x",
      "--dry-run=server",
      "-o",
      "jsonpath={.spec.template.metadata.annotations.injected}",
    );
  await expect.poll(probe, patience).toBe("yes");

  await ground.started("mutated");
  const before = (await ground.deployment("mutated")).metadata;
  await ground.operators.at(-1)?.stop();
  const operator = await ground.operator("--allowed-worker-images", "registry.example/permitted/*");
  const writes = () =>
    operator.lines.filter(({ message, object }) => message === "wrote" && object === "Deployment mutated");
  await expect.poll(() => writes().length, patience).toBe(1);
  for (const restarted of ["a", "b", "c"]) {
    await ground.patch("mutated", { worker: { template: { annotations: { edited: restarted } } } });
    await expect
      .poll(async () => (await ground.status("mutated")).pendingChanges?.[0]?.to, patience)
      .toContain(restarted);
  }
  expect(writes()).toEqual([expect.objectContaining({ changed: false })]);
  expect((await ground.deployment("mutated")).metadata.generation).toBe(before.generation);
  expect(await ground.events("mutated", "PutBack")).toEqual([]);
  await ground.server.kubectl(["delete", "mutatingadmissionpolicy,mutatingadmissionpolicybinding", name]);
});

test("quota is told: no pod can be created", async () => {
  await ground.kubectl("create", "quota", "none", "--hard=count/pods=0");
  await expect
    .poll(() => ground.kubectl("get", "quota", "none", "-o", "jsonpath={.status.hard}"), patience)
    .not.toBe("");
  await ground.apply("quota", { state: "Running" });
  const { failure } = await ground.until("quota", { state: "FAILED", failure: { reason: "PodNotCreated" } as never });
  expect(failure?.message).toContain("exceeded quota");
  await ground.kubectl("delete", "quota", "none");
});

test("a namespace goes with everything in it while no operator runs", async () => {
  for (const operator of ground.operators) await operator.kill();
  await ground.server.kubectl(["delete", "namespace", ground.namespace, "--wait", "--timeout=100s"]);
});
