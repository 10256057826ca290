import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import type { Client } from "../../../src/kubernetes/client.ts";
import { createInformer, type Informer } from "../../../src/kubernetes/informer.ts";
import { defaultReflectorTimings, type ReflectorTimings } from "../../../src/kubernetes/reflector.ts";
import { type Logger, silentLogger } from "../../../src/telemetry/log.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { contentOf, type Follower, follow } from "./follower.ts";
import {
  type ConfigMap,
  clientOver,
  configMaps,
  connectionAt,
  connectionTo,
  freshNamespace,
  quickTimings,
  type TestClient,
} from "./ground.ts";

let direct: TestClient;
let proxied: TestClient;
let proxy: FaultProxy;
let namespace: string;
let follower: Follower;

beforeEach(async () => {
  const connection = connectionTo(inject("kubeconfig"));
  direct = clientOver(connection);
  proxy = await startFaultProxy(connection);
  proxied = clientOver(connectionAt(proxy.url));
  namespace = await freshNamespace(direct.client);
  await fill(direct.client);
  follower = follow(informerOf({ namespaces: [namespace] }));
  await follower.informer.synced;
  await vi.waitFor(() => expect(proxy.openWatches()).toBe(1), { timeout: 20_000, interval: 20 });
});

afterEach(async () => {
  await follower.stop();
  await proxy.stop();
  await proxied.close();
  await direct.close();
});

const labels = { test: "faults" };

function informerOf(options: {
  namespaces: string[];
  timings?: ReflectorTimings;
  logger?: Logger;
}): Informer<ConfigMap> {
  return createInformer({
    client: proxied.client,
    kind: configMaps,
    labelSelector: "test=faults",
    project: (object) => object,
    timings: quickTimings,
    logger: silentLogger,
    ...options,
  });
}

async function fill(client: Client): Promise<void> {
  for (const name of ["changed", "deleted", "replaced", "kept", "unselected"]) {
    await client.create(configMaps, { metadata: { namespace, name, labels }, data: { text: "before" } });
  }
}

/** One of everything that can happen to an object, behind the proxy's back. */
async function changeEverything(suffix: string): Promise<void> {
  const { client } = direct;
  await client.mergePatch(configMaps, { namespace, name: "changed" }, { data: { text: `after ${suffix}` } });
  await client.delete(configMaps, { namespace, name: "deleted" });
  await client.delete(configMaps, { namespace, name: "replaced" });
  await client.create(configMaps, { metadata: { namespace, name: "replaced", labels }, data: { text: suffix } });
  await client.create(configMaps, {
    metadata: { namespace, name: `added-${suffix}`, labels },
    data: { text: "größer ✓" },
  });
  await client.mergePatch(configMaps, { namespace, name: "unselected" }, { metadata: { labels: { test: null } } });
}

/** Some of a few objects come, some go, some change: which, follows from `count`. */
async function changeSome(count: number): Promise<void> {
  const { client } = direct;
  for (const index of [0, 1, 2, 3, 4, 5]) {
    const ref = { namespace, name: `random-${index}` };
    const isThere = (await client.get(configMaps, ref).catch(() => undefined)) !== undefined;
    const choice = (count * 7 + index * 5) % 3;
    if (!isThere) await client.create(configMaps, { metadata: { ...ref, labels }, data: { text: String(count) } });
    else if (choice === 0) await client.delete(configMaps, ref);
    else if (choice === 1) await client.mergePatch(configMaps, ref, { data: { text: String(count) } });
  }
}

/** The cache, and what the handlers were told, equal a fresh list. */
async function expectSameAsServer(): Promise<void> {
  await vi.waitFor(
    async () => {
      const { items } = await direct.client.list(configMaps, { namespace, labelSelector: "test=faults" });
      const server = contentOf(items);
      expect(contentOf(follower.informer.cache.values())).toEqual(server);
      expect(contentOf(follower.told.values())).toEqual(server);
    },
    { timeout: 20_000, interval: 50 },
  );
}

async function untilHit(times = 1): Promise<void> {
  await vi.waitFor(() => expect(proxy.hits()).toBeGreaterThanOrEqual(times), { timeout: 20_000, interval: 20 });
}

test("without a fault the cache follows every kind of change", async () => {
  await changeEverything("quiet");
  await expectSameAsServer();
  expect(follower.complaints).toEqual([]);
});

describe("while the fault lasts objects change, and after it the cache equals a fresh list:", () => {
  const lasting: [string, Fault, number][] = [
    ["connections are reset", { type: "reset" }, 3],
    ["connections are accepted and then silent", { type: "blackHole" }, 2],
    ["watches are answered 410 Gone", { type: "answer", to: "watch", status: 410, reason: "Expired" }, 3],
    ["watches deliver an ERROR event with code 410", { type: "errorEvent", status: 410, reason: "Expired" }, 3],
    ["watches deliver an ERROR event with code 500", { type: "errorEvent", status: 500, reason: "InternalError" }, 3],
    [
      "everything is answered 429 with Retry-After",
      { type: "answer", to: "all", status: 429, reason: "TooManyRequests", retryAfterSeconds: 1 },
      2,
    ],
    ["everything is answered 500", { type: "answer", to: "all", status: 500, reason: "InternalError" }, 6],
    ["everything is answered 403", { type: "answer", to: "all", status: 403, reason: "Forbidden" }, 3],
  ];
  const faults = fc.array(fc.constantFrom(...lasting.map(([, fault]) => fault)), { minLength: 3, maxLength: 6 });
  test("one fault after another, at random", async () => {
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(faults, async (sequence) => {
        for (const fault of sequence) {
          proxy.set(fault);
          proxy.resetConnections();
          changes += 1;
          await changeSome(changes);
          await untilHit();
        }
        proxy.set({ type: "none" });
        await expectSameAsServer();
        expect(follower.complaints).toEqual([]);
      }),
      // At its first failure it says the seed and the sequence: to look for a shorter one takes longer than a test may.
      { numRuns: 4, endOnFailure: true },
    );
  });

  test.each(lasting)("%s", async (_name, fault, hits) => {
    proxy.set(fault);
    proxy.resetConnections();
    await changeEverything("during");
    await untilHit(hits);
    proxy.set({ type: "none" });
    await expectSameAsServer();
    await direct.client.mergePatch(configMaps, { namespace, name: "kept" }, { data: { text: "after the fault" } });
    await expectSameAsServer();
    expect(follower.complaints).toEqual([]);
  });

  test("connections go half-open: nothing comes, nothing closes", async () => {
    proxy.halfOpenConnections();
    await changeEverything("during");
    await untilHit();
    await expectSameAsServer();
    expect(follower.complaints).toEqual([]);
  });

  test("a line is cut in the middle and the answer ends as if it were whole", async () => {
    proxy.cutNextLine();
    await changeEverything("during");
    await untilHit();
    await expectSameAsServer();
    expect(follower.complaints).toEqual([]);
  });
});

test("a watch that is merely quiet is opened anew again and again without a complaint", async () => {
  const quiet = await freshNamespace(direct.client);
  const warnings: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (event: string, fields?: object) => void warnings.push({ event, ...fields }),
  };
  // It opens watches of its own.
  await follower.stop();
  // A watch that is not even accepted for so long is told, and rightly: longer than a busy machine needs for that.
  const timings = { ...defaultReflectorTimings, idleTimeoutMs: 2000 };
  const before = proxy.connections();
  const own = follow(informerOf({ namespaces: [quiet], logger, timings }));
  await vi.waitFor(() => expect(proxy.connections()).toBeGreaterThan(before + 3), { timeout: 60_000 });
  await direct.client.create(configMaps, { metadata: { namespace: quiet, name: "a", labels } });
  await vi.waitFor(() => expect(own.told.size).toBe(1), { timeout: 20_000 });
  expect(warnings).toEqual([]);
  await own.stop();
});

test("a version that is too old is listed anew at once, without waiting out a backoff", async () => {
  const backoff = { initialMs: 600_000, factor: 1, maxMs: 600_000, jitter: 0 };
  const patient = { ...defaultReflectorTimings, backoff };
  // The fault comes once, and must not come to this one.
  await follower.stop();
  for (const fault of [
    { type: "answer", to: "watch", status: 410, reason: "Expired" },
    { type: "errorEvent", status: 410, reason: "Expired" },
  ] satisfies Fault[]) {
    proxy.set({ ...fault, times: 1 });
    const own = follow(informerOf({ namespaces: [namespace], timings: patient }));
    await untilHit();
    await direct.client.create(configMaps, {
      metadata: { namespace, name: `after-${fault.type.toLowerCase()}`, labels },
    });
    await vi.waitFor(() => expect(own.told.has(`${namespace}/after-${fault.type.toLowerCase()}`)).toBe(true), {
      timeout: 20_000,
    });
    await own.stop();
  }
});

test("during a fault the informer tells since when it has heard nothing, and hears again after", async () => {
  const silenceMs = (): number => performance.now() - follower.informer.lastContactAtMs();
  proxy.set({ type: "reset" });
  proxy.resetConnections();
  await vi.waitFor(() => expect(silenceMs()).toBeGreaterThan(5000), { timeout: 20_000 });
  proxy.set({ type: "none" });
  await vi.waitFor(() => expect(silenceMs()).toBeLessThan(1000), { timeout: 20_000 });
});

test("a client call that is throttled waits for Retry-After and then succeeds; a create is not sent twice", async () => {
  // Its watches would be counted too.
  await follower.stop();
  proxy.set({ type: "answer", to: "all", status: 429, reason: "TooManyRequests", retryAfterSeconds: 1 });
  const call = proxied.client.get(configMaps, { namespace, name: "kept" });
  await untilHit();
  proxy.set({ type: "none" });
  await expect(call).resolves.toMatchObject({ data: { text: "before" } });

  proxy.set({ type: "answer", to: "all", status: 429, reason: "TooManyRequests", retryAfterSeconds: 1 });
  await expect(proxied.client.create(configMaps, { metadata: { namespace, name: "new" } })).rejects.toMatchObject({
    status: 429,
    retryAfterSeconds: 1,
  });
  expect(proxy.hits()).toBe(1);
});
