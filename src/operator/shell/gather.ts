import { labels } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { Client } from "../../kubernetes/client.ts";
import { isNotFound } from "../../kubernetes/errors.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes/objects.ts";
import { networkPolicyName } from "../objects/network-policy.ts";
import type { OperatorPolicy, OwnedKind, SeenMetadata, Snapshot } from "../sight/snapshot.ts";
import type { Memories } from "./memory.ts";
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
  replicaSets,
} from "./projections.ts";
import { cacheOf, type Watched } from "./watched.ts";

export interface GatherOptions {
  readonly client: Client;
  readonly watched: Watched;
  readonly memories: Memories;
  readonly policy: OperatorPolicy;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Whether the caches show what was last written for this workflow. */
export function hasSeenOwnWrites({ watched, memories }: GatherOptions, key: string): boolean {
  for (const [kind, objectKeys] of memories.of(key).written) {
    const cache = cacheOf(watched, kind);
    for (const objectKey of objectKeys) if (!cache.hasSeenWrites(objectKey)) return false;
  }
  memories.noteSeen(key);
  return true;
}

/** What the caches show of a workflow, and, read now, what was found to have taken a name of its. */
export async function gather(
  options: GatherOptions,
  workflow: IntegrationWorkflow,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { watched, memories, policy, now } = options;
  const { name, namespace } = workflow.metadata;
  const key = `${namespace}/${name}`;
  const cached: Snapshot = {
    nowMs: now(),
    workflow,
    deployment: watched.deployments.cache.get(key),
    replicaSets: watched.replicaSets.cache.byIndex("workflow", key),
    pods: watched.pods.cache.byIndex("workflow", key),
    pins: watched.pins.cache.byIndex("workflow", key),
    claims: watched.claims.cache.byIndex("workflow", key),
    networkPolicy: watched.networkPolicies.cache.get(`${namespace}/${networkPolicyName(workflow)}`),
    fresh: false,
    memory: memories.of(key).memory,
    policy,
  };
  return withTakenNames(options, key, cached, signal);
}

/** The same with Deployment, ReplicaSets and pods from the API server, causes before effects. */
export async function gatherAfresh(options: GatherOptions, snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
  const { client } = options;
  const { name, namespace } = snapshot.workflow.metadata;
  const query = { namespace, labelSelector: `${labels.workflow}=${name}` };
  const deployment = await find(client, deployments, namespace, name, signal);
  const { items: sets } = await client.list(replicaSets, query, { signal });
  const { items: found } = await client.list(pods, query, { signal });
  return {
    ...snapshot,
    nowMs: options.now(),
    deployment: deployment === undefined ? undefined : projectDeployment(deployment),
    replicaSets: sets.map(projectReplicaSet),
    pods: found.map(projectPod),
    fresh: true,
  };
}

async function withTakenNames(
  options: GatherOptions,
  key: string,
  cached: Snapshot,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { client, memories } = options;
  const { namespace } = cached.workflow.metadata;
  let snapshot = cached;
  for (const entry of memories.of(key).taken) {
    const slash = entry.indexOf("/");
    const [kind, name] = [entry.slice(0, slash) as OwnedKind, entry.slice(slash + 1)]; // As `noteTaken` wrote it.
    const found = await lookFor[kind](client, namespace, name, signal);
    if (found === undefined || isKnown(snapshot, kind, name)) memories.noteFree(key, kind, name);
    else snapshot = found(snapshot);
  }
  return snapshot;
}

function isKnown(snapshot: Snapshot, kind: OwnedKind, name: string): boolean {
  const among = (objects: readonly { readonly metadata: SeenMetadata }[]): boolean =>
    objects.some(({ metadata }) => metadata.name === name);
  switch (kind) {
    case "Deployment":
      return snapshot.deployment !== undefined;
    case "ConfigMap":
      return among(snapshot.pins);
    case "PersistentVolumeClaim":
      return among(snapshot.claims);
    case "NetworkPolicy":
      return snapshot.networkPolicy !== undefined;
  }
}

type Add = (snapshot: Snapshot) => Snapshot;
type Look = (client: Client, namespace: string, name: string, signal: AbortSignal) => Promise<Add | undefined>;

const lookFor: Readonly<Record<OwnedKind, Look>> = {
  Deployment: looker(deployments, (found) => (snapshot) => ({ ...snapshot, deployment: projectDeployment(found) })),
  ConfigMap: looker(configMaps, (found) => (snapshot) => ({
    ...snapshot,
    pins: [...snapshot.pins, projectPin(found)],
  })),
  PersistentVolumeClaim: looker(claims, (found) => (snapshot) => ({
    ...snapshot,
    claims: [...snapshot.claims, projectClaim(found)],
  })),
  NetworkPolicy: looker(networkPolicies, (found) => (snapshot) => ({
    ...snapshot,
    networkPolicy: projectNetworkPolicy(found),
  })),
};

function looker<T extends KubernetesObject>(kind: ResourceKind<T>, add: (found: T) => Add): Look {
  return async (client, namespace, name, signal) => {
    const found = await find(client, kind, namespace, name, signal);
    return found === undefined ? undefined : add(found);
  };
}

async function find<T extends KubernetesObject>(
  client: Client,
  kind: ResourceKind<T>,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await client.get(kind, { namespace, name }, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
