import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { randomSequence } from "../../../src/sandbox/random.ts";
import { differences, loadContacts } from "./contacts.ts";
import { type Ground, operatorKubectl, prepareGround } from "./ground.ts";
import { killProcesses } from "./processes.ts";
import { contactsWorkflow, type Pod, pods, untilState, untilStatus, workflow } from "./workflow.ts";

const kills = 20;
const seed = Number(process.env["INTEGRATION_WORKFLOW_TEST_SEED"] ?? Date.now() % 1_000_000);
const patience = { timeout: 300_000, interval: 250 };
let ground: Ground;

beforeAll(async () => {
  console.log(`random moments from seed ${seed} (INTEGRATION_WORKFLOW_TEST_SEED)`);
  ground = await prepareGround("kill");
  await loadContacts(ground.sandbox);
});
afterAll(() => ground.close());

test.concurrent(`the worker is killed at ${kills} random moments of the load: every record is there once`, async () => {
  const { kubectl, sandbox } = ground;
  const random = randomSequence(seed);
  await kubectl.apply(contactsWorkflow({ name: "load", engineCallsPerSecond: 400, ...ground }));
  for (let killed = 0; killed < kills; ) {
    const alive = await vi.waitFor(async () => {
      const found = await pods(kubectl, "load");
      expect(found).toSatisfy(isRunning);
      return found;
    }, patience);
    await pause(random() * 2500);
    for (const { metadata } of alive) killed += killProcesses(metadata.uid, "worker");
    // A new pod has no crash back-off: the next moment comes soon, and the volume goes from one pod to the next.
    await kubectl.run(["delete", "pod", "-l", "integrationworkflow.io/workflow=load", "--force", "--grace-period=0"]);
  }
  const all = await sandbox.countRows({ table: "contact" });
  await untilStatus(kubectl, "load", "all written", ({ state, backlog }) => state === "RUNNING" && backlog === 0, 300);
  await vi.waitFor(async () => expect(await sandbox.countRecords({ resource: "profile" })).toBe(all), patience);
  expect(await differences(sandbox)).toEqual([]);
});

test.concurrent(`the operator is killed at ${kills} random moments of start, stop and restart: the state is right`, async () => {
  const { kubectl } = ground;
  const operators = operatorKubectl();
  const random = randomSequence(seed + 1);
  const name = "steered";
  await kubectl.apply(contactsWorkflow({ name, state: "Stopped", engineCallsPerSecond: 1, ...ground }));
  await untilState(kubectl, name, "STOPPED");
  let runs = 0;
  for (let killed = 0; killed < kills; ) {
    const choice = Math.floor(random() * 3);
    const { spec } = await workflow(kubectl, name);
    if (choice === 0)
      await kubectl.mergePatch("iw", name, { spec: { state: spec.state === "Running" ? "Stopped" : "Running" } });
    else await kubectl.mergePatch("iw", name, { spec: { state: "Running", restart: `at-${killed}` } });
    runs += 1;
    await pause(random() * 3000);
    const all = await operators.list<Pod>("pods", "app.kubernetes.io/component=operator");
    for (const { metadata } of all) killed += killProcesses(metadata.uid, "operator");
    await operators.run(["delete", "pod", "-l", "app.kubernetes.io/component=operator", "--force", "--grace-period=0"]);
  }
  expect(runs).toBeGreaterThan(0);
  await kubectl.mergePatch("iw", name, { spec: { state: "Running", restart: "last" } });
  await untilStatus(
    kubectl,
    name,
    "running the last restart",
    ({ state, handledRestart }) => state === "RUNNING" && handledRestart === "last",
  );
  // The pods of the runs before have ended, and may be there for a moment longer.
  await vi.waitFor(async () => expect(await pods(kubectl, name)).toHaveLength(1), patience);
  await kubectl.mergePatch("iw", name, { spec: { state: "Stopped" } });
  await untilState(kubectl, name, "STOPPED");
  expect((await pods(kubectl, name)).filter(({ status }) => status.phase === "Running")).toEqual([]);
});

function isRunning(found: readonly Pod[]): boolean {
  return found.some(({ status }) => status.phase === "Running");
}
