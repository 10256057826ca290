import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CoreV1Api, KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { beforeAll, expect, inject, test, vi } from "vitest";
import { nodeLayout } from "../../../cluster/node/layout.ts";
import { runTool } from "../../../cluster/tool.ts";

const namespace = "node-test";
const waiting = { timeout: 60_000, interval: 250 };
const config = new KubeConfig();
config.loadFromFile(inject("kubeconfig"));
const core = config.makeApiClient(CoreV1Api);
const kubectl = [inject("kubectl"), "--kubeconfig", inject("kubeconfig"), "-n", namespace];

/** Serves what it finds: whom it runs as, what it reads back from the volume, what the API server and its own Service say. */
const program = `
const fs = require("node:fs"), http = require("node:http"), https = require("node:https");
const account = "/var/run/secrets/kubernetes.io/serviceaccount";
const get = (client, url, options) => new Promise((resolve) =>
  client.get(url, options, (response) => response.resume().once("end", () => resolve(response.statusCode)))
    .once("error", (error) => resolve(error.message)));
fs.writeFileSync("/data/written", "kept");
http.createServer(async (request, response) => {
  if (request.url === "/hello") return response.end("hello");
  const api = await get(https, "https://kubernetes.default.svc/version",
    { ca: fs.readFileSync(account + "/ca.crt"), headers: { authorization: "Bearer " + fs.readFileSync(account + "/token") } });
  const service = await get(http, "http://probe." + "${namespace}" + ".svc.cluster.local/hello");
  response.end(JSON.stringify({ uid: process.getuid(), volume: fs.readFileSync("/data/written", "utf8"), api, service }));
}).listen(8080, () => console.log("listening on Node " + process.version));
`;

function probePod(): V1Pod {
  return {
    metadata: { name: "probe", labels: { app: "probe" } },
    spec: {
      securityContext: { runAsNonRoot: true, fsGroup: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "probe",
          image: inject("image").reference,
          command: ["/nodejs/bin/node", "-e", program],
          ports: [{ containerPort: 8080 }],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          readinessProbe: { httpGet: { path: "/hello", port: 8080 }, periodSeconds: 1 },
          volumeMounts: [{ name: "data", mountPath: "/data" }],
        },
      ],
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    },
  };
}

beforeAll(async () => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await core.createNamespace({ body: { metadata: { name: namespace, labels } } });
  await core.createNamespacedPersistentVolumeClaim({
    namespace,
    body: {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    },
  });
  await core.createNamespacedService({
    namespace,
    body: {
      metadata: { name: "probe" },
      spec: { selector: { app: "probe" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  });
  await vi.waitFor(() => core.createNamespacedPod({ namespace, body: probePod() }), waiting); // Needs its account first.
  await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPod({ name: "probe", namespace });
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  }, waiting);
});

test("a restricted pod of the image writes to its volume, and reaches the API server and a Service by name", async () => {
  const url = `/api/v1/namespaces/${namespace}/pods/probe:8080/proxy/`;
  await vi.waitFor(async () => {
    // A Service refuses connections for a moment, until kube-proxy has seen that its pod is ready.
    const found: unknown = JSON.parse(await runTool([...kubectl, "get", "--raw", url]));
    expect(found).toEqual({ uid: 65532, volume: "kept", api: 200, service: 200 });
  }, waiting);
});

test("logs and exec work through the relay", async () => {
  expect(await runTool([...kubectl, "logs", "probe"])).toContain("listening on Node v26.");
  expect(await runTool([...kubectl, "exec", "probe", "--", "/nodejs/bin/node", "-p", "6 * 7"])).toBe("42\n");
});

test("a claim grows, and its folder goes when it is deleted", async () => {
  const patch = { op: "replace", path: "/spec/resources/requests/storage", value: "2Gi" };
  await core.patchNamespacedPersistentVolumeClaim({ name: "data", namespace, body: [patch] });
  await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPersistentVolumeClaim({ name: "data", namespace });
    expect(status?.capacity?.["storage"]).toBe("2Gi");
  }, waiting);
  const { spec } = await core.readNamespacedPersistentVolumeClaim({ name: "data", namespace });
  const name = spec?.volumeName ?? "";
  const folder = join(nodeLayout(inject("node")).volumes, name);
  expect(readdirSync(folder)).toEqual(["written"]);
  await core.deleteNamespacedPod({ name: "probe", namespace, gracePeriodSeconds: 0 });
  await core.deleteNamespacedPersistentVolumeClaim({ name: "data", namespace });
  await vi.waitFor(() => expect(existsSync(folder)).toBe(false), waiting);
  await vi.waitFor(async () => {
    const { items } = await core.listPersistentVolume();
    expect(items.map(({ metadata }) => metadata?.name)).not.toContain(name);
  }, waiting);
});

test("the host gets none of the fixed folders that containers' tools write to", () => {
  for (const folder of ["/var/lib/kubelet", "/var/log/pods", "/run/netns"]) {
    if (existsSync(folder)) expect(readdirSync(folder)).toEqual([]);
  }
});
