import { afterAll, beforeAll, expect, test } from "vitest";
import { loadContacts } from "./contacts.ts";
import { type Ground, operatorKubectl, prepareGround } from "./ground.ts";
import { contactsWorkflow, untilState, untilStatus } from "./workflow.ts";

let ground: Ground;

beforeAll(async () => {
  ground = await prepareGround("deletion");
  await loadContacts(ground.sandbox, 300);
  await ground.kubectl.apply(contactsWorkflow({ name: "contacts", ...ground }));
  await untilStatus(
    ground.kubectl,
    "contacts",
    "all written",
    (status) => status.state === "RUNNING" && status.lastSyncTime !== undefined && status.backlog === 0,
  );
});
afterAll(async () => {
  ground.close();
  await operatorKubectl().run(["scale", "deployment/integration-workflow-operator", "--replicas=2"]);
});

test("a workflow that is deleted and made again under its name goes on with its volume: nothing is written twice", async () => {
  const { kubectl, sandbox } = ground;
  await kubectl.run(["delete", "iw", "contacts", "--wait=true"]);
  await expect
    .poll(() => kubectl.list("pods", "integrationworkflow.io/workflow=contacts"), { timeout: 120_000 })
    .toEqual([]);
  await sandbox.changeMany({ table: "contact", count: 5, operation: "update", cells: { lastname: "Meanwhile {n}" } });
  await sandbox.clearWriteLog();

  await kubectl.apply(contactsWorkflow({ name: "contacts", ...ground }));
  await untilState(kubectl, "contacts", "RUNNING");
  const written = async () => {
    const keys: string[] = [];
    for await (const { key } of sandbox.allWrites({ resource: "profile" })) keys.push(key);
    return keys.length;
  };
  await expect.poll(written, { timeout: 60_000 }).toBe(5);
  await untilStatus(kubectl, "contacts", "no backlog", ({ backlog }) => backlog === 0);
  expect(await written()).toBe(5);
});

test("a namespace is deleted while no operator runs: it goes", async () => {
  const { kubectl } = ground;
  const operator = operatorKubectl();
  await operator.run(["scale", "deployment/integration-workflow-operator", "--replicas=0"]);
  await expect
    .poll(() => operator.list("pods", "app.kubernetes.io/component=operator"), { timeout: 120_000 })
    .toEqual([]);
  await kubectl.run(["delete", "namespace", "deletion", "--wait=true", "--timeout=180s"]);
});
