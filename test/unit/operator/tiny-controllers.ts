import { labels } from "../../../src/api/group.ts";
import { isUnfinished } from "../../../src/operator/sight/remains.ts";
import type { SeenMetadata, WorkerContainer } from "../../../src/operator/sight/snapshot.ts";
import { rfc3339 } from "../../../src/operator/time.ts";
import { type StoredPod, type TinyApi, templateOf } from "./tiny-api.ts";

/** Deployment controller, one sync: strategy Recreate. */
export function syncDeployments(api: TinyApi): void {
  for (const deployment of [...api.stored.Deployment.values()]) {
    const { name, uid, generation = 0, ownerReferences = [] } = deployment.metadata;
    const template = templateOf(deployment.spec);
    const given = deployment.spec.template.metadata?.labels ?? {};
    const replicas = deployment.spec.replicas ?? 1;
    const mine = [...api.stored.ReplicaSet.values()].filter(({ metadata }) =>
      metadata.ownerReferences?.some((reference) => reference.uid === uid),
    );
    const others = mine.filter((entry) => entry.template !== template);
    for (const other of others) {
      if (other.replicas > 0) scale(other, 0);
      else if (other.status.replicas === 0 && podsOf(api, other.metadata.uid).length === 0) {
        api.remove("ReplicaSet", other.metadata.name);
      }
    }
    const isClear = others.every((other) => podsOf(api, other.metadata.uid).every((pod) => !isUnfinished(pod)));
    const current = mine.find((entry) => entry.template === template);
    if (current !== undefined && current.replicas !== replicas && (isClear || replicas === 0)) scale(current, replicas);
    if (current === undefined && isClear && replicas > 0) {
      const owner = { apiVersion: "apps/v1", kind: "Deployment", name, uid, controller: true };
      const suffix = api.newMetadata("x").uid;
      const metadata = api.newMetadata(`${name}-${suffix}`, { ownerReferences: [owner], labels: given });
      api.put("ReplicaSet", {
        metadata: { ...metadata, generation: 1 },
        replicas,
        run: Number(given[labels.run]),
        status: { observedGeneration: 0, replicas: 0 },
        createFailure: undefined,
        template,
        of: ownerReferences[0]?.uid,
      });
    }
    const counted = mine.reduce((sum, { status }) => sum + status.replicas, 0);
    const status = { observedGeneration: generation, replicas: counted };
    if (status.observedGeneration !== deployment.status.observedGeneration || counted !== deployment.status.replicas) {
      api.put("Deployment", { ...deployment, status });
    }
  }

  function scale(replicaSet: ReturnType<typeof api.stored.ReplicaSet.get> & object, replicas: number): void {
    const generation = (replicaSet.metadata.generation ?? 0) + 1;
    api.put("ReplicaSet", { ...replicaSet, replicas, metadata: { ...replicaSet.metadata, generation } });
  }
}

/** ReplicaSet controller, one sync: makes and ends pods, then counts those that it saw. */
export function syncReplicaSets(api: TinyApi): void {
  for (const replicaSet of [...api.stored.ReplicaSet.values()]) {
    const { name, uid, generation = 0, labels: given } = replicaSet.metadata;
    const active = podsOf(api, uid).filter((pod) => isUnfinished(pod) && pod.metadata.deletionTimestamp === undefined);
    for (const pod of active.slice(replicaSet.replicas)) endPod(api, pod);
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name, uid, controller: true };
    const missing = replicaSet.replicas - active.length;
    for (let left = api.refuses.has("Pod") ? 0 : missing; left > 0; left -= 1) {
      api.put("Pod", {
        metadata: api.newMetadata(`${name}-${api.newMetadata("x").uid}`, {
          ownerReferences: [owner],
          ...(given === undefined ? {} : { labels: given }),
        }),
        run: replicaSet.run,
        phase: "Pending",
        node: undefined,
        address: undefined,
        readySinceMs: undefined,
        unschedulable: undefined,
        worker: undefined,
        template: replicaSet.template,
        of: replicaSet.of,
      });
    }
    const createFailure = api.refuses.has("Pod") && missing > 0 ? "exceeded quota: pods" : undefined;
    const status = {
      observedGeneration: generation,
      replicas: Math.min(active.length, Math.max(replicaSet.replicas, 0)),
    };
    if (
      status.observedGeneration !== replicaSet.status.observedGeneration ||
      status.replicas !== replicaSet.status.replicas ||
      createFailure !== replicaSet.createFailure
    ) {
      api.put("ReplicaSet", { ...replicaSet, status, createFailure });
    }
  }
}

/** Garbage collector: what is owned by something that is gone goes; pods gracefully. */
export function collectGarbage(api: TinyApi): void {
  const { stored } = api;
  endInForeground(api);
  const living = new Set(
    [stored.Workflow, stored.Deployment, stored.ReplicaSet].flatMap((map) =>
      [...map.values()].map(({ metadata }) => metadata.uid),
    ),
  );
  // Of a kind that is not played.
  living.add("uid-of-other");
  const isOrphan = (references: readonly { uid: string }[] | undefined): boolean =>
    references !== undefined && references.length > 0 && !references.some(({ uid }) => living.has(uid));
  for (const kind of ["Deployment", "ReplicaSet", "ConfigMap", "PersistentVolumeClaim", "NetworkPolicy"] as const) {
    for (const { metadata } of [...stored[kind].values()])
      if (isOrphan(metadata.ownerReferences)) api.remove(kind, metadata.name);
  }
  for (const pod of [...stored.Pod.values()]) if (isOrphan(pod.metadata.ownerReferences)) endPod(api, pod);
}

/** A workflow that is deleted in the foreground goes after everything that it owns. */
function endInForeground(api: TinyApi): void {
  const kinds = ["Deployment", "ReplicaSet", "Pod", "ConfigMap", "PersistentVolumeClaim", "NetworkPolicy"] as const;
  for (const { metadata } of [...api.stored.Workflow.values()]) {
    if (metadata.deletionTimestamp === undefined) continue;
    const owns = (uid: string, { metadata: { ownerReferences = [] } }: { metadata: SeenMetadata }): boolean =>
      ownerReferences.some((reference) => reference.uid === uid);
    const own = kinds.flatMap((kind) =>
      [...api.stored[kind].values()]
        .filter((one) => owns(metadata.uid, one))
        .map((one) => [kind, one.metadata] as const),
    );
    for (const [kind, { name }] of own) api.remove(kind, name);
    if (own.length === 0) api.remove("Workflow", metadata.name);
  }
}

export type KubeletAct = "start" | "ready" | "unready" | "crash" | "crashLoop" | "giveUp" | "finish" | "lose" | "evict";

/** Kubelet, one step of one pod; what does not fit the pod's phase does nothing. */
export function kubelet(api: TinyApi, pod: StoredPod, act: KubeletAct, lastWords = ""): void {
  const set = (changes: Partial<StoredPod>): void => api.put("Pod", { ...pod, ...changes });
  const isEnding = pod.metadata.deletionTimestamp !== undefined;
  const restarts = pod.worker?.restarts ?? 0;
  const worker = (changes: Partial<WorkerContainer>): WorkerContainer => ({
    restarts,
    running: true,
    ended: pod.worker?.ended,
    ...changes,
  });
  const ended = (exitCode: number, message = "") => ({ exitCode, reason: "Error", message, finishedAtMs: api.nowMs });
  switch (act) {
    case "start":
      if (!isEnding && pod.phase === "Pending") {
        set({ phase: "Running", node: "node-1", unschedulable: undefined, worker: worker({}) });
      } else if (!isEnding && pod.worker?.waiting) set({ worker: worker({ restarts: restarts + 1 }) });
      return;
    case "ready":
      if (pod.worker?.running && pod.readySinceMs === undefined) set({ readySinceMs: api.nowMs });
      return;
    case "unready":
      if (pod.readySinceMs !== undefined) set({ readySinceMs: undefined });
      return;
    case "crash":
      if (pod.worker?.running)
        set({ readySinceMs: undefined, worker: worker({ restarts: restarts + 1, ended: ended(1) }) });
      return;
    case "crashLoop":
      if (pod.worker?.running) {
        const waiting = { reason: "CrashLoopBackOff", message: "back-off" };
        set({ readySinceMs: undefined, worker: worker({ running: false, waiting, ended: ended(1) }) });
      }
      return;
    case "giveUp":
      if (pod.worker?.running) {
        const message = JSON.stringify({ reason: "CredentialsRejected", message: "Secret dynamics, key clientSecret" });
        const waiting = { reason: "CrashLoopBackOff", message: "back-off" };
        set({ readySinceMs: undefined, worker: worker({ running: false, waiting, ended: ended(78, message) }) });
      }
      return;
    case "finish":
      if (!isEnding) return;
      if (isUnfinished(pod)) {
        const end = ended(0, lastWords);
        set({ phase: "Succeeded", readySinceMs: undefined, worker: worker({ running: false, ended: end }) });
      } else api.remove("Pod", pod.metadata.name);
      return;
    case "lose":
      // The node is gone: the pod is asked to end, and nobody there hears it.
      if (!isEnding) endPod(api, { ...pod, readySinceMs: undefined });
      return;
    case "evict":
      if (!isEnding && isUnfinished(pod)) set({ phase: "Failed", readySinceMs: undefined });
  }
}

function endPod(api: TinyApi, pod: StoredPod): void {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  const deletionTimestamp = rfc3339(api.nowMs + 60_000);
  api.put("Pod", { ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
}

function podsOf(api: TinyApi, uid: string): StoredPod[] {
  return [...api.stored.Pod.values()].filter(({ metadata }) =>
    metadata.ownerReferences?.some((reference) => reference.uid === uid),
  );
}
