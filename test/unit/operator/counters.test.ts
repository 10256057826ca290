/**
 * Figures go into status within their budget, however many workers say something new all the time. What decides and acts
 * here is the operator itself; time is virtual, the API server is a function, and workers are undici's own stand-in.
 */
import { Readable } from "node:stream";
import { MockAgent } from "undici";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { Client } from "../../../src/kubernetes/client.ts";
import { EventRecorder } from "../../../src/kubernetes/events.ts";
import type { Transport } from "../../../src/kubernetes/transport.ts";
import { Controller } from "../../../src/operator/shell/controller.ts";
import { CounterBudget, defaultCounterBudget } from "../../../src/operator/shell/counter-budget.ts";
import { LimitsLedger } from "../../../src/operator/shell/limits-ledger.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { shardOf } from "../../../src/operator/shell/shard.ts";
import { type Watched, watchCluster } from "../../../src/operator/shell/watched.ts";
import { pollWorkers } from "../../../src/operator/shell/worker-poll.ts";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { looks, running } from "./moments.ts";
import { policy, seconds } from "./scene.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

interface StatusWrite {
  readonly workflow: string;
  readonly atMs: number;
}

/** Caches that hold so many copies of a workflow that runs, each in a namespace of its own. */
function crowdOf(count: number, client: Client): Watched {
  const world = running();
  const run = world.status.appliedRevision?.run ?? 0;
  const status = { backlog: 0, mappings: [], schemaDrift: [] };
  world.operator.memory = { ...world.operator.memory, poll: { run, atMs: world.api.nowMs, status } };
  looks(world);
  vi.setSystemTime(world.api.nowMs);
  const watched = watchCluster(client, [], silentLogger);
  const { stored } = world.api;
  for (let number = 0; number < count; number += 1) {
    const copy = <T extends { readonly metadata: object }>(object: T): T => ({
      ...object,
      metadata: { ...object.metadata, namespace: `crm-${number}`, resourceVersion: "1" },
    });
    for (const one of stored.Workflow.values()) watched.workflows.cache.put("", copy(one));
    for (const one of stored.Deployment.values()) watched.deployments.cache.put("", copy(one));
    for (const one of stored.ReplicaSet.values()) watched.replicaSets.cache.put("", copy(one));
    for (const one of stored.ConfigMap.values()) watched.pins.cache.put("", copy(one));
    for (const one of stored.PersistentVolumeClaim.values()) watched.claims.cache.put("", copy(one));
    for (const one of stored.NetworkPolicy.values()) watched.networkPolicies.cache.put("", copy(one));
    const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
    for (const one of stored.Pod.values()) watched.pods.cache.put("", { ...copy(one), address });
  }
  return watched;
}

/** All that an API server does here: it stores statuses, and its watch tells of them at once. */
class StatusStore implements Transport {
  readonly writes: StatusWrite[] = [];
  watched: Watched | undefined;
  #version = 1;

  async send({ method, path, body = "" }: Parameters<Transport["send"]>[0]) {
    const [, namespace = ""] = /\/namespaces\/([^/]+)\/integrationworkflows\/contacts\/status/.exec(path) ?? [];
    const present = this.watched?.workflows.cache.get(`${namespace}/contacts`);
    if (method !== "PUT" || present === undefined) throw new Error(`${method} ${path} is not expected`);
    const { status } = JSON.parse(body) as { status: WorkflowStatus };
    this.#version += 1;
    const stored: IntegrationWorkflow = {
      ...present,
      metadata: { ...present.metadata, resourceVersion: String(this.#version) },
      status,
    };
    this.writes.push({ workflow: namespace, atMs: Date.now() });
    this.watched?.workflows.cache.put("", stored);
    return { status: 200, headers: {}, body: Readable.from([Buffer.from(JSON.stringify(stored))]) };
  }

  async close(): Promise<void> {}
}

/** So many workers that have written a record more whenever they are asked, for so long. @returns the writes of status */
async function load(count: number, forMs: number): Promise<{ writes: readonly StatusWrite[]; asked: number }> {
  const store = new StatusStore();
  const client = new Client({ transport: store, server: "https://cluster.example", fieldManager: "test" });
  const watched = crowdOf(count, client);
  store.watched = watched;
  let asked = 0;
  const workers = new MockAgent();
  workers.disableNetConnect();
  workers
    .get(/^http:\/\/10\./)
    .intercept({ path: "/status" })
    .reply(200, () => {
      asked += 1;
      return JSON.stringify({ backlog: asked, mappings: [], schemaDrift: [] });
    })
    .persist();

  const [memories, budget] = [new Memories(), new CounterBudget(defaultCounterBudget)];
  const events = new EventRecorder({ client, reportingController: "t", reportingInstance: "t", logger: silentLogger });
  const shared = { client, watched, shard: shardOf(undefined), memories, budget, logger: silentLogger };
  const controller = new Controller({
    ...shared,
    limits: new LimitsLedger(),
    events,
    policy,
    now: () => Date.now(),
    concurrency: 16,
  });
  const stop = new AbortController();
  const { queue } = controller;
  const polling = { ...shared, mode: "direct", dispatcher: workers, queue, clock: systemClock } as const;
  const ending = Promise.all([controller.run(stop.signal), pollWorkers(polling, stop.signal)]);
  await vi.advanceTimersByTimeAsync(forMs);
  stop.abort();
  await vi.advanceTimersByTimeAsync(1 * seconds);
  await ending;
  await workers.close();
  return { writes: store.writes, asked };
}

/** The most writes in any so many milliseconds. */
function mostWithin(ms: number, writes: readonly StatusWrite[]): number {
  return Math.max(
    0,
    ...writes.map(({ atMs }, first) => writes.slice(first).filter((one) => one.atMs < atMs + ms).length),
  );
}

function shortestRest(writes: readonly StatusWrite[]): number {
  const last = new Map<string, number>();
  let shortest = Number.POSITIVE_INFINITY;
  for (const { workflow, atMs } of writes) {
    shortest = Math.min(shortest, atMs - (last.get(workflow) ?? Number.NEGATIVE_INFINITY));
    last.set(workflow, atMs);
  }
  return shortest;
}

test("with 10,000 loading workflows, status is written 20 times a second and no more, each in its turn", async () => {
  const { writes, asked } = await load(10_000, 50 * seconds);
  expect(asked, "workers are asked 50 times a second").toBeGreaterThan(2000);
  expect(mostWithin(1 * seconds, writes)).toBeLessThanOrEqual(21);
  expect(writes.length).toBeLessThanOrEqual(1021);
  // The budget is used, not only kept.
  expect(writes.length).toBeGreaterThan(900);
  expect(new Set(writes.map(({ workflow }) => workflow)).size, "nobody twice while others wait").toBe(writes.length);
});

test("with 400, both hold: 20 a second for all, and none more often than every 10 s; all are told of", async () => {
  const { writes } = await load(400, 60 * seconds);
  expect(mostWithin(1 * seconds, writes)).toBeLessThanOrEqual(21);
  expect(shortestRest(writes)).toBeGreaterThanOrEqual(10_000);
  expect(writes.length).toBeGreaterThan(1000);
  expect(new Set(writes.map(({ workflow }) => workflow)).size).toBe(400);
});

test("with ten, each is told of every 10 s", async () => {
  const { writes } = await load(10, 60 * seconds);
  expect(shortestRest(writes)).toBeGreaterThanOrEqual(10_000);
  // The worker of each is asked every 4 s, and what it said last is told when its time comes.
  for (let number = 0; number < 10; number += 1) {
    const own = writes.filter(({ workflow }) => workflow === `crm-${number}`);
    expect([6, 7]).toContain(own.length);
  }
});

/** Writes whenever it may, as a controller does that looks at a key again when it was told to; it stands still for a while. */
function writesOf(
  budget: CounterBudget,
  keys: readonly string[],
  still: { fromMs: number; toMs: number },
): StatusWrite[] {
  const writes: StatusWrite[] = [];
  const dueAtMs = new Map(keys.map((key) => [key, 0]));
  for (let nowMs = 0; nowMs < 40 * seconds; nowMs += 10) {
    if (nowMs > still.fromMs && nowMs < still.toMs) continue;
    const due = [...dueAtMs].filter(([, atMs]) => atMs <= nowMs).sort((left, right) => left[1] - right[1]);
    for (const [workflow] of due) {
      const waitMs = budget.waitMs(workflow, nowMs);
      dueAtMs.set(workflow, nowMs + Math.max(10, waitMs));
      if (waitMs > 0) continue;
      budget.noteWrite(workflow, nowMs);
      writes.push({ workflow, atMs: nowMs });
    }
  }
  return writes;
}

const crowd = Array.from({ length: 300 }, (_, number) => `crm/${number}`);

test("an operator that was held up does not make up for it: the rate holds afterwards too", () => {
  const writes = writesOf(new CounterBudget(defaultCounterBudget), crowd, { fromMs: 5000, toMs: 12_000 });
  expect(mostWithin(1 * seconds, writes)).toBeLessThanOrEqual(22);
  expect(shortestRest(writes)).toBeGreaterThanOrEqual(10_000);
  expect(new Set(writes.map(({ workflow }) => workflow)).size).toBe(crowd.length);
  expect(writes.length).toBeGreaterThan(600);
});

test("those that have rested and those that tell for the first time share one rate", () => {
  const budget = new CounterBudget(defaultCounterBudget);
  // All were written about in one second, for another reason than figures.
  for (const key of crowd.slice(0, 150)) budget.noteWrite(key, 0);
  const writes = writesOf(budget, crowd, { fromMs: 0, toMs: 5000 });
  expect(mostWithin(1 * seconds, writes)).toBeLessThanOrEqual(22);
});

test("a turn that nobody took, because the figure went back, holds nobody else up", () => {
  const budget = new CounterBudget(defaultCounterBudget);
  const waits = crowd.slice(0, 20).map((key) => budget.waitMs(key, 0));
  expect(Math.max(...waits)).toBeLessThanOrEqual(1000);
  // Ten minutes later, one of them has something to tell again.
  expect(budget.waitMs("crm/19", 600 * seconds)).toBe(0);
  budget.noteWrite("crm/19", 600 * seconds);
  expect(budget.waitMs("crm/100", 601 * seconds)).toBe(0);
});
