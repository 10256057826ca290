import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { connectionTo } from "../kubernetes/ground.ts";
import { Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** A loopback address of its own: workers listen on a port that is fixed. */
const address = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}.7`;

let ground: Ground;
let operator: OperatorProcess;
let worker: Server;
let answer: unknown;
let asked = 0;

beforeAll(async () => {
  worker = createServer((_request, response) => {
    asked += 1;
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => worker.listen(8080, address, resolve));
  ground = await Ground.make(inject("kubeconfig"));
  ground.kubelet.behaviour.address = address;
  operator = await ground.operator("--worker-poll", "direct");
});
afterAll(async () => {
  await ground?.end();
  worker?.close();
});

const figures = (backlog: number, more: object = {}) => ({
  backlog,
  lastSyncTime: "2026-11-21T10:00:00Z",
  mappings: [{ name: "contact", phase: "Incremental", backlog, read: 10, written: 10 - backlog, deadLettered: 2 }],
  schemaDrift: [],
  ...more,
});

async function metrics(): Promise<string> {
  const { metrics: url } = await operator.said("operator started");
  return (await fetch(`${String(url)}/metrics`)).text();
}

test("what the worker answers is told in status and metrics; nonsense and silence change nothing", async () => {
  answer = figures(7);
  await ground.apply("counted", { state: "Running" });
  await ground.until("counted", {
    state: "RUNNING",
    backlog: 7,
    lastSyncTime: "2026-11-21T10:00:00Z",
    backlogEstimated: false,
  });
  expect((await ground.status("counted")).mappings).toEqual(figures(7).mappings);
  expect(await ground.condition("counted", "SchemaDrift")).toMatchObject({ status: "False" });

  // A drift is told at once, figures in their turn.
  answer = figures(5, { schemaDrift: [{ mapping: "contact", message: "column firstname is gone" }] });
  await expect
    .poll(() => ground.condition("counted", "SchemaDrift"), patience)
    .toMatchObject({ status: "True", message: expect.stringContaining("contact: column firstname is gone") });
  await ground.until("counted", { backlog: 5 });
  await expect
    .poll(metrics, patience)
    .toContain(`integration_workflow_backlog_records{namespace="${ground.namespace}",name="counted"} 5`);
  expect(await metrics()).toContain(
    `integration_workflow_state{namespace="${ground.namespace}",name="counted",state="RUNNING"} 1`,
  );

  const { resourceVersion } = (await ground.workflow("counted")).metadata;
  for (const nonsense of ["not json", { backlog: -1 }, { ...figures(1), mappings: "none" }, "x".repeat(300_000)]) {
    const before = asked;
    answer = nonsense;
    await expect.poll(() => asked, patience).toBeGreaterThan(before + 1);
  }
  expect((await ground.workflow("counted")).metadata.resourceVersion).toBe(resourceVersion);
});

test("a worker that ends without last words leaves the last poll, marked as estimated", async () => {
  answer = figures(3);
  await ground.until("counted", { backlog: 3 });
  await ground.patch("counted", { state: "Stopped" });
  await ground.until("counted", { state: "STOPPED", backlog: 3, backlogEstimated: true });
});

test("that a service throttles is told once with its cause, and taken back when it is over; nothing else changes", async () => {
  const held = {
    service: "Campaign",
    heldBy: "Service",
    limit: "Unnamed",
    since: "2026-11-21T10:00:00.000Z",
    heldPercent: 80,
    refusedCalls: 214,
    callsLastMinute: 12,
  };
  answer = figures(7, { throttling: [] });
  await ground.apply("slow", { state: "Running" });
  await ground.until("slow", { state: "RUNNING", backlog: 7 });
  expect(await ground.condition("slow", "Throttled")).toBeUndefined();
  const ready = await ground.condition("slow", "Ready");

  answer = figures(8, { throttling: [{ ...held, unknown: 1 }] });
  await expect
    .poll(() => ground.condition("slow", "Throttled"), patience)
    .toMatchObject({
      status: "True",
      reason: "CampaignLimit",
      message: expect.stringMatching(/^Since 2026-11-21T10:00:00Z Campaign refuses calls.*engineCallsPerSecond \(20\)/),
    });
  expect((await ground.status("slow")).throttling).toEqual([held]);
  expect(await ground.condition("slow", "Ready")).toEqual(ready);
  await expect
    .poll(metrics, patience)
    .toContain(`integration_workflow_throttled{namespace="${ground.namespace}",name="slow"} 1`);
  expect(await ground.kubectl("get", "iw", "slow", "-o", "wide")).toMatch(/THROTTLED.*\n.* Campaign /);

  answer = figures(8, { throttling: [] });
  await expect
    .poll(() => ground.condition("slow", "Throttled"), patience)
    .toMatchObject({ status: "False", reason: "NotThrottled" });
  expect(await ground.status("slow")).not.toHaveProperty("throttling");
  await expect.poll(() => ground.events("slow", "CampaignLimit"), patience).toHaveLength(1);
  await expect.poll(() => ground.events("slow", "NotThrottled"), patience).toHaveLength(1);
});

test("health and metrics answer as Kubernetes and Prometheus expect", async () => {
  const { health } = await operator.said("operator started");
  for (const path of ["livez", "readyz"]) expect((await fetch(`${String(health)}/${path}`)).status).toBe(200);
  const text = await metrics();
  for (const name of [
    'workqueue_depth{name="integrationworkflow",controller="integrationworkflow",priority="2"}',
    'controller_runtime_reconcile_total{controller="integrationworkflow",result="requeue_after"}',
    "integration_workflow_operator_watch_staleness_seconds",
    "leader_election_master_status",
    "integration_workflow_operator_transition_duration_seconds_bucket",
    `integration_workflow_transition_duration_seconds_count{namespace="${ground.namespace}",name="counted",transition="stop"} 1`,
  ]) {
    expect(text).toContain(name);
  }
  const host = new URL(connectionTo(ground.kubeconfig).server).host;
  expect(text).toMatch(new RegExp(`rest_client_requests_total\\{code="200",method="GET",host="${host}"\\} [1-9]`));
});
