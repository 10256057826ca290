import type {
  V1ConfigMap,
  V1ContainerStateTerminated,
  V1ContainerStatus,
  V1Deployment,
  V1NetworkPolicy,
  V1PersistentVolumeClaim,
  V1Pod,
  V1ReplicaSet,
} from "@kubernetes/client-node";
import { labels, operatorName, workflowKind } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { isRecord } from "../../api/json.ts";
import { workerContainer } from "../../api/worker-pod.ts";
import type { ObjectMeta, ResourceKind, Stored, Wire } from "../../kubernetes/objects.ts";
import type { Unread } from "../../kubernetes/partial-read.ts";
import { readPin } from "../objects/pin.ts";
import type {
  ClaimSeen,
  ContainerEnd,
  DeploymentSeen,
  NetworkPolicySeen,
  PinSeen,
  PodSeen,
  ReplicaSetSeen,
  SeenMetadata,
  WorkerContainer,
} from "../sight/snapshot.ts";
import { epochMsOf } from "../time.ts";

/** Of each kind, what it is called, and what is kept of it: ten thousand of each must fit in memory. */

export const workflows: ResourceKind<IntegrationWorkflow> = workflowKind;
export const deployments = core<Stored<V1Deployment>>("apps", "v1", "deployments", "Deployment");
export const replicaSets = core<Stored<V1ReplicaSet>>("apps", "v1", "replicasets", "ReplicaSet");
export const pods = core<Stored<V1Pod>>("", "v1", "pods", "Pod");
export const configMaps = core<Stored<V1ConfigMap>>("", "v1", "configmaps", "ConfigMap");
export const claims = core<Stored<V1PersistentVolumeClaim>>(
  "",
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
);
export const networkPolicies = core<Stored<V1NetworkPolicy>>(
  "networking.k8s.io",
  "v1",
  "networkpolicies",
  "NetworkPolicy",
);

function core<T extends Stored<object>>(
  group: string,
  version: string,
  pluralName: string,
  kindName: string,
): ResourceKind<T> {
  return { group, version, plural: pluralName, kind: kindName, namespaced: true };
}

export function projectWorkflow({
  apiVersion: version,
  kind: kindName,
  metadata,
  spec,
  status,
}: IntegrationWorkflow): IntegrationWorkflow {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata;
  const { labels: present } = metadata;
  return {
    apiVersion: version,
    kind: kindName,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      generation,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(present === undefined ? {} : { labels: present }),
    },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

/** The managed fields, where they are there, name whoever edited it. */
export function projectDeployment({ metadata, spec, status }: Stored<V1Deployment>): DeploymentSeen {
  const { generation, annotations, finalizers } = metadata;
  return {
    metadata: {
      ...metadataOf(metadata),
      ...(generation === undefined ? {} : { generation }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
    },
    spec: spec ?? { selector: {}, template: {} },
    status: { observedGeneration: status?.observedGeneration ?? 0, replicas: status?.replicas ?? 0 },
    editor: editorOf(metadata),
  };
}

/** Of the template, its metadata alone is looked at. */
export const unreadOfReplicaSet: Unread = {
  after: [',"template":{', ',"spec":{'],
  before: '}}},"status":{',
  not: [],
};

export function projectReplicaSet({ metadata, spec, status }: Stored<V1ReplicaSet>): ReplicaSetSeen {
  const { generation } = metadata;
  const failure = status?.conditions?.find(
    ({ type, status: isTrue }) => type === "ReplicaFailure" && isTrue === "True",
  );
  return {
    metadata: { ...metadataOf(metadata), ...(generation === undefined ? {} : { generation }) },
    replicas: spec?.replicas ?? 1,
    run: runOf(spec?.template?.metadata?.labels),
    status: { observedGeneration: status?.observedGeneration ?? 0, replicas: status?.replicas ?? 0 },
    createFailure: failure?.reason === "FailedCreate" ? (failure.message ?? "no reason given") : undefined,
  };
}

/** Of the spec, the node alone is looked at, which stands behind volumes and containers. */
export const unreadOfPod: Unread = {
  after: [',"spec":{'],
  before: '"restartPolicy":"',
  not: ['"nodeName":"', '"status":{'],
};

export function projectPod({ metadata, spec, status }: Stored<V1Pod>): PodSeen {
  const condition = (type: string) => status?.conditions?.find((entry) => entry.type === type);
  const [ready, scheduled] = [condition("Ready"), condition("PodScheduled")];
  // The node controller takes Ready away from all pods of a node that is not heard of, and leaves the rest as it was. A pod
  // that its readiness gates keep has the reason of the kubelet.
  const isSilent =
    ready?.status === "False" && ready.reason === undefined && condition("ContainersReady")?.status === "True";
  const ended = condition("DisruptionTarget") ?? ready;
  const sandbox = condition("PodReadyToStartContainers");
  const worker = status?.containerStatuses?.find(({ name }) => name === workerContainer);
  const isUnschedulable = scheduled?.status === "False" && scheduled.reason === "Unschedulable";
  return {
    metadata: metadataOf(metadata),
    run: runOf(metadata.labels),
    phase: status?.phase ?? "Pending",
    node: spec?.nodeName,
    address: status?.podIP,
    readySinceMs: ready?.status === "True" ? (epochMsOf(ready.lastTransitionTime) ?? 0) : undefined,
    unschedulable: isUnschedulable ? (scheduled.message ?? "no reason given") : undefined,
    nodeSilentSinceMs: isSilent ? epochMsOf(ready.lastTransitionTime) : undefined,
    failed:
      status?.phase === "Failed" && status.reason !== undefined
        ? { reason: status.reason, message: status.message ?? "", atMs: epochMsOf(ended?.lastTransitionTime) }
        : undefined,
    steps: {
      createdAtMs: epochMsOf(metadata.creationTimestamp),
      scheduledAtMs: scheduled?.status === "True" ? epochMsOf(scheduled.lastTransitionTime) : undefined,
      sandboxAtMs: sandbox && (sandbox.status === "True" ? epochMsOf(sandbox.lastTransitionTime) : false),
      workerAtMs: epochMsOf(worker?.state?.running?.startedAt),
    },
    worker: workerOf(worker),
  };
}

export function projectPin({ metadata, data }: Stored<V1ConfigMap>): PinSeen {
  return { metadata: metadataOf(metadata), content: readPin(data) };
}

export function projectClaim({ metadata, spec, status }: Stored<V1PersistentVolumeClaim>): ClaimSeen {
  return {
    metadata: metadataOf(metadata),
    bound: status?.phase === "Bound",
    storageClassName: spec?.storageClassName,
    accessModes: spec?.accessModes ?? [],
    size: spec?.resources?.requests?.["storage"] ?? "0",
  };
}

export function projectNetworkPolicy({ metadata, spec }: Stored<V1NetworkPolicy>): NetworkPolicySeen {
  return { metadata: metadataOf(metadata), spec };
}

function metadataOf(metadata: ObjectMeta): SeenMetadata {
  const { name, namespace = "", uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  const { labels: present, ownerReferences } = metadata;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(present === undefined ? {} : { labels: present }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}

function runOf(present: Readonly<Record<string, string>> | undefined): number | undefined {
  const run = Number(present?.[labels.run]);
  return Number.isInteger(run) ? run : undefined;
}

/** The latest manager but us that owns a part of the spec, by whatever way it came. */
function editorOf({ managedFields = [] }: ObjectMeta): string | undefined {
  const others = managedFields.filter(
    ({ manager, subresource, fieldsV1 }) =>
      manager !== operatorName && subresource !== "status" && isRecord(fieldsV1) && "f:spec" in fieldsV1,
  );
  const [latest] = others.sort((left, right) => ((left.time ?? "") < (right.time ?? "") ? 1 : -1));
  return latest?.manager;
}

function workerOf(status: Wire<V1ContainerStatus> | undefined): WorkerContainer | undefined {
  if (status === undefined) return undefined;
  const { state, lastState } = status;
  const ended = state?.terminated ?? lastState?.terminated;
  return {
    restarts: status.restartCount,
    running: state?.running !== undefined,
    started: status.started,
    ...(state?.waiting === undefined
      ? {}
      : { waiting: { reason: state.waiting.reason ?? "Unknown", message: state.waiting.message ?? "" } }),
    ...(ended === undefined ? {} : { ended: endOf(ended) }),
  };
}

function endOf({ exitCode, reason, message, finishedAt }: Wire<V1ContainerStateTerminated>): ContainerEnd {
  return { exitCode, reason: reason ?? "Unknown", message: message ?? "", finishedAtMs: epochMsOf(finishedAt) };
}
