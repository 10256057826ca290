/** What the tests of this folder stand on: the control plane of `setup.ts`, a namespace of one's own, ConfigMaps. */
import { randomUUID } from "node:crypto";
import { Client } from "../../../src/kubernetes/client.ts";
import { type Connection, findConnection } from "../../../src/kubernetes/connection.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes/objects.ts";
import type { ReflectorTimings } from "../../../src/kubernetes/reflector.ts";
import { createTransport } from "../../../src/kubernetes/transport.ts";

export interface ConfigMap extends KubernetesObject {
  data?: Record<string, string>;
}

export const configMaps: ResourceKind<ConfigMap> = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};

export const namespaces: ResourceKind = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

export interface TestClient {
  client: Client;
  close(): Promise<void>;
}

export function connectionTo(kubeconfig: string): Connection {
  return findConnection({ kubeconfig, environment: {} });
}

/** A client of one's own pool, over any connection. */
export function clientOver(connection: Connection, fieldManager = "test"): TestClient {
  const transport = createTransport({ connection, userAgent: "integration-test" });
  return { client: new Client({ transport, server: connection.server, fieldManager }), close: () => transport.close() };
}

/** The same cluster at another address, without TLS and without a user: as the fault proxy offers it. */
export function connectionAt(server: string): Connection {
  return {
    server,
    namespace: undefined,
    origin: "test",
    credentials: { headers: async () => ({}), clientCertificate: async () => undefined, forget: () => false },
    trust: () => ({ ca: undefined, serverName: undefined, skipVerification: false }),
  };
}

export async function freshNamespace(client: Client): Promise<string> {
  const name = `kubernetes-${randomUUID().slice(0, 8)}`;
  await client.create(namespaces, { metadata: { name } });
  return name;
}

/** Sixteen at a time: as many connections as there are callers are opened, and a handshake for each. */
export async function inTurns<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

/** Short enough that a test of a fault takes a second, long enough that a busy machine is not taken for one. */
export const quickTimings: ReflectorTimings = {
  watchTimeoutSeconds: 290,
  idleTimeoutMs: 1500,
  listTimeoutMs: 1500,
  backoff: { initialMs: 50, factor: 2, maxMs: 400, jitter: 0.5 },
};
