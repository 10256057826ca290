import { labels } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { Cached, ObjectCache } from "../../kubernetes/cache.ts";
import type { Client } from "../../kubernetes/client.ts";
import { createInformer, type Informer } from "../../kubernetes/informer.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes/objects.ts";
import { type ReadJson, readerWithout, readWithoutManagedFields } from "../../kubernetes/partial-read.ts";
import type { Logger } from "../../telemetry/log.ts";
import { sameSystemsOf } from "../sight/opt-out-fields.ts";
import type {
  ClaimSeen,
  DeploymentSeen,
  NetworkPolicySeen,
  PinSeen,
  PodSeen,
  ReplicaSetSeen,
  SeenMetadata,
} from "../sight/snapshot.ts";
import {
  claims,
  configMaps,
  deployments,
  networkPolicies,
  pods,
  projectClaim,
  projectDeployment,
  projectNetworkPolicy,
  projectPin,
  projectPod,
  projectReplicaSet,
  projectWorkflow,
  replicaSets,
  unreadOfPod,
  unreadOfReplicaSet,
  workflows,
} from "./projections.ts";
import { SharedParts } from "./shared-parts.ts";

type ByWorkflow = "workflow";
/** Workflows, and what was pinned for them, with opt-out fields: by what both systems are. */
type BySystems = "systems";

/** The operator's copies of the cluster: all workflows, and whatever carries a workflow's label. */
export interface Watched {
  readonly workflows: Informer<IntegrationWorkflow, BySystems>;
  readonly deployments: Informer<DeploymentSeen, ByWorkflow>;
  readonly replicaSets: Informer<ReplicaSetSeen, ByWorkflow>;
  readonly pods: Informer<PodSeen, ByWorkflow>;
  readonly pins: Informer<PinSeen, ByWorkflow | BySystems>;
  readonly claims: Informer<ClaimSeen, ByWorkflow>;
  readonly networkPolicies: Informer<NetworkPolicySeen, ByWorkflow>;
}

export function watchCluster(client: Client, namespaces: readonly string[], logger: Logger): Watched {
  const common = { client, namespaces, logger };
  const labelSelector = labels.workflow;
  const parts = new SharedParts();
  const workflow = ({ metadata }: { metadata: SeenMetadata }): readonly string[] => workflowKeys(metadata);
  const labelled = <S extends KubernetesObject, T extends Cached & { metadata: SeenMetadata }>(
    kind: ResourceKind<S>,
    project: (object: S) => T,
    read: ReadJson = readWithoutManagedFields,
  ): Informer<T, ByWorkflow> =>
    createInformer({ ...common, kind, read, project, labelSelector, indexes: { workflow } });
  return {
    workflows: createInformer({
      ...common,
      kind: workflows,
      project: projectWorkflow,
      indexes: { systems: ({ metadata, spec }) => some(sameSystemsOf(metadata.namespace, spec)) },
    }),
    deployments: labelled(deployments, (object) => {
      const seen = projectDeployment(object);
      return { ...seen, spec: parts.specOf(seen.spec) };
    }),
    replicaSets: labelled(replicaSets, projectReplicaSet, readerWithout(unreadOfReplicaSet)),
    pods: labelled(pods, projectPod, readerWithout(unreadOfPod)),
    pins: createInformer({
      ...common,
      kind: configMaps,
      project: (object): PinSeen => {
        const { content, ...pin } = projectPin(object);
        return { ...pin, content: content && { ...content, deployment: parts.specOf(content.deployment) } };
      },
      labelSelector,
      indexes: {
        workflow,
        systems: ({ metadata, content }) =>
          some(content && sameSystemsOf(metadata.namespace, content.configuration.spec)),
      },
    }),
    claims: labelled(claims, projectClaim),
    networkPolicies: labelled(networkPolicies, projectNetworkPolicy),
  };
}

function some(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

/** The key of the workflow that an object belongs to by its label. */
export function workflowKeys({ namespace, labels: present }: SeenMetadata): readonly string[] {
  const name = present?.[labels.workflow];
  return name === undefined ? [] : [`${namespace}/${name}`];
}

/** All informers, for what is done to each alike. */
export function informersOf(
  watched: Watched,
): readonly Pick<
  Informer<Cached>,
  "resource" | "run" | "reopen" | "synced" | "hasSynced" | "isRefused" | "lastContactAtMs" | "lastAnswerAtMs"
>[] {
  return Object.values(watched);
}

/** Whether something that is decided on may not be seen of a namespace: its Role is not there, or no longer whole. */
export function isHidden(watched: Watched, namespace: string): boolean {
  return informersOf(watched).some((informer) => informer.isRefused(namespace));
}

/** The cache that a written kind is in. */
export function cacheOf(
  watched: Watched,
  kind: string,
): Pick<ObjectCache<Cached>, "noteWrite" | "noteDeletion" | "hasSeenWrites"> {
  switch (kind) {
    case "Deployment":
      return watched.deployments.cache;
    case "ConfigMap":
      return watched.pins.cache;
    case "PersistentVolumeClaim":
      return watched.claims.cache;
    case "NetworkPolicy":
      return watched.networkPolicies.cache;
    default:
      return watched.workflows.cache;
  }
}
