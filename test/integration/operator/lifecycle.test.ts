import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;
let operator: OperatorProcess;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  operator = await ground.operator("--log-level", "debug");
});
afterAll(() => ground?.end());

const mapping = (applyUpdates: boolean) => ({
  ingress: {
    mappings: [
      {
        table: "contact",
        resource: "profile",
        key: { column: "contactid", field: "externalId" },
        fields: [{ column: "firstname", field: "firstName", applyUpdates }],
      },
    ],
  },
});

test("a workflow goes through its life as the contract says, seen by kubectl alone", async () => {
  await ground.apply("contacts");
  await ground.kubectl("wait", "--for=jsonpath={.status.state}=STOPPED", "iw/contacts", "--timeout=60s");
  await ground.kubectl("wait", "--for=condition=Ready", "iw/contacts", "--timeout=10s");
  expect(await ground.pods("contacts")).toEqual([]);

  ground.kubelet.behaviour.start = "slow";
  await ground.patch("contacts", { state: "Running" });
  await ground.until("contacts", { state: "STARTING", appliedRevision: { run: 1, generation: 2 } as never });
  expect(await ground.condition("contacts", "Ready")).toMatchObject({ status: "False", reason: "Starting" });
  expect(await ground.condition("contacts", "Reconciling")).toMatchObject({ status: "True" });

  ground.kubelet.behaviour.start = "up";
  ground.kubelet.touchAll();
  await ground.kubectl("wait", "--for=condition=Running", "iw/contacts", "--timeout=60s");
  const running = await ground.status("contacts");
  expect(running).toMatchObject({ state: "RUNNING", pendingRestart: false });
  expect(running.backlog).toBeUndefined();
  const template = (await ground.deployment("contacts")).spec?.template;

  await ground.patch("contacts", mapping(false));
  await ground.kubectl("wait", "--for=condition=RestartRequired", "iw/contacts", "--timeout=60s");
  expect((await ground.status("contacts")).pendingChanges).toEqual([
    {
      path: "ingress.mappings[table=contact].fields[field=firstName].applyUpdates",
      from: "true",
      to: "false",
      source: "Spec",
    },
  ]);
  await ground.kubectl("wait", "--for=condition=Ready", "iw/contacts", "--timeout=5s");
  expect((await ground.deployment("contacts")).spec?.template).toEqual(template);

  await ground.patch("contacts", mapping(true));
  await ground.until("contacts", { pendingRestart: false, pendingChanges: [], pendingChangeCount: 0 });

  await ground.patch("contacts", { ...mapping(false), restart: "once" });
  await ground.kubectl("wait", "--for=jsonpath={.status.handledRestart}=once", "iw/contacts", "--timeout=60s");
  await ground.until("contacts", { state: "RUNNING", pendingRestart: false, appliedRevision: { run: 2 } as never });
  const configMap = await ground.kubectl(
    "get",
    "configmap",
    (await ground.status("contacts")).appliedRevision?.name ?? "",
    "-o",
    "jsonpath={.data.workflow\\.json}",
  );
  expect(JSON.parse(configMap).spec.ingress.mappings[0].fields[0].applyUpdates).toBe(false);

  ground.kubelet.behaviour.lastWords = { reason: "Stopped", message: "as asked", backlog: 1204 };
  await ground.patch("contacts", { state: "Stopped" });
  await ground.kubectl("wait", "--for=jsonpath={.status.state}=STOPPED", "iw/contacts", "--timeout=60s");
  expect(await ground.status("contacts")).toMatchObject({
    backlog: 1204,
    backlogEstimated: false,
    pendingRestart: false,
  });
  const { transitions = [] } = await ground.status("contacts");
  expect(transitions.map(({ to, reason }) => `${to} ${reason}`).reverse()).toEqual([
    "STOPPED Stopped",
    "STARTING Started",
    "RUNNING WorkerReady",
    "STARTING Started",
    "RUNNING WorkerReady",
    "STOPPED Stopped",
  ]);
  await expect.poll(() => ground.events("contacts", "WorkerReady"), patience).toHaveLength(1);
  await expect.poll(() => ground.events("contacts", "Stopping"), patience).toHaveLength(2);
  expect(ground.kubelet.runsSeen.every((runs) => runs.length <= 1)).toBe(true);
});

test("nothing is written while nothing changes, however often it is looked at", async () => {
  await ground.apply("idle", { state: "Running" });
  await ground.until("idle", { state: "RUNNING" });
  // Looks are caused by changes that mean nothing: each is an event of a watch.
  const claim = "idle-queue";
  const touch = async (value: number): Promise<void> => {
    await ground.kubectl(
      "annotate",
      "--overwrite",
      "configmap",
      (await ground.status("idle")).appliedRevision?.name ?? "",
      `touched=${value}`,
    );
  };
  await touch(0);
  const before = await ground.versions();
  const sent = () =>
    operator.lines.filter(
      ({ message, workflow }) => message.startsWith("wrote") && workflow === `${ground.namespace}/idle`,
    ).length;
  const sentBefore = sent();
  const own = Object.keys(before).filter(
    (name) => !name.startsWith("ConfigMap/") && name !== `PersistentVolumeClaim/${claim}`,
  );
  for (let touched = 1; touched <= 5; touched += 1) await touch(touched);
  // The operator has seen the last touch when it has handled an edit made after it.
  await ground.apply("after");
  await ground.until("after", { state: "STOPPED" });
  const after = await ground.versions();
  // Not even one that the API server would have found to change nothing.
  expect(sent()).toBe(sentBefore);
  for (const name of own) expect([name, after[name]]).toEqual([name, before[name]]);
  expect(operator.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});

test("SIGTERM ends the operator with 0, and a new one writes nothing about what it finds", async () => {
  const before = await ground.versions();
  expect(await operator.stop()).toBe(0);
  operator = await ground.operator();
  await operator.said("operator started");
  await ground.apply("later");
  await ground.until("later", { state: "STOPPED" });
  const after = await ground.versions();
  for (const [name, version] of Object.entries(before)) expect([name, after[name]]).toEqual([name, version]);
  // What was rendered is what is stored: not even a write that would change nothing is sent.
  expect(operator.lines.filter(({ message }) => message === "wrote")).toEqual([]);
});

test("kubectl get shows the workflow at a glance", async () => {
  await expect
    .poll(() => ground.kubectl("get", "iw", "idle", "--no-headers"), patience)
    .toMatch(/^idle +Ingress +RUNNING +false +\S+\n$/);
  const failed = await ground.kubectl("get", "iw", "--field-selector", "status.state=RUNNING", "-o", "name");
  expect(failed.trim()).toBe("integrationworkflow.integrationworkflow.io/idle");
});
