import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { labels } from "../../../src/api/group.ts";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { Client } from "../../../src/kubernetes/client.ts";
import { WorkQueue } from "../../../src/kubernetes/work-queue.ts";
import { CounterBudget, defaultCounterBudget } from "../../../src/operator/shell/counter-budget.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { type Shard, shardOf } from "../../../src/operator/shell/shard.ts";
import { type Watched, watchCluster } from "../../../src/operator/shell/watched.ts";
import { pollWorkers } from "../../../src/operator/shell/worker-poll.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ManualClock, settle } from "../kubernetes/manual-clock.ts";

interface Polled {
  /** When workers were asked, in milliseconds, and which. */
  readonly asks: { readonly atMs: number; readonly name: string }[];
  readonly memories: Memories;
}

interface PollOptions {
  readonly shard?: Shard;
  /** What happens while a worker thinks of its answer. */
  readonly meanwhile?: (watched: Watched) => void;
}

async function asksOf(count: number, forMs: number, shard?: Shard): Promise<Polled["asks"]> {
  return (await polled(count, forMs, shard === undefined ? {} : { shard })).asks;
}

function workflowOf(number: number, uid = `${number}`): IntegrationWorkflow {
  const ofOdd = number % 2 === 1 ? { labels: { shard: "odd" } } : {};
  const metadata = { name: `w${number}`, namespace: "crm", uid, resourceVersion: "1", ...ofOdd };
  return { metadata, spec: {} } as unknown as IntegrationWorkflow;
}

/** Polls the workers of so many workflows; odd ones are of the shard "odd". */
async function polled(count: number, forMs: number, options: PollOptions = {}): Promise<Polled> {
  const { shard = shardOf(undefined), meanwhile } = options;
  const clock = Object.assign(new ManualClock(), { date: () => new Date(0) });
  const startedAtMs = clock.now();
  const asks: Polled["asks"] = [];
  const memories = new Memories();
  const transport = {
    send: async ({ path }: { path: string }) => {
      asks.push({ atMs: clock.now() - startedAtMs, name: /pods\/([^:]+):/.exec(path)?.[1] ?? "" });
      meanwhile?.(watched);
      const text = JSON.stringify({ backlog: 0, mappings: [], schemaDrift: [] });
      return { status: 200, headers: {}, body: Readable.from([Buffer.from(text)]) };
    },
    close: async () => {},
  };
  const client = new Client({ transport, server: "https://cluster.example", fieldManager: "test" });
  const watched = watchCluster(client, [], silentLogger);
  for (let number = 0; number < count; number += 1) {
    const metadata = { name: `w${number}`, namespace: "crm", uid: `${number}`, resourceVersion: "1" };
    watched.workflows.cache.put("", workflowOf(number));
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
  const shared = { client, watched, shard, clock, queue, memories, logger: silentLogger };
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
  return { asks, memories };
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

test("what the worker of an earlier resource of this name answers is not told of the new one", async () => {
  const same = await polled(1, 1000);
  expect(same.memories.of("crm/w0").memory.poll?.status.backlog).toBe(0);
  const { asks, memories } = await polled(1, 1000, {
    meanwhile: ({ workflows }) => workflows.cache.put("", workflowOf(0, "made anew")),
  });
  expect(asks).toHaveLength(1);
  expect(memories.of("crm/w0").memory.poll).toBeUndefined();
});

test("a worker whose resource was made anew before its turn came is not asked", async () => {
  const { asks } = await polled(8, 3990, {
    meanwhile: ({ workflows }) => {
      for (let number = 0; number < 8; number += 1) workflows.cache.put("", workflowOf(number, `${number} made anew`));
    },
  });
  expect(asks).toHaveLength(1);
});

test("what was noted of a resource that nobody has looked at yet is not believed of the next one of its name", async () => {
  const { memories } = await polled(1, 1000);
  memories.meet("crm/w0", "made anew");
  expect(memories.of("crm/w0").memory.poll).toBeUndefined();
});
