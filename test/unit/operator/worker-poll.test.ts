import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { labels } from "../../../src/api/group.ts";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { Client } from "../../../src/kubernetes/client.ts";
import { WorkQueue } from "../../../src/kubernetes/work-queue.ts";
import { CounterBudget, defaultCounterBudget } from "../../../src/operator/shell/counter-budget.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { type Shard, shardOf } from "../../../src/operator/shell/shard.ts";
import { watchCluster } from "../../../src/operator/shell/watched.ts";
import { pollWorkers } from "../../../src/operator/shell/worker-poll.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ManualClock, settle } from "../kubernetes/manual-clock.ts";

/** @returns when the workers of so many workflows were asked, in milliseconds, and which; odd ones are of the shard "odd" */
async function asksOf(count: number, forMs: number, shard: Shard = shardOf(undefined)) {
  const clock = Object.assign(new ManualClock(), { date: () => new Date(0) });
  const startedAtMs = clock.now();
  const asks: { atMs: number; name: string }[] = [];
  const transport = {
    send: async ({ path }: { path: string }) => {
      asks.push({ atMs: clock.now() - startedAtMs, name: /pods\/([^:]+):/.exec(path)?.[1] ?? "" });
      const text = JSON.stringify({ backlog: 0, mappings: [], schemaDrift: [] });
      return { status: 200, headers: {}, body: Readable.from([Buffer.from(text)]) };
    },
    close: async () => {},
  };
  const client = new Client({ transport, server: "https://cluster.example", fieldManager: "test" });
  const watched = watchCluster(client, [], silentLogger);
  for (let number = 0; number < count; number += 1) {
    const metadata = { name: `w${number}`, namespace: "crm", uid: `${number}`, resourceVersion: "1" };
    const ofOdd = number % 2 === 1 ? { labels: { shard: "odd" } } : {};
    watched.workflows.cache.put("", {
      metadata: { ...metadata, ...ofOdd },
      spec: {},
    } as unknown as IntegrationWorkflow);
    watched.pods.cache.put("", {
      metadata: { ...metadata, labels: { [labels.workflow]: metadata.name } },
      run: 1,
      phase: "Running",
      node: "node",
      address: "192.0.2.1",
      readySinceMs: 0,
      unschedulable: undefined,
      worker: { restarts: 0, running: true },
    });
  }
  const queue = new WorkQueue({ process: async () => undefined, concurrency: 1, clock, logger: silentLogger });
  const shared = { client, watched, shard, clock, queue, memories: new Memories(), logger: silentLogger };
  const stop = new AbortController();
  const budget = new CounterBudget(defaultCounterBudget);
  const dispatcher = undefined as never; // Not asked: mode proxy.
  const polling = pollWorkers({ ...shared, mode: "proxy", dispatcher, budget, random: () => 0.5 }, stop.signal);
  for (let passedMs = 0; passedMs < forMs; passedMs += 20) {
    await settle();
    await clock.advance(20);
  }
  await settle();
  stop.abort();
  await polling;
  return asks;
}

const most = (counts: readonly number[]): number => Math.max(0, ...counts);
const perSecond = (asks: readonly { atMs: number }[], seconds: number): number[] =>
  Array.from({ length: seconds }, (_, s) => asks.filter(({ atMs }) => Math.floor(atMs / 1000) === s).length);

test("asks are spread over the round, and each worker is asked once in it", async () => {
  const asks = await asksOf(40, 8000);
  expect(most(perSecond(asks, 8))).toBeLessThanOrEqual(11);
  const ofOne = asks.filter(({ name }) => name === "w17").map(({ atMs }) => atMs);
  expect(ofOne).toHaveLength(2);
  expect(Math.abs((ofOne[1] ?? 0) - (ofOne[0] ?? 0) - 4000)).toBeLessThanOrEqual(100);
});

test("however many workers there are, no more than fifty are asked in a second, and all in turn", async () => {
  const asks = await asksOf(400, 9000);
  expect(most(perSecond(asks, 9))).toBeLessThanOrEqual(51);
  expect(new Set(asks.slice(0, 400).map(({ name }) => name)).size).toBe(400);
});

test("workers of another shard's workflows are not asked", async () => {
  const asks = await asksOf(20, 4000, shardOf("shard=odd"));
  expect(asks).toHaveLength(10);
  expect(asks.filter(({ name }) => Number(name.slice(1)) % 2 === 0)).toEqual([]);
});
