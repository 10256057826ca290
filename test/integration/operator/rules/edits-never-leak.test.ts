import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import type { WorkflowStatus } from "../../../../src/api/integration-workflow.ts";
import { runsAnnotation } from "../../../../src/api/run-record.ts";
import type { ResourceKind } from "../../../../src/kubernetes/objects.ts";
import { Ground, patience } from "../ground.ts";
import type { OperatorProcess } from "../operator-process.ts";
import { Witness, whatRuns } from "./witness.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** While an edit waits, something happens to the workflow or to the operator: what runs stays what was pinned. */
let ground: Ground;
let witness: Witness;
let operator: OperatorProcess;

const allowed = ["--allowed-worker-images", "registry.example/permitted/*", "--allowed-service-accounts", "permitted"];

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.kubectl("create", "serviceaccount", "permitted");
  witness = new Witness(ground.client, ground.namespace);
  await witness.start();
  operator = await ground.operator(...allowed);
});
afterAll(async () => {
  await witness?.stop();
  await ground?.end();
});

interface Disturbance {
  /** What happens to the workflow of this name. */
  readonly happens: (name: string) => Promise<unknown>;
  readonly spec?: object;
  /** Somebody's own template comes to run for a moment. */
  readonly isEditedByHand?: true;
}

const patchJson = (kind: string, name: string, patch: object, ...more: string[]) =>
  ground.kubectl("patch", kind, name, "--type=merge", "-p", JSON.stringify(patch), ...more);
const podOf = async (name: string) => (await ground.pods(name))[0]?.metadata.name ?? "";
const firstStatus = new Map<string, WorkflowStatus>();
const firstDeployment = new Map<string, object>();
const writeStatus = async (name: string, status: object) => {
  const { metadata, apiVersion, kind, spec } = await ground.workflow(name);
  const { resourceVersion: _, ...rest } = metadata;
  await ground.server.kubectl(["replace", "--subresource=status", "-f", "-"], {
    apiVersion,
    kind,
    spec,
    metadata: rest,
    status,
  });
};

interface Backup {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: object;
}
const putBack = (name: string, as: (deployment: Backup) => object) => {
  const { resourceVersion: _, ...metadata } = (firstDeployment.get(name) as { metadata: Record<string, unknown> })
    .metadata;
  // Whatever is in it, it came from this API server.
  const deployment = { ...firstDeployment.get(name), metadata } as unknown as Backup;
  return ground.server.kubectl(["replace", "-f", "-"], as(deployment));
};

const disturbances: Readonly<Record<string, Disturbance>> = {
  "its pod is deleted": { happens: async (name) => ground.kubectl("delete", "pod", await podOf(name), "--wait=false") },
  "its pod is evicted, as kubectl drain does": {
    happens: async (name) => {
      const pod = await podOf(name);
      const eviction: ResourceKind = {
        group: "policy",
        version: "v1",
        plural: `pods/${pod}/eviction`,
        kind: "Eviction",
        namespaced: true,
      };
      // The path is the core group's, the object the policy group's.
      await ground.client.create({ ...eviction, group: "" }, {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: pod, namespace: ground.namespace },
      } as { metadata: { name: string } });
    },
  },
  "its pod is evicted by the kubelet": {
    happens: async (name) => {
      const status = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
      await patchJson("pod", await podOf(name), { status }, "--subresource=status");
    },
  },
  "its node is gone, and its pod collected": {
    happens: async (name) => ground.kubectl("delete", "pod", await podOf(name), "--force", "--grace-period=0"),
  },
  "its ReplicaSet is deleted": {
    happens: (name) =>
      ground.kubectl("delete", "replicaset", "-l", `integrationworkflow.io/workflow=${name}`, "--wait=false"),
  },
  "its Deployment is deleted": { happens: (name) => ground.kubectl("delete", "deployment", name) },
  "its Deployment is deleted, its pods not": {
    happens: (name) => ground.kubectl("delete", "deployment", name, "--cascade=orphan"),
  },
  "its Deployment is deleted, its pods first": {
    happens: (name) => ground.kubectl("delete", "deployment", name, "--cascade=foreground", "--wait=false"),
  },
  "its Deployment is edited by hand": {
    isEditedByHand: true,
    happens: (name) => ground.kubectl("set", "image", `deployment/${name}`, "worker=registry.example/by-hand:1"),
  },
  "its Deployment is applied by another manager": {
    isEditedByHand: true,
    happens: async (name) => {
      const containers = [{ name: "worker", image: "registry.example/by-hand:1" }];
      await ground.server.kubectl(
        ["apply", "--server-side", "--force-conflicts", "--field-manager=another", "-f", "-"],
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name, namespace: ground.namespace },
          spec: { template: { spec: { containers } } },
        },
      );
    },
  },
  "its Deployment is restarted by kubectl rollout": {
    isEditedByHand: true,
    happens: (name) => ground.kubectl("rollout", "restart", `deployment/${name}`),
  },
  "its Deployment is paused and scaled": {
    happens: (name) => patchJson("deployment", name, { spec: { paused: true, replicas: 3 } }),
  },
  "its Deployment loses its labels and its record of runs": {
    happens: (name) =>
      patchJson("deployment", name, {
        metadata: { labels: null, annotations: { "integrationworkflow.io/runs": null } },
      }),
  },
  "its Deployment is restored from a backup of an earlier run": {
    isEditedByHand: true,
    happens: (name) => putBack(name, (deployment) => deployment),
  },
  "its Deployment is restored from a backup of a time when it was stopped": {
    happens: (name) =>
      putBack(name, ({ metadata, spec, ...rest }) => {
        const record = JSON.parse(metadata.annotations[runsAnnotation] ?? "");
        const annotations = { ...metadata.annotations, [runsAnnotation]: JSON.stringify({ ...record, active: false }) };
        return { ...rest, metadata: { ...metadata, annotations }, spec: { ...spec, replicas: 0 } };
      }),
  },
  "its pin is deleted": {
    happens: async (name) =>
      ground.kubectl("delete", "configmap", (await ground.status(name)).appliedRevision?.name ?? ""),
  },
  "its network policy is deleted": { happens: (name) => ground.kubectl("delete", "networkpolicy", `${name}-worker`) },
  "an old status of it is written back": { happens: (name) => writeStatus(name, firstStatus.get(name) ?? {}) },
  "its status is emptied": { happens: (name) => writeStatus(name, { observedGeneration: 0 }) },
  "its image is one that is permitted": {
    spec: { worker: { image: "registry.example/permitted/worker:1" } },
    happens: (name) => ground.kubectl("delete", "deployment", name),
  },
  "its service account is one that is permitted": {
    spec: { worker: { template: { serviceAccountName: "permitted" } } },
    happens: (name) => ground.kubectl("delete", "deployment", name),
  },
};

const edit = { worker: { terminationGracePeriodSeconds: 90 } };

/** RUNS in its second run, with an edit that waits. @returns what its pod runs */
async function withWaitingEdit(name: string, spec: object = {}): Promise<string> {
  await ground.apply(name, { state: "Running", ...spec });
  firstStatus.set(name, await ground.until(name, { state: "RUNNING" }));
  firstDeployment.set(name, JSON.parse(await ground.kubectl("get", "deployment", name, "-o", "json")) as object);
  await ground.patch(name, { restart: "second" });
  await ground.until(name, { state: "RUNNING", handledRestart: "second", appliedRevision: { run: 2 } as never });
  await ground.patch(name, edit);
  await ground.until(name, { pendingRestart: true });
  const [pod] = await ground.pods(name);
  return pod === undefined ? "no pod" : whatRuns(pod);
}

async function goesOnAsPinned(name: string, pinned: string): Promise<void> {
  await vi.waitFor(async () => {
    const { template, replicas, paused } = (await ground.deployment(name)).spec ?? {};
    expect(whatRuns({ metadata: { name, ...template?.metadata } as never, spec: template?.spec as never })).toBe(
      pinned,
    );
    expect({ replicas, paused }).toEqual({ replicas: 1, paused: undefined });
    const ready = (await ground.pods(name)).filter(
      ({ status }) => status?.phase === "Running" && status.containerStatuses?.[0]?.ready,
    );
    expect(ready.map(whatRuns)).toEqual([pinned]);
  }, patience);
  const status = await ground.until(name, { state: "RUNNING", pendingRestart: true });
  expect(status.appliedRevision).toMatchObject({ run: 2 });
  expect(status.pendingChanges?.filter(({ source }) => source === "Spec").map(({ path, to }) => [path, to])).toEqual([
    ["worker.terminationGracePeriodSeconds", "90"],
  ]);
}

const table = Object.entries(disturbances).map(([what, row], index) => ({ what, index, ...row }));

test.concurrent.each(table)("no edit gets in when $what", async ({ index, happens, spec, isEditedByHand }) => {
  const name = `seen-${index}`;
  const pinned = await withWaitingEdit(name, spec);
  expect(pinned).toContain("60 s");
  await happens(name);
  await goesOnAsPinned(name, pinned);
  const ran = witness.ran(name);
  expect(ran.filter((what) => what.includes("90 s"))).toEqual([]);
  if (isEditedByHand === undefined) expect(ran.filter((what) => what.startsWith("run 2"))).toEqual([pinned]);
});

test("no edit gets in while no operator runs, nor by the one that comes after with another default image and other permissions", async () => {
  // What a pin held that is gone is not known to an operator that comes after: RevisionLost.
  const rows = table.filter(({ what }) => what !== "its pin is deleted");
  const pinned = new Map<string, string>();
  await Promise.all(
    rows.map(async ({ index, spec }) => pinned.set(`unseen-${index}`, await withWaitingEdit(`unseen-${index}`, spec))),
  );
  await operator.kill();
  await Promise.all(rows.map(({ index, happens }) => happens(`unseen-${index}`)));
  operator = await ground.operator("--worker-image", "registry.example/integration-workflow:2.0.0");
  await operator.said("operator started");
  await Promise.all(
    rows.map(async ({ index, what }) => {
      const name = `unseen-${index}`;
      await goesOnAsPinned(name, pinned.get(name) ?? "").catch((error: unknown) => {
        throw new Error(`when ${what}`, { cause: error });
      });
      expect(
        witness.ran(name).filter((one) => one.includes("90 s") || one.includes(":2.0.0")),
        what,
      ).toEqual([]);
    }),
  );
  expect(witness.overlaps).toEqual([]);
});
