import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { loadContacts } from "./contacts.ts";
import { type Ground, operatorKubectl, prepareGround } from "./ground.ts";
import { contactsWorkflow, untilState, untilStatus } from "./workflow.ts";

let ground: Ground;
const scale = (replicas: number) =>
  operatorKubectl().run(["scale", "deployment/integration-workflow-operator", `--replicas=${replicas}`]);

beforeAll(async () => {
  ground = await prepareGround("outside");
  await loadContacts(ground.sandbox, 200);
  await scale(0);
  const operators = ["pod", "-l", "app.kubernetes.io/component=operator"];
  await operatorKubectl().run(["wait", "--for=delete", ...operators, "--timeout=180s"]);
});
afterAll(async () => {
  await scale(2);
  ground.close();
});

test("an operator outside the cluster runs workflows and asks their workers through the API server", async () => {
  const { kubectl } = ground;
  const place = ["--kubeconfig", inject("kubeconfig"), "--watch-namespaces", "outside", "--worker-poll", "proxy"];
  const listening = ["--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0", "--log-level", "warn"];
  const image = ["--worker-image", inject("image").reference];
  const operator = spawn(process.execPath, ["dist/main.js", "operator", ...place, ...listening, ...image], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(operator, "exit");
  try {
    await kubectl.apply(contactsWorkflow({ name: "contacts", ...ground }));
    // Only a poll tells what a worker has read: its last words come when it ends.
    const { status } = await untilStatus(
      kubectl,
      "contacts",
      "running, all read and written",
      ({ state, backlog, mappings = [] }) => state === "RUNNING" && backlog === 0 && mappings[0]?.written === 200,
    );
    expect(status.mappings).toMatchObject([{ name: "contact", read: 200, phase: "Incremental" }]);
    await kubectl.mergePatch("iw", "contacts", { spec: { state: "Stopped" } });
    await untilState(kubectl, "contacts", "STOPPED");
  } finally {
    operator.kill("SIGTERM");
  }
  expect(await ended).toEqual([0, null]);
});
