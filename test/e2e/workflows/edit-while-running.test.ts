import { afterAll, beforeAll, expect, test } from "vitest";
import { loadContacts } from "./contacts.ts";
import { type Ground, installOperator, operatorKubectl, prepareGround } from "./ground.ts";
import type { KubernetesObject } from "./kubectl.ts";
import { contactFields, contactsWorkflow, pods, untilState, untilStatus, workflow } from "./workflow.ts";

const name = "edited";
let ground: Ground;

beforeAll(async () => {
  ground = await prepareGround("edit-while-running");
  await loadContacts(ground.sandbox, 500);
  await ground.kubectl.apply(contactsWorkflow({ name, ...ground }));
  await untilStatus(
    ground.kubectl,
    name,
    "all written",
    (status) => status.state === "RUNNING" && status.lastSyncTime !== undefined && status.backlog === 0,
  );
});
afterAll(async () => {
  await installOperator();
  ground.close();
});

/** What must stay as it is while an edit waits. */
async function running() {
  const [deployment] = await ground.kubectl.list<KubernetesObject & { spec: { template: unknown } }>(
    "deployments",
    `integrationworkflow.io/workflow=${name}`,
  );
  const all = await pods(ground.kubectl, name);
  return {
    generation: deployment?.metadata.generation,
    template: deployment?.spec.template,
    pods: all.map(({ metadata }) => metadata.uid),
    images: all.map(({ spec }) => spec.containers[0]?.image),
  };
}

function removeMiddleName() {
  const fields = contactFields.filter(({ field }) => field !== "middleName");
  return [{ op: "replace", path: "/spec/ingress/mappings/0/fields", value: fields }];
}

function edit(operations: readonly object[]) {
  return ground.kubectl.run(["patch", "iw", name, "--type=json", "-p", JSON.stringify(operations)]);
}

test("an edit waits, is named, and is gone when taken back; the pod and the Deployment do not change", async () => {
  const { kubectl } = ground;
  const before = await running();
  const { spec } = await workflow(kubectl, name);
  await edit([{ op: "replace", path: "/spec/ingress/mappings/0/applyDeletes", value: false }]);
  const { status } = await untilStatus(kubectl, name, "pending", ({ pendingRestart }) => pendingRestart === true);
  expect(status.pendingChangeCount).toBe(1);
  expect(status.pendingChanges).toEqual([
    { path: "ingress.mappings[table=contact].applyDeletes", from: "true", to: "false", source: "Spec" },
  ]);
  await kubectl.run(["wait", "--for=condition=RestartRequired", `iw/${name}`, "--timeout=60s"]);
  await kubectl.run(["wait", "--for=condition=Ready", `iw/${name}`, "--timeout=60s"]);
  expect(await running()).toEqual(before);

  await edit([{ op: "replace", path: "/spec/ingress", value: spec.ingress }]);
  const back = await untilStatus(kubectl, name, "nothing pending", ({ pendingRestart }) => pendingRestart === false);
  expect(back.status.pendingChanges ?? []).toEqual([]);
  expect(await running()).toEqual(before);
});

test("neither a deleted pod nor another default image nor a restarted operator lets the edit in", async () => {
  const { kubectl } = ground;
  const before = await running();
  await edit(removeMiddleName());
  await untilStatus(kubectl, name, "pending", ({ pendingRestart }) => pendingRestart === true);

  await kubectl.run(["delete", "pod", "-l", `integrationworkflow.io/workflow=${name}`, "--wait=true"]);
  await installOperator("--set", "operator.workerImage=registry.invalid/worker:other");
  await operatorKubectl().run(["rollout", "restart", "deployment"]);
  await operatorKubectl().run(["rollout", "status", "deployment", "--timeout=120s"]);

  const { status } = await untilStatus(
    kubectl,
    name,
    "running, told of both changes",
    ({ state, pendingChanges = [] }) =>
      state === "RUNNING" && pendingChanges.some(({ source }) => source === "Operator"),
  );
  expect(status.pendingRestart).toBe(true);
  const after = await running();
  expect({ ...after, pods: [] }).toEqual({ ...before, pods: [] });
  expect(after.pods).not.toEqual(before.pods);
  await installOperator();
});

test("a graceful stop shows the exact backlog, and the start after it brings the edit into force", async () => {
  const { kubectl, sandbox } = ground;
  await sandbox.setGate({ side: "campaign", state: "unavailable" });
  await sandbox.changeMany({ table: "contact", count: 37, operation: "update", cells: { lastname: "Changed {n}" } });
  await untilStatus(kubectl, name, "37 wait", ({ backlog }) => backlog === 37);

  await kubectl.mergePatch("iw", name, { spec: { state: "Stopped" } });
  const { status } = await untilState(kubectl, name, "STOPPED");
  expect({ backlog: status.backlog, estimated: status.backlogEstimated ?? false }).toEqual({
    backlog: 37,
    estimated: false,
  });
  const phases = (await pods(kubectl, name)).map((pod) => pod.status.phase);
  expect(phases.filter((phase) => phase !== "Succeeded")).toEqual([]);

  await sandbox.setGate({ side: "campaign", state: "open" });
  await kubectl.mergePatch("iw", name, { spec: { state: "Running" } });
  await untilStatus(
    kubectl,
    name,
    "running with nothing pending",
    ({ state, pendingRestart, backlog }) => state === "RUNNING" && pendingRestart === false && backlog === 0,
  );
  const [first] = await sandbox.insertRows({
    table: "contact",
    rows: [{ cells: { firstname: "Grace", middlename: "Brewster", lastname: "Hopper" } }],
  });
  const values = async () => (await sandbox.findRecords({ resource: "profile", key: first ?? "" }))[0]?.values;
  await expect
    .poll(values, { timeout: 60_000, interval: 200 })
    .toMatchObject({ firstName: "Grace", lastName: "Hopper" });
  expect(await values()).not.toHaveProperty("middleName");
});
