import { labels } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { Cached, ObjectCache } from "../../kubernetes/cache.ts";
import type { Client } from "../../kubernetes/client.ts";
import { createInformer, type Informer } from "../../kubernetes/informer.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes/objects.ts";
import type { Logger } from "../../telemetry/log.ts";
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
  workflows,
} from "./projections.ts";

type ByWorkflow = "workflow";

/** The operator's copies of the cluster: all workflows, and whatever carries a workflow's label. */
export interface Watched {
  readonly workflows: Informer<IntegrationWorkflow>;
  readonly deployments: Informer<DeploymentSeen, ByWorkflow>;
  readonly replicaSets: Informer<ReplicaSetSeen, ByWorkflow>;
  readonly pods: Informer<PodSeen, ByWorkflow>;
  readonly pins: Informer<PinSeen, ByWorkflow>;
  readonly claims: Informer<ClaimSeen, ByWorkflow>;
  readonly networkPolicies: Informer<NetworkPolicySeen, ByWorkflow>;
}

export function watchCluster(client: Client, namespaces: readonly string[], logger: Logger): Watched {
  const common = { client, namespaces, logger };
  const labelled = <S extends KubernetesObject, T extends Cached & { metadata: SeenMetadata }>(
    kind: ResourceKind<S>,
    project: (object: S) => T,
    keepManagedFields = false,
  ): Informer<T, ByWorkflow> =>
    createInformer({
      ...common,
      kind,
      project,
      keepManagedFields,
      labelSelector: labels.workflow,
      indexes: { workflow: ({ metadata }) => workflowKeys(metadata) },
    });
  return {
    workflows: createInformer({ ...common, kind: workflows, project: projectWorkflow }),
    deployments: labelled(deployments, projectDeployment, true),
    replicaSets: labelled(replicaSets, projectReplicaSet),
    pods: labelled(pods, projectPod),
    pins: labelled(configMaps, projectPin),
    claims: labelled(claims, projectClaim),
    networkPolicies: labelled(networkPolicies, projectNetworkPolicy),
  };
}

/** The key of the workflow that an object belongs to by its label. */
export function workflowKeys({ namespace, labels: present }: SeenMetadata): readonly string[] {
  const name = present?.[labels.workflow];
  return name === undefined ? [] : [`${namespace}/${name}`];
}

/** All informers, for what is done to each alike. */
export function informersOf(
  watched: Watched,
): readonly Pick<Informer<Cached>, "resource" | "run" | "synced" | "hasSynced" | "lastContactAtMs" | "isHealthy">[] {
  return Object.values(watched);
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
