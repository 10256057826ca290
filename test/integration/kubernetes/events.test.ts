import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { Client } from "../../../src/kubernetes/client.ts";
import { type EventContent, EventRecorder } from "../../../src/kubernetes/events.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes/objects.ts";
import { type Logger, silentLogger } from "../../../src/telemetry/log.ts";
import { ManualClock } from "../../unit/kubernetes/manual-clock.ts";
import {
  type ConfigMap,
  clientOver,
  configMaps,
  connectionAt,
  connectionTo,
  freshNamespace,
  namespaces,
  type TestClient,
} from "./ground.ts";

interface CoreEvent extends KubernetesObject {
  reason?: string;
  message?: string;
  type?: string;
  series?: { count: number };
  involvedObject?: { kind: string; name: string; uid: string };
}

/** As kubectl reads them: the core view of the same storage. */
const coreEvents: ResourceKind<CoreEvent> = {
  group: "",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};

let own: TestClient;
let client: Client;
let namespace: string;
let object: ConfigMap;
let clock: ManualClock;

beforeEach(async () => {
  own = clientOver(connectionTo(inject("kubeconfig")));
  client = own.client;
  namespace = await freshNamespace(client);
  object = await client.create(configMaps, { metadata: { namespace, name: "a" } });
  clock = new ManualClock();
});

afterEach(() => own.close());

function recorderOver(over: Client, logger: Logger = silentLogger): EventRecorder {
  return new EventRecorder({
    client: over,
    reportingController: "example.com/test",
    reportingInstance: "pod-1",
    clock,
    logger,
  });
}

function content(fields: Partial<EventContent> = {}): EventContent {
  return { kind: configMaps, object, type: "Normal", reason: "Started", action: "Start", note: "It began.", ...fields };
}

/** Events of this object, as the server has them now. */
async function written(in_ = namespace): Promise<CoreEvent[]> {
  const { items } = await client.list(coreEvents, { namespace: in_ });
  return items.filter(({ involvedObject }) => involvedObject?.uid === object.metadata.uid);
}

test("an event says what, why and about which object", async () => {
  const recorder = recorderOver(client);
  recorder.record(content({ type: "Warning" }));
  await recorder.flush();
  expect(await written()).toMatchObject([
    { type: "Warning", reason: "Started", message: "It began.", involvedObject: { kind: "ConfigMap", name: "a" } },
  ]);
});

test("the same event again and again is one with a count; another note is another event", async () => {
  const recorder = recorderOver(client);
  for (let count = 0; count < 5; count += 1) {
    recorder.record(content());
    await recorder.flush();
  }
  recorder.record(content({ note: "It began differently." }));
  await recorder.flush();
  const events = await written();
  expect(events.map(({ message, series }) => [message, series?.count]).sort()).toEqual([
    ["It began differently.", undefined],
    ["It began.", 5],
  ]);
});

test("events that come while the first is being written are counted", async () => {
  const recorder = recorderOver(client);
  for (let count = 0; count < 40; count += 1) recorder.record(content());
  await recorder.flush();
  expect(await written()).toMatchObject([{ series: { count: 40 } }]);
});

test("an event that was quiet for long is a new one", async () => {
  const recorder = recorderOver(client);
  recorder.record(content());
  await recorder.flush();
  await clock.advance(7 * 60_000);
  recorder.record(content());
  await recorder.flush();
  expect(await written()).toHaveLength(2);
});

test("a series that the server has forgotten is written anew, with its count", async () => {
  const recorder = recorderOver(client);
  recorder.record(content());
  await recorder.flush();
  for (const { metadata } of await written()) await client.delete(coreEvents, metadata);
  recorder.record(content());
  await recorder.flush();
  expect(await written()).toMatchObject([{ series: { count: 2 } }]);
});

test("one object cannot flood the server, and others are not held back by it", async () => {
  const recorder = recorderOver(client);
  for (let count = 0; count < 100; count += 1) recorder.record(content({ note: `number ${count}` }));
  const quiet = await client.create(configMaps, { metadata: { namespace, name: "quiet" } });
  recorder.record(content({ object: quiet, note: "the quiet one" }));
  await recorder.flush();
  expect(await written()).toHaveLength(25);
  const { items } = await client.list(coreEvents, { namespace });
  expect(items.filter(({ message }) => message === "the quiet one")).toHaveLength(1);
  await clock.advance(60_000);
  recorder.record(content({ note: "after a minute" }));
  await recorder.flush();
  expect(await written()).toHaveLength(26);
});

test("a note that is too long is cut at a whole character", async () => {
  const recorder = recorderOver(client);
  recorder.record(content({ note: "é€😀".repeat(500) }));
  await recorder.flush();
  const [event] = await written();
  const message = event?.message ?? "";
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1024);
  expect(Buffer.byteLength(message)).toBeGreaterThan(1015);
  expect(message).toMatch(/^(é€😀)+é?€?…$/u);
});

test("an event about an object without a namespace is found in default", async () => {
  const space = await client.get(namespaces, { name: namespace });
  object = space;
  const recorder = recorderOver(client);
  recorder.record(content({ kind: namespaces, object: space }));
  await recorder.flush();
  expect(await written("default")).toMatchObject([{ involvedObject: { kind: "Namespace", name: namespace } }]);
});

test("a server that cannot be reached costs a log line and nothing else", async () => {
  const nowhere = clientOver(connectionAt("http://127.0.0.1:1"));
  const lines: string[] = [];
  const recorder = recorderOver(nowhere.client, { ...silentLogger, warn: (event) => void lines.push(event) });
  recorder.record(content());
  await recorder.flush();
  expect(lines).toEqual(["event not written"]);
  await nowhere.close();
});

test("a series keeps nothing of its object but what names it", async () => {
  const recorder = recorderOver(client);
  const recorded = (): WeakRef<object> => {
    const cached = { ...object, data: { text: "x".repeat(100_000) } };
    recorder.record({ kind: configMaps, object: cached, type: "Normal", reason: "Read", action: "read", note: "once" });
    return new WeakRef(cached);
  };
  const kept = recorded();
  await recorder.flush();
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  expect(kept.deref()).toBeUndefined();
});
