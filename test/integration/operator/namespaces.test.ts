import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
});
afterAll(() => ground?.end());

const nobodys = (): string => `nobodys-${randomUUID().slice(0, 8)}`;

async function ask(operator: OperatorProcess, of: "health" | "metrics", path: string) {
  const url = (await operator.said("operator started"))[of];
  const answer = await fetch(`${url}${path}`);
  return { status: answer.status, body: await answer.text() };
}

test("a watched namespace that is missing is told once, in a metric too, while the others are looked after", async () => {
  const missing = nobodys();
  const operator = await ground.operator("--watch-namespaces", `${ground.namespace},${missing}`);
  const warning = await operator.said(
    "watched namespace is missing: no workflow in it is looked after until it is made",
  );
  expect(warning).toMatchObject({ level: "warn", namespace: missing });
  const metric = async () => (await ask(operator, "metrics", "/metrics")).body;
  const line = "integration_workflow_operator_watched_namespace_missing";
  expect(await metric()).toContain(`${line}{namespace="${missing}"} 1`);
  // Each is looked for by itself.
  await expect.poll(metric, patience).toContain(`${line}{namespace="${ground.namespace}"} 0`);
  await expect.poll(async () => (await ask(operator, "health", "/readyz")).status, patience).toBe(200);

  // It looks again after half a minute, and the workflows there are looked after at once.
  await ground.server.kubectl(["create", "namespace", missing]);
  expect(await operator.said("watched namespace is there now")).toMatchObject({ namespace: missing });
  expect(await metric()).toContain(`${line}{namespace="${missing}"} 0`);
  expect(operator.lines.filter(({ message }) => message === warning.message)).toHaveLength(1);
  expect(await operator.stop()).toBe(0);
});

test("without the lease's namespace it is not ready, says why, and leads as soon as the namespace is there", async () => {
  const missing = nobodys();
  const operator = await ground.operator("--leader-elect", "--leader-election-namespace", missing);
  const warning = await operator.said("lease not taken, trying again");
  expect(warning).toMatchObject({ level: "warn", namespace: missing });
  expect(JSON.stringify(warning)).toContain(`namespaces \\"${missing}\\" not found`);
  expect(await ask(operator, "health", "/readyz")).toMatchObject({
    status: 503,
    body: expect.stringContaining(`lease ${missing}/integration-workflow-operator was not seen yet: `),
  });
  expect((await ask(operator, "health", "/livez")).status).toBe(200);

  await ground.server.kubectl(["create", "namespace", missing]);
  await operator.said("leading");
  expect((await ask(operator, "health", "/readyz")).status).toBe(200);
  // A candidate stands every two seconds: the same words are not said each time.
  expect(operator.lines.filter(({ message }) => message === warning.message).length).toBeLessThan(3);
  expect(await operator.stop()).toBe(0);
});
