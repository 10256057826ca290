import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from "vitest";
import type { Client } from "../../../src/kubernetes/client.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import { keyOf } from "../../../src/kubernetes/objects.ts";
import { defaultReflectorTimings } from "../../../src/kubernetes/reflector.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { contentOf, follow } from "./follower.ts";
import {
  type ConfigMap,
  clientOver,
  configMaps,
  connectionTo,
  freshNamespace,
  inTurns,
  quickTimings,
  type TestClient,
} from "./ground.ts";

let own: TestClient;
let client: Client;
let namespace: string;

beforeAll(() => {
  own = clientOver(connectionTo(inject("kubeconfig")));
  client = own.client;
});

afterAll(() => own.close());

beforeEach(async () => {
  namespace = await freshNamespace(client);
});

const base = { kind: configMaps, timings: defaultReflectorTimings, logger: silentLogger };
const labels = { test: "informer" };
const labelSelector = "test=informer";

test("more objects than a page are all there after the first sync, as the projection made them", async () => {
  const names = Array.from({ length: 1203 }, (_, index) => `item-${index}`);
  await inTurns(names, (name) => client.create(configMaps, { metadata: { namespace, name, labels }, data: { name } }));
  const follower = follow(
    createInformer({
      ...base,
      client,
      namespaces: [namespace],
      labelSelector,
      project: ({ metadata, data }) => ({ metadata, first: data?.["name"]?.slice(0, 4) }),
      indexes: { byEnd: (object) => [object.metadata.name.slice(-1)] },
    }),
  );
  await follower.informer.synced;
  const { cache } = follower.informer;
  expect(cache.size).toBe(1203);
  expect(follower.told.size).toBe(1203);
  expect([...cache.values()].every(({ first, metadata }) => first === "item" && !("managedFields" in metadata))).toBe(
    true,
  );
  expect(cache.byIndex("byEnd", "7")).toHaveLength(names.filter((name) => name.endsWith("7")).length);
  await follower.stop();
});

test("several namespaces are followed side by side, and no other", async () => {
  const second = await freshNamespace(client);
  const third = await freshNamespace(client);
  const follower = follow(
    createInformer({ ...base, client, namespaces: [namespace, second], labelSelector, project: (object) => object }),
  );
  await follower.informer.synced;
  for (const space of [namespace, second, third]) {
    await client.create(configMaps, { metadata: { namespace: space, name: "a", labels } });
  }
  const expected = [`${namespace}/a`, `${second}/a`].sort();
  await vi.waitFor(() => expect([...follower.informer.cache.keys()].sort()).toEqual(expected), { timeout: 20_000 });
  expect([...follower.told.keys()].sort()).toEqual(expected);
  await follower.stop();
});

test("the whole cluster is followed when no namespace is given", async () => {
  const mark = { test: namespace };
  const follower = follow(
    createInformer({ ...base, client, labelSelector: `test=${namespace}`, project: (object) => object }),
  );
  await follower.informer.synced;
  const second = await freshNamespace(client);
  await client.create(configMaps, { metadata: { namespace, name: "a", labels: mark } });
  await client.create(configMaps, { metadata: { namespace: second, name: "b", labels: mark } });
  await vi.waitFor(() => expect(follower.informer.cache.size).toBe(2), { timeout: 20_000 });
  await follower.stop();
});

test("an object is the same whether it came by list or by watch", async () => {
  const informer = () =>
    follow(createInformer({ ...base, client, namespaces: [namespace], labelSelector, project: (object) => object }));
  const watcher = informer();
  await watcher.informer.synced;
  await client.create(configMaps, { metadata: { namespace, name: "a", labels }, data: { text: "x" } });
  await vi.waitFor(() => expect(watcher.informer.cache.size).toBe(1), { timeout: 20_000 });
  const lister = informer();
  await lister.informer.synced;
  expect(contentOf(watcher.informer.cache.values())).toEqual(contentOf(lister.informer.cache.values()));
  await watcher.stop();
  await lister.stop();
});

test("managed fields reach a projection that asks for them", async () => {
  await client.create(configMaps, { metadata: { namespace, name: "a", labels } });
  const follower = follow(
    createInformer({
      ...base,
      client,
      namespaces: [namespace],
      labelSelector,
      read: JSON.parse,
      project: ({ metadata }: ConfigMap) => ({
        metadata: { name: metadata.name, namespace, uid: metadata.uid, resourceVersion: metadata.resourceVersion },
        managers: metadata.managedFields?.map(({ manager }) => manager),
      }),
    }),
  );
  await follower.informer.synced;
  expect(follower.informer.cache.get(`${namespace}/a`)?.managers).toEqual(["test"]);
  await follower.stop();
});

test("own writes are waited for until the cache has them, also when the object has left the selection", async () => {
  const follower = follow(
    createInformer({ ...base, client, namespaces: [namespace], labelSelector, project: (object) => object }),
  );
  const { cache, synced } = follower.informer;
  await synced;
  const deadline = AbortSignal.timeout(100_000);
  for (let count = 0; count < 20; count += 1) {
    const text = String(count);
    const written = await client.apply(configMaps, { metadata: { namespace, name: "a", labels }, data: { text } });
    const key = keyOf(written.metadata);
    cache.noteWrite(written);
    await cache.waitForWrites(key, deadline);
    expect(cache.get(key)?.data).toEqual({ text });
  }
  cache.noteWrite(
    await client.mergePatch(configMaps, { namespace, name: "a" }, { metadata: { labels: { test: null } } }),
  );
  await cache.waitForWrites(`${namespace}/a`, deadline);
  expect(cache.get(`${namespace}/a`)).toBeUndefined();

  const again = await client.create(configMaps, { metadata: { namespace, name: "b", labels } });
  cache.noteWrite(again);
  await cache.waitForWrites(`${namespace}/b`, deadline);
  await client.delete(configMaps, { namespace, name: "b" });
  cache.noteDeletion({ namespace, name: "b" }, again.metadata.uid);
  await cache.waitForWrites(`${namespace}/b`, deadline);
  expect(cache.get(`${namespace}/b`)).toBeUndefined();
  expect(deadline.aborted).toBe(false);
  await follower.stop();
});

test("watches that the server ends in their time go on without a new list and without a gap", async () => {
  const lists: string[] = [];
  const logger = {
    ...silentLogger,
    info: (event: string) => void lists.push(event),
    warn: (event: string) => void lists.push(event),
  };
  // Patient with all that a busy machine is slow at: a try that is given up is told.
  const timings = { ...quickTimings, watchTimeoutSeconds: 1, idleTimeoutMs: 60_000, listTimeoutMs: 60_000 };
  const follower = follow(
    createInformer({
      ...base,
      client,
      namespaces: [namespace],
      labelSelector,
      project: (object) => object,
      timings,
      logger,
    }),
  );
  await follower.informer.synced;
  const endAt = performance.now() + 4000;
  for (let count = 0; performance.now() < endAt; count += 1) {
    await client.apply(configMaps, {
      metadata: { namespace, name: `item-${count % 10}`, labels },
      data: { text: String(count) },
    });
  }
  await vi.waitFor(
    async () => {
      const { items } = await client.list(configMaps, { namespace, labelSelector });
      expect(contentOf(follower.told.values())).toEqual(contentOf(items));
    },
    { timeout: 20_000 },
  );
  expect(follower.complaints).toEqual([]);
  expect(lists).toEqual([]);
  await follower.stop();
});

test("an informer that is stopped before it could list rejects its sync and ends", async () => {
  const informer = createInformer({ ...base, client, namespaces: [namespace], project: (object) => object });
  const stop = new AbortController();
  stop.abort(new Error("stopped"));
  await informer.run(stop.signal);
  await expect(informer.synced).rejects.toThrow("stopped");
  expect(informer.hasSynced()).toBe(false);
});
