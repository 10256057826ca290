import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { parseConfiguration } from "../../../../src/api/configuration.ts";
import { canonicalQuantity } from "../../../../src/operator/objects/quantity.ts";
import { configMaps } from "../../../../src/operator/shell/projections.ts";
import { Ground, patience } from "../ground.ts";
import type { OperatorProcess } from "../operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** The operator's side of the worker contract, as the API server stores it under the strictest pod security. */
let ground: Ground;
let operator: OperatorProcess;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  for (const account of ["permitted", "forbidden"]) await ground.kubectl("create", "serviceaccount", account);
  operator = await ground.operator("--allowed-service-accounts", "permitted");
});
afterAll(() => ground?.end());

const run = (number: number) => ({ run: number }) as never;

async function podOf(name: string) {
  const [pod, ...more] = await ground.pods(name);
  expect(more).toEqual([]);
  const [container] = pod?.spec?.containers ?? [];
  if (pod?.spec === undefined || container === undefined) throw new Error("no pod");
  return { pod, spec: pod.spec, container };
}

const database = { queue: { postgres: { credentialsSecretRef: { name: "queue-database" } } } };

test("the pinned configuration is mounted read-only, with name, namespace and uid; the run's number is in the environment", async () => {
  await ground.apply("configured", { state: "Running", caBundle: { configMapRef: { name: "corporate-ca" } } });
  await ground.until("configured", { state: "RUNNING" });
  const { appliedRevision } = await ground.status("configured");
  const { spec, container } = await podOf("configured");
  expect(container.env).toEqual([{ name: "INTEGRATION_WORKFLOW_RUN", value: "1" }]);
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === "/etc/integration-workflow");
  expect(mount).toMatchObject({ readOnly: true });
  expect(mount).not.toHaveProperty("subPath");
  const volume = spec.volumes?.find(({ name }) => name === mount?.name);
  expect(volume?.projected?.sources).toEqual([
    { configMap: { name: appliedRevision?.name, items: [{ key: "workflow.json", path: "workflow.json" }] } },
    { configMap: { name: "corporate-ca", items: [{ key: "ca.crt", path: "ca/ca.crt" }], optional: true } },
  ]);
  const { data } = await ground.client.get(configMaps, {
    namespace: ground.namespace,
    name: appliedRevision?.name ?? "",
  });
  const { uid } = (await ground.workflow("configured")).metadata;
  const { workflow } = parseConfiguration(data?.["workflow.json"] ?? "");
  expect(workflow).toEqual({ name: "configured", namespace: ground.namespace, uid });
  await ground.patch("configured", { restart: "again" });
  await ground.until("configured", { state: "RUNNING", appliedRevision: run(2) });
  expect((await podOf("configured")).container.env).toEqual([{ name: "INTEGRATION_WORKFLOW_RUN", value: "2" }]);
});

test("Secrets are mounted whole, optional and live; another Secret is an edit, another content is none", async () => {
  await ground.apply("secrets", { state: "Running", ...database });
  await ground.until("secrets", { state: "RUNNING" });
  const { spec, container } = await podOf("secrets");
  const mounts = container.volumeMounts?.filter(({ mountPath }) => mountPath.startsWith("/var/run/secrets"));
  expect(mounts).toEqual(
    ["dynamics", "campaign", "postgres"].map((system) => ({
      name: `credentials-${system}`,
      mountPath: `/var/run/secrets/integrationworkflow.io/${system}`,
      readOnly: true,
    })),
  );
  const secrets = spec.volumes?.flatMap(({ secret }) => secret ?? []);
  expect(secrets?.map(({ secretName, optional, items }) => [secretName, optional, items])).toEqual([
    ["dynamics", true, undefined],
    ["campaign", true, undefined],
    ["queue-database", true, undefined],
  ]);
  // No volume, and so no claim.
  expect(JSON.stringify(spec.volumes)).not.toContain("persistentVolumeClaim");
  await ground.kubectl("create", "secret", "generic", "dynamics", "--from-literal=clientId=rotated");
  await ground.patch("secrets", { campaign: { credentialsSecretRef: { name: "other" } } });
  const { pendingChanges } = await ground.until("secrets", { pendingRestart: true });
  expect(pendingChanges?.map(({ path, from, to }) => [path, from, to])).toEqual([
    ["campaign.credentialsSecretRef.name", "campaign", "other"],
  ]);
});

test("the pod passes pod security restricted, mounts no token, answers probes on port 8080, and has its grace period", async () => {
  await ground.apply("hardened", { state: "Running", worker: { terminationGracePeriodSeconds: 120 } });
  await ground.until("hardened", { state: "RUNNING" });
  const { spec, container } = await podOf("hardened");
  expect(spec).toMatchObject({ automountServiceAccountToken: false, terminationGracePeriodSeconds: 120 });
  expect(container).toMatchObject({
    ports: [{ containerPort: 8080 }],
    livenessProbe: { httpGet: { path: "/livez", port: 8080 } },
    readinessProbe: { httpGet: { path: "/readyz", port: 8080 } },
    terminationMessagePath: "/dev/termination-log",
    securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, runAsNonRoot: true },
  });
  const state = container.volumeMounts?.find(({ mountPath }) => mountPath === "/var/lib/integration-workflow");
  const claim = spec.volumes?.find(({ name }) => name === state?.name)?.persistentVolumeClaim;
  expect(claim).toEqual({ claimName: "hardened-queue" });
});

test("everything of worker.template and worker.resources arrives in the pod, and no operator that comes after writes anything", async () => {
  const template = {
    labels: { team: "crm" },
    annotations: { note: "for us" },
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ key: "dedicated", operator: "Exists", effect: "NoSchedule" }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 1,
            podAffinityTerm: { labelSelector: { matchLabels: { team: "crm" } }, topologyKey: "kubernetes.io/hostname" },
          },
        ],
      },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { team: "crm" } },
      },
    ],
    serviceAccountName: "permitted",
    imagePullSecrets: [{ name: "registry" }],
    env: [
      { name: "HTTPS_PROXY", value: "http://proxy.example:3128" },
      { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "EMPTY", value: "" },
      { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory" } } },
    ],
  };
  const resources = {
    requests: { cpu: "0.5", memory: "1024Mi", "ephemeral-storage": "1.5Gi" },
    limits: { cpu: "2000m", memory: "3000000k", "ephemeral-storage": 2_000_000_000 },
  };
  await ground.apply("placed", { state: "Running", worker: { template, resources } });
  await ground.until("placed", { state: "RUNNING", pendingRestart: false, pendingChangeCount: 0 });
  const { pod, spec, container } = await podOf("placed");
  expect(pod.metadata.labels).toMatchObject({ team: "crm", "integrationworkflow.io/workflow": "placed" });
  expect(pod.metadata.annotations).toMatchObject({ note: "for us" });
  const { labels: _, annotations: __, env, tolerations, ...placement } = template;
  const stored = env.map(({ name, value, valueFrom }) =>
    value === "" ? { name } : { name, ...(value ? { value } : { valueFrom }) },
  );
  expect(spec).toMatchObject(placement);
  expect(spec.tolerations).toEqual(expect.arrayContaining(tolerations));
  expect(container.env).toMatchObject([{ name: "INTEGRATION_WORKFLOW_RUN" }, ...stored]);
  expect(container.resources).toEqual({
    requests: { cpu: "500m", memory: "1Gi", "ephemeral-storage": "1536Mi" },
    limits: { cpu: "2", memory: "3G", "ephemeral-storage": "2G" },
  });

  const before = await ground.askedOf("placed");
  await operator.stop();
  operator = await ground.operator("--allowed-service-accounts", "permitted");
  await ground.apply("after-placed");
  await ground.until("after-placed", { state: "STOPPED" });
  expect(await ground.askedOf("placed")).toEqual(before);
  expect(operator.lines.filter(({ message, object }) => message === "wrote" && object === "Deployment placed")).toEqual(
    [],
  );
});

test("quantities are compared in the form in which the API server keeps them", async () => {
  const decimal = [
    "0.5",
    "1.0",
    "2000m",
    "1500m",
    "1000",
    "1500",
    "0.0001",
    "3000000k",
    "+5",
    ".5",
    "7n",
    "9E",
    "100000000u",
  ];
  const binary = [
    "1024Mi",
    "1.5Gi",
    "1000Mi",
    "0.5Ki",
    "0.3Mi",
    "0.001Ki",
    "1023Ki",
    "1048576Ki",
    "1.1Ki",
    "3Ei",
    "1Ki",
  ];
  const finer = ["0.00000000001", "1.0000001", "1500000001n"];
  const others = ["1e3", "12E2"];
  const items = [...decimal, ...binary, ...finer, ...others].map((storage, index) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: `q${index}`, namespace: ground.namespace, annotations: { storage } },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  }));
  const both = 'jsonpath={.metadata.annotations.storage} {.spec.resources.requests.storage}{"\\n"}';
  const args = ["create", "--dry-run=server", "-o", both, "-f", "-"];
  const answer = await ground.server.kubectl(args, { apiVersion: "v1", kind: "List", items });
  const told = answer
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" "));
  expect(told).toHaveLength(items.length);
  for (const [written = "", stored] of told) {
    expect([written, canonicalQuantity(written)]).toEqual([written, others.includes(written) ? written : stored]);
  }
});

test("a service account that is not permitted is refused with the way out, and nothing is made", async () => {
  const worker = { template: { serviceAccountName: "forbidden" } };
  await ground.apply("account", { state: "Running", worker });
  const { failure } = await ground.until("account", {
    state: "FAILED",
    failure: { reason: "ServiceAccountNotPermitted" } as never,
  });
  expect(failure?.message).toContain("--allowed-service-accounts");
  await expect(ground.deployment("account")).rejects.toThrow("not found");
  await ground.patch("account", { worker: { template: { serviceAccountName: "permitted" } } });
  await ground.until("account", { state: "RUNNING" });
});

test("several replicas share a database: as many pods, one run, all gone before STOPPED and before the next run", async () => {
  await ground.apply("shared", { state: "Running", ...database, worker: { replicas: 3 } });
  await ground.until("shared", { state: "RUNNING" });
  await vi.waitFor(async () => expect(await ground.pods("shared")).toHaveLength(3), patience);
  await ground.patch("shared", { restart: "again", worker: { replicas: 2 } });
  await ground.until("shared", { state: "RUNNING", handledRestart: "again", appliedRevision: run(2) });
  await vi.waitFor(async () => expect(await ground.pods("shared")).toHaveLength(2), patience);
  await ground.patch("shared", { state: "Stopped" });
  await ground.until("shared", { state: "STOPPED" });
  expect(await ground.unfinishedPods("shared")).toEqual([]);
  expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
});

test("a name of 52 characters, the longest, has room for every derived name, another volume's among them", async () => {
  const name = `w${"x".repeat(51)}`;
  await ground.apply(name, { state: "Running" });
  await ground.until(name, { state: "RUNNING" });
  await ground.patch(name, { restart: "moved", queue: { volume: { storageClassName: "fast" } } });
  await ground.until(name, { state: "RUNNING", handledRestart: "moved", appliedRevision: run(2) });
  await expect(ground.apply(`w${name}`)).rejects.toThrow(/52/);
});
