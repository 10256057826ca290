import { createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { Client } from "../../../src/kubernetes/client.ts";
import {
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
} from "../../../src/kubernetes/errors.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes/objects.ts";
import { readWithoutManagedFields } from "../../../src/kubernetes/partial-read.ts";
import { untilAccountIsThere } from "./account.ts";
import { startCountingRelay } from "./counting-relay.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import { clientOver, configMaps, connectionAt, connectionTo, freshNamespace, type TestClient } from "./ground.ts";

interface Pod extends KubernetesObject {
  spec?: { activeDeadlineSeconds?: number };
  status?: { message?: string };
}

const pods: ResourceKind<Pod> = {
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Pod",
  namespaced: true,
};

let own: TestClient;
let client: Client;
let namespace: string;

beforeAll(async () => {
  own = clientOver(connectionTo(inject("kubeconfig")));
  client = own.client;
});

afterAll(() => own.close());

beforeEach(async () => {
  namespace = await freshNamespace(client);
});

const ref = (name: string) => ({ namespace, name });
const otherUid = "00000000-0000-4000-8000-000000000000";

describe("create", () => {
  test("gives what the server stored, and refuses a name that is taken", async () => {
    const created = await client.create(configMaps, { metadata: ref("a"), data: { text: "größer ✓" } });
    expect(created).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { text: "größer ✓" } });
    expect(await client.get(configMaps, ref("a"))).toEqual(created);
    await expect(client.create(configMaps, { metadata: ref("a") })).rejects.toSatisfy(isAlreadyExists);
  });

  test("fails with the server's reason and the field when the object is invalid", async () => {
    const call = client.create(configMaps, { metadata: ref("Not A Name") });
    await expect(call).rejects.toSatisfy(isInvalid);
    await expect(call).rejects.toMatchObject({ status: 422, details: { causes: [{ field: "metadata.name" }] } });
  });
});

test("update is refused when the object has changed since", async () => {
  const first = await client.create(configMaps, { metadata: ref("a"), data: { text: "1" } });
  await client.update(configMaps, { ...first, data: { text: "2" } });
  await expect(client.update(configMaps, { ...first, data: { text: "3" } })).rejects.toSatisfy(isConflict);
});

describe("apply", () => {
  test("creates, changes, and takes away what is left out", async () => {
    await client.apply(configMaps, { metadata: ref("a"), data: { kept: "1", dropped: "1" } });
    const applied = await client.apply(configMaps, { metadata: ref("a"), data: { kept: "2" } });
    expect(applied.data).toEqual({ kept: "2" });
    expect(applied.metadata.managedFields?.map(({ manager, operation }) => `${operation} ${manager}`)).toEqual([
      "Apply test",
    ]);
  });

  test("is refused where another manager owns a field, unless forced", async () => {
    const other = clientOver(connectionTo(inject("kubeconfig")), "somebody-else");
    await other.client.apply(configMaps, { metadata: ref("a"), data: { text: "theirs" } });
    await other.close();
    const object = { metadata: ref("a"), data: { text: "ours" } };
    await expect(client.apply(configMaps, object)).rejects.toSatisfy(isConflict);
    await expect(client.apply(configMaps, object, { force: true })).resolves.toMatchObject({ data: { text: "ours" } });
  });

  test("is refused when uid or resourceVersion do not fit, even by force", async () => {
    const first = await client.create(configMaps, { metadata: ref("a"), data: { text: "1" } });
    await client.update(configMaps, { ...first, data: { text: "2" } });
    for (const precondition of [{ uid: otherUid }, { resourceVersion: first.metadata.resourceVersion }]) {
      const object = { metadata: { ...ref("a"), ...precondition }, data: { text: "3" } };
      await expect(client.apply(configMaps, object, { force: true })).rejects.toSatisfy(isConflict);
    }
  });

  test("with a uid does not bring back an object that is gone", async () => {
    const object = { metadata: { ...ref("gone"), uid: otherUid } };
    await expect(client.apply(configMaps, object, { force: true })).rejects.toSatisfy(isConflict);
  });
});

describe("merge patch", () => {
  const pod = () => ({ metadata: ref("a"), spec: { containers: [{ name: "main", image: "none" }] } });
  beforeEach(() => untilAccountIsThere(client, namespace));

  test("changes status alone under subresource status", async () => {
    await client.create(pods, pod());
    const patch = { status: { message: "patched" }, spec: { activeDeadlineSeconds: 60 } };
    const patched = await client.mergePatch(pods, ref("a"), patch, { subresource: "status" });
    expect(patched.status?.message).toBe("patched");
    expect(patched.spec?.activeDeadlineSeconds).toBeUndefined();
  });

  test("is refused when uid or resourceVersion do not fit", async () => {
    const first = await client.create(pods, pod());
    const patch = { status: { message: "patched" } };
    const { uid } = first.metadata;
    const second = await client.mergePatch(pods, ref("a"), patch, { subresource: "status", precondition: { uid } });
    expect(second.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
    for (const precondition of [{ uid: otherUid }, { resourceVersion: first.metadata.resourceVersion }]) {
      const call = client.mergePatch(pods, ref("a"), patch, { subresource: "status", precondition });
      await expect(call).rejects.toSatisfy(isConflict);
    }
  });
});

describe("delete", () => {
  test("is refused when uid or resourceVersion do not fit", async () => {
    const { metadata } = await client.create(configMaps, { metadata: ref("a") });
    for (const precondition of [{ uid: otherUid }, { uid: metadata.uid, resourceVersion: "1" }]) {
      await expect(client.delete(configMaps, ref("a"), { precondition })).rejects.toSatisfy(isConflict);
    }
    const { uid, resourceVersion } = metadata;
    await expect(
      client.delete(configMaps, ref("a"), { precondition: { uid, resourceVersion } }),
    ).resolves.toBeUndefined();
    await expect(client.get(configMaps, ref("a"))).rejects.toSatisfy(isNotFound);
  });

  test("gives the object as it is when it stays for a while", async () => {
    await client.create(configMaps, { metadata: { ...ref("a"), finalizers: ["example.com/wait"] } });
    const left = await client.delete(configMaps, ref("a"));
    expect(left?.metadata.deletionTimestamp).toBeDefined();
  });
});

test("list reads every page, and each item says what it is", async () => {
  const names = Array.from({ length: 7 }, (_, index) => `item-${index}`);
  for (const name of names) await client.create(configMaps, { metadata: { ...ref(name), labels: { page: "yes" } } });
  const first = await client.listPage(configMaps, { namespace, labelSelector: "page=yes", limit: 3 });
  expect(first.items).toHaveLength(3);
  const { items } = await client.list(configMaps, { namespace, labelSelector: "page=yes" });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(names);
  expect(items[0]).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
  const { items: one } = await client.list(configMaps, { namespace, fieldSelector: "metadata.name=item-3" });
  expect(one).toHaveLength(1);
});

test("getMetadata gives the object's, and no more; managed fields are left out of a list that is read so", async () => {
  const { metadata } = await client.create(configMaps, { metadata: ref("described"), data: { a: "b" } });
  expect(metadata.managedFields).toHaveLength(1);
  expect(await client.getMetadata(configMaps, ref("described"))).toEqual(metadata);
  await expect(client.getMetadata(configMaps, ref("nobody"))).rejects.toSatisfy(isNotFound);
  const query = { namespace, fieldSelector: "metadata.name=described" };
  const { managedFields: _, ...rest } = metadata;
  const { items } = await client.list(configMaps, query, { read: readWithoutManagedFields });
  expect(items).toEqual([{ apiVersion: "v1", kind: "ConfigMap", metadata: rest, data: { a: "b" } }]);
});

test("getText reads any path", async () => {
  expect(JSON.parse(await client.getText("/openapi/v3"))).toHaveProperty("paths");
  expect(await client.getText("/readyz", { accept: "text/plain" })).toBe("ok");
  // No kubelet stands behind this pod: the server's own refusal comes through.
  await expect(client.getText(`/api/v1/namespaces/${namespace}/pods/none:8080/proxy/status`)).rejects.toSatisfy(
    isNotFound,
  );
});

test("a guarded client asks before each write and never before a read", async () => {
  let asked = 0;
  const guarded = client.guarded(() => {
    asked += 1;
    throw new Error("not leading");
  });
  await expect(guarded.create(configMaps, { metadata: ref("a") })).rejects.toThrow("not leading");
  await expect(guarded.get(configMaps, ref("a"))).rejects.toSatisfy(isNotFound);
  expect(asked).toBe(1);
});

describe("connections", () => {
  test("500 calls, eight at a time, and a watch need no more than nine connections", async () => {
    const connection = connectionTo(inject("kubeconfig"));
    const relay = await startCountingRelay("127.0.0.1", Number(new URL(connection.server).port));
    const relayed = clientOver({ ...connection, server: `https://127.0.0.1:${relay.port}` });
    const stop = new AbortController();
    const stream = await relayed.client.watch(
      configMaps,
      { namespace, resourceVersion: "0", timeoutSeconds: 60 },
      stop.signal,
    );
    stream.on("error", () => {});
    let left = 500;
    const caller = async (): Promise<void> => {
      for (; left > 0; left -= 1)
        await relayed.client.get(configMaps, { namespace, name: "kube-root-ca.crt" }).catch(ignoreMissing);
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    expect(relay.accepted()).toBeLessThanOrEqual(9);
    stop.abort();
    await relayed.close();
    await expect.poll(() => relay.open(), { timeout: 10_000 }).toBe(0);
    await relay.stop();
  });

  test("a call that is given up frees its connection", async () => {
    const proxy = await startFaultProxy(connectionTo(inject("kubeconfig")));
    const proxied = clientOver(connectionAt(proxy.url));
    proxy.set({ type: "blackHole" });
    const call = proxied.client.get(configMaps, ref("a"), { timeoutMs: 200 });
    await expect(call).rejects.toBeInstanceOf(ConnectionError);
    await expect(call).rejects.toThrow(/took longer than 200 ms/);
    proxy.set({ type: "none" });
    await expect(proxied.client.get(configMaps, ref("a"))).rejects.toSatisfy(isNotFound);
    await proxied.close();
    await proxy.stop();
  });

  test("an address where nobody listens is named in the error", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await new Promise((resolve) => server.close(resolve));
    const nobody = clientOver(connectionAt(`http://127.0.0.1:${port}`));
    await expect(nobody.client.getText("/version")).rejects.toThrow(
      `no answer from the API server at http://127.0.0.1:${port}: connect ECONNREFUSED`,
    );
    await nobody.close();
  });

  test("a server whose certificate is not trusted is refused", async () => {
    const connection = connectionTo(inject("kubeconfig"));
    const trust = { ca: undefined, serverName: undefined, skipVerification: false };
    const wary = clientOver({ ...connection, trust: () => trust });
    await expect(wary.client.getText("/version")).rejects.toThrow(/certificate/);
    await wary.close();
    const blind = clientOver({ ...connection, trust: () => ({ ...trust, skipVerification: true }) });
    expect(JSON.parse(await blind.client.getText("/version"))).toHaveProperty("gitVersion");
    await blind.close();
  });
});

test("whoever signs in as nobody is forbidden", async () => {
  const connection = connectionTo(inject("kubeconfig"));
  const anonymous = clientOver({ ...connection, credentials: connectionAt("http://x").credentials });
  await expect(anonymous.client.get(configMaps, ref("a"))).rejects.toSatisfy(isForbidden);
  await anonymous.close();
});

function ignoreMissing(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}
