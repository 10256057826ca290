/**
 * A provisioner of persistent volumes for one node: a claim of the default class gets a folder, seen by the pod as a
 * fresh disk is: owned by root, and handed to the pod's fsGroup by the kubelet (a `local` volume; a hostPath is not).
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  ApiException,
  CoreV1Api,
  type KubeConfig,
  StorageV1Api,
  type V1PersistentVolume,
  type V1PersistentVolumeClaim,
} from "@kubernetes/client-node";
import { nodeName } from "./layout.ts";

const provisioner = "integrationworkflow.io/folder";
const className = "standard";
const millisecondsBetweenLooks = 500;

/** Makes the default storage class: bound when a pod is placed, deleted with its claim. */
export async function createStorageClass(config: KubeConfig): Promise<void> {
  await config.makeApiClient(StorageV1Api).createStorageClass({
    body: {
      metadata: { name: className, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner,
      volumeBindingMode: "WaitForFirstConsumer",
      reclaimPolicy: "Delete",
      allowVolumeExpansion: true,
    },
  });
}

/** Serves claims until aborted. `onError` is told what failed; the next look tries again. */
export async function provisionVolumes(
  config: KubeConfig,
  folder: string,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const core = config.makeApiClient(CoreV1Api);
  const storage = config.makeApiClient(StorageV1Api);
  mkdirSync(folder, { recursive: true });
  while (!signal.aborted) {
    try {
      await serveClaims(core, storage, folder);
    } catch (error) {
      onError(error);
    }
    await delay(millisecondsBetweenLooks);
  }
}

async function serveClaims(core: CoreV1Api, storage: StorageV1Api, folder: string): Promise<void> {
  const { items: claims } = await core.listPersistentVolumeClaimForAllNamespaces();
  const { items: volumes } = await core.listPersistentVolume();
  for (const claim of claims.filter(waitsForUs)) {
    const name = `pvc-${claim.metadata?.uid}`;
    if (volumes.some((volume) => volume.metadata?.name === name)) continue;
    const storageClass = await storage.readStorageClass({ name: claim.spec?.storageClassName ?? className });
    mkdirSync(join(folder, name), { recursive: true });
    const body = volumeFor(claim, name, join(folder, name), storageClass.reclaimPolicy ?? "Delete");
    await core.createPersistentVolume({ body }).catch(unless(409)); // Made at the last look, and not yet listed.
  }
  for (const volume of volumes.filter(isOurs)) {
    const name = volume.metadata?.name ?? "";
    const claim = claims.find(({ metadata }) => metadata?.uid === volume.spec?.claimRef?.uid);
    if (claim !== undefined) await grow(core, volume, claim);
    else if (volume.status?.phase === "Released" && volume.spec?.persistentVolumeReclaimPolicy === "Delete") {
      rmSync(join(folder, name), { recursive: true, force: true });
      await core.deletePersistentVolume({ name }).catch(unless(404));
    }
  }
}

/** The controller manager names the provisioner; the scheduler names the node once a pod needs the claim. */
function waitsForUs({ metadata, status }: V1PersistentVolumeClaim): boolean {
  const annotations = metadata?.annotations ?? {};
  return (
    status?.phase === "Pending" &&
    annotations["volume.kubernetes.io/storage-provisioner"] === provisioner &&
    annotations["volume.kubernetes.io/selected-node"] === nodeName
  );
}

function isOurs({ metadata }: V1PersistentVolume): boolean {
  return metadata?.annotations?.["pv.kubernetes.io/provisioned-by"] === provisioner;
}

function volumeFor(
  claim: V1PersistentVolumeClaim,
  name: string,
  path: string,
  persistentVolumeReclaimPolicy: string,
): V1PersistentVolume {
  const { namespace, name: claimName, uid } = claim.metadata ?? {};
  const { accessModes, storageClassName, resources } = claim.spec ?? {};
  const expression = { key: "kubernetes.io/hostname", operator: "In", values: [nodeName] };
  return {
    metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": provisioner } },
    spec: {
      capacity: { storage: resources?.requests?.["storage"] ?? "1Gi" },
      accessModes: accessModes ?? ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy,
      storageClassName: storageClassName ?? className,
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        ...(namespace === undefined ? {} : { namespace }),
        ...(claimName === undefined ? {} : { name: claimName }),
        ...(uid === undefined ? {} : { uid }),
      },
    },
  };
}

/** A folder has no size of its own: it grows by saying so. The API server lets a claim only grow. */
async function grow(core: CoreV1Api, volume: V1PersistentVolume, claim: V1PersistentVolumeClaim): Promise<void> {
  const storage = claim.spec?.resources?.requests?.["storage"];
  if (storage === undefined || claim.status?.phase !== "Bound" || claim.status.capacity?.["storage"] === storage)
    return;
  const capacity = { op: "replace", path: "/spec/capacity/storage", value: storage };
  await core.patchPersistentVolume({ name: volume.metadata?.name ?? "", body: [capacity] });
  await core.patchNamespacedPersistentVolumeClaimStatus({
    name: claim.metadata?.name ?? "",
    namespace: claim.metadata?.namespace ?? "",
    body: [{ op: "replace", path: "/status/capacity/storage", value: storage }],
  });
}

/** Passes over an answer of the API server that is as good as success. */
function unless(code: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ApiException && error.code === code)) throw error;
  };
}
