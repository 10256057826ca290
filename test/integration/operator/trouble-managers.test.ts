/** Other managers who take fields of what is the operator's, once or again and again. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AuditedPlane } from "./audited-plane.ts";
import { type Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** Each waits for leases, pauses and caches, beside the others. */
vi.setConfig({ testTimeout: 300_000 });

const users = ["deployment", "status", "pin", "fight"] as const;
let plane: AuditedPlane;
beforeAll(async () => {
  plane = await AuditedPlane.start(...users);
});
afterAll(() => plane?.stop());

async function running(user: (typeof users)[number]): Promise<{ ground: Ground; operator: OperatorProcess }> {
  const ground = await plane.ground();
  const operator = await plane.operator(ground, user);
  await operator.said("operator started");
  await ground.apply("contacts", { state: "Running" });
  await ground.until("contacts", { state: "RUNNING" });
  return { ground, operator };
}

/** As somebody's tool does it who wants to own a field. */
const take = (ground: Ground, manifest: object, ...args: string[]): Promise<string> =>
  ground.server.kubectl(
    [
      "-n",
      ground.namespace,
      "apply",
      "--server-side",
      "--force-conflicts",
      "--field-manager=other",
      ...args,
      "-f",
      "-",
    ],
    manifest,
  );

const deploymentWith = (grace: number): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "contacts" },
  spec: { template: { spec: { terminationGracePeriodSeconds: grace, priorityClassName: "system-node-critical" } } },
});

describe.concurrent("fields that another manager takes by force", () => {
  test("of the Deployment are put back, with an Event that names the manager, and what it added goes too", async () => {
    const { ground } = await running("deployment");
    const before = await ground.deployment("contacts");
    const mark = plane.requests().length;
    await take(ground, deploymentWith(7));
    await vi.waitFor(async () => expect((await ground.deployment("contacts")).spec).toEqual(before.spec), patience);
    const events = () => ground.events("contacts", "PutBack");
    // What was done is told when it is done.
    await vi.waitFor(
      async () => expect(await events()).toEqual([expect.stringContaining("changed by other")]),
      patience,
    );
    await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } as never });
    expect(plane.writesOf("deployment", mark).filter(({ resource }) => resource === "deployments")).toHaveLength(1);
  });

  test("of the status are put back", async () => {
    const { ground } = await running("status");
    const before = await ground.status("contacts");
    const mark = plane.requests().length;
    const manifest = {
      apiVersion: "integrationworkflow.io/v1",
      kind: "IntegrationWorkflow",
      metadata: { name: "contacts" },
      status: { state: "STOPPED", pendingRestart: true },
    };
    await take(ground, manifest, "--subresource=status");
    await vi.waitFor(async () => {
      const { state, pendingRestart } = await ground.status("contacts");
      expect({ state, pendingRestart }).toEqual({ state: "RUNNING", pendingRestart: false });
    }, patience);
    const { appliedRevision, handledRestart } = await ground.status("contacts");
    expect({ appliedRevision, handledRestart }).toEqual({
      appliedRevision: before.appliedRevision,
      handledRestart: before.handledRestart,
    });
    expect(plane.writesOf("status", mark).map(({ resource }) => resource)).not.toContain("deployments");
  });

  test("of the pin are its labels at most, and the run goes on from it", async () => {
    const { ground } = await running("pin");
    const { appliedRevision } = await ground.status("contacts");
    const before = await ground.deployment("contacts");
    const name = appliedRevision?.name ?? "";
    const pin = (more: object): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...more });
    await expect(take(ground, pin({ data: { "workflow.json": "{}" } }))).rejects.toThrow("field is immutable");
    // The label by which it is found.
    await ground.kubectl("label", "configmap", name, "integrationworkflow.io/workflow-");
    await take(ground, pin({ metadata: { name, labels: { somebody: "was-here" } } }));
    await ground.patch("contacts", { restart: "after" });
    await ground.until("contacts", { state: "RUNNING", handledRestart: "after", appliedRevision: { run: 2 } as never });
    expect((await ground.status("contacts")).appliedRevision?.name).toBe(name);
    const after = await ground.deployment("contacts");
    expect({ ...after.spec?.template.spec, containers: [] }).toEqual({ ...before.spec?.template.spec, containers: [] });
  });

  test("of the Deployment again and again are put back less and less often, so that two do not fight at full speed", async () => {
    const { ground, operator } = await running("fight");
    const mark = plane.requests().length;
    let isOver = false;
    let takes = 0;
    // Takes it back as soon as it was put back.
    const fighting = (async () => {
      while (!isOver) {
        const { spec } = await ground.deployment("contacts");
        if (spec?.template.spec?.terminationGracePeriodSeconds !== 60) continue;
        takes += 1;
        await take(ground, deploymentWith(7));
      }
    })();
    const puts = () =>
      plane.writesOf("fight", mark).filter(({ verb, resource }) => resource === "deployments" && verb !== "get");
    await vi.waitFor(() => expect(puts().length).toBeGreaterThanOrEqual(6), patience);
    isOver = true;
    await fighting;
    const times = puts().map(({ atMs }) => atMs);
    const distances = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    console.info(`put back ${times.length} times after ${takes} takes, ms between: ${distances.join(", ")}`);
    expect(distances.at(-1)).toBeGreaterThan(2000);
    const events = await ground.events("contacts", "PutBack");
    expect(new Set(events).size).toBe(1);
    await vi.waitFor(async () => {
      expect((await ground.deployment("contacts")).spec?.template.spec?.terminationGracePeriodSeconds).toBe(60);
    }, patience);
    expect(await operator.stop()).toBe(0);
  });
});
