import { labels } from "../../api/group.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { Client } from "../../kubernetes/client.ts";
import { isNotFound } from "../../kubernetes/errors.ts";
import { type KubernetesObject, keyOf, type ResourceKind } from "../../kubernetes/objects.ts";
import { readWithoutManagedFields as read } from "../../kubernetes/partial-read.ts";
import { networkPolicyName } from "../objects/network-policy.ts";
import { sameSystemsOf } from "../sight/opt-out-fields.ts";
import { type Rival, rivalOf } from "../sight/rivals.ts";
import type { OperatorPolicy, OwnedKind, PinSeen, RunObjects, SeenMetadata, Snapshot } from "../sight/snapshot.ts";
import type { LimitsLedger } from "./limits-ledger.ts";
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
  workflows,
} from "./projections.ts";
import { cacheOf, type Watched, workflowKeys } from "./watched.ts";

export interface GatherOptions {
  readonly client: Client;
  readonly watched: Watched;
  readonly memories: Memories;
  readonly limits: LimitsLedger;
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
  const { watched, memories, limits, policy, now } = options;
  const { name, namespace } = workflow.metadata;
  const key = `${namespace}/${name}`;
  const cached: Snapshot = {
    nowMs: now(),
    workflow,
    ...cachedObjects(watched, key),
    pins: watched.pins.cache.byIndex("workflow", key),
    claims: watched.claims.cache.byIndex("workflow", key),
    networkPolicy: watched.networkPolicies.cache.get(`${namespace}/${networkPolicyName(workflow)}`),
    sharedLimits: limits.of(key),
    rivals: rivalsOf(options, workflow, (other) => cachedObjects(watched, other)),
    fresh: false,
    memory: memories.of(key).memory,
    policy,
  };
  return withTakenNames(options, key, cached, signal);
}

/**
 * The same with Deployment, ReplicaSets and pods, its own and its rivals', from the API server; as it was when the workflow
 * itself is another by now.
 */
export async function gatherAfresh(options: GatherOptions, snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
  const { client } = options;
  const { name, namespace, uid, generation } = snapshot.workflow.metadata;
  const live = await orNone(client.getMetadata(workflows, { namespace, name }, { signal }));
  // The watch is behind: what it brings is looked at when it comes.
  if (live?.uid !== uid || live.generation !== generation) return snapshot;
  const rivals = await rivalsAfresh(options, snapshot.workflow, signal);
  const objects = await readObjects(client, namespace, name, signal);
  return { ...snapshot, nowMs: options.now(), ...objects, rivals, fresh: true };
}

function cachedObjects({ deployments, replicaSets, pods }: Watched, key: string): RunObjects {
  return {
    deployment: deployments.cache.get(key),
    replicaSets: replicaSets.cache.byIndex("workflow", key),
    pods: pods.cache.byIndex("workflow", key),
  };
}

/** From the API server, causes before effects. */
async function readObjects(client: Client, namespace: string, name: string, signal: AbortSignal): Promise<RunObjects> {
  const query = { namespace, labelSelector: `${labels.workflow}=${name}` };
  const deployment = await find(client, deployments, namespace, name, signal);
  const { items: sets } = await client.list(replicaSets, query, { signal, read });
  const { items: found } = await client.list(pods, query, { signal, read });
  return {
    deployment: deployment === undefined ? undefined : projectDeployment(deployment),
    replicaSets: sets.map(projectReplicaSet),
    pods: found.map(projectPod),
  };
}

/** Workflows that keep this one from starting, out of those with opt-out fields in the same two systems. */
function rivalsOf(
  { watched: { workflows, pins }, now }: GatherOptions,
  workflow: IntegrationWorkflow,
  objectsOf: (key: string) => RunObjects,
): readonly Rival[] {
  const { namespace } = workflow.metadata;
  const pinNamed = (name: string): PinSeen | undefined => pins.cache.get(`${namespace}/${name}`);
  return othersOfSameSystems({ workflows, pins }, workflow).flatMap(
    (other) => rivalOf(workflow, { workflow: other, objects: objectsOf(keyOf(other.metadata)), pinNamed }, now()) ?? [],
  );
}

/**
 * Whom this process has started is in its cache of workflows: only whether it runs may be news. Two starts of the same
 * systems are not decided at the same time (see `Controller`).
 */
async function rivalsAfresh(
  options: GatherOptions,
  workflow: IntegrationWorkflow,
  signal: AbortSignal,
): Promise<readonly Rival[]> {
  const { client, watched } = options;
  const found = new Map<string, RunObjects>();
  for (const { metadata } of othersOfSameSystems(watched, workflow)) {
    found.set(keyOf(metadata), await readObjects(client, metadata.namespace, metadata.name, signal));
  }
  return rivalsOf(options, workflow, (key) => found.get(key) ?? cachedObjects(watched, key));
}

/** Workflows that are of the other type, by their specs or by what was pinned for them: two of one type are no rivals. */
function othersOfSameSystems(
  { workflows, pins }: Pick<Watched, "workflows" | "pins">,
  { metadata, spec }: IntegrationWorkflow,
): readonly IntegrationWorkflow[] {
  const systems = sameSystemsOf(metadata.namespace, spec);
  if (systems === undefined) return [];
  const byPin = pins.cache
    .byIndex("systems", systems)
    .filter(({ content }) => content?.configuration.spec.type !== spec.type)
    .flatMap((pin) => workflowKeys(pin.metadata));
  const bySpec = workflows.cache
    .byIndex("systems", systems)
    .filter((other) => other.spec.type !== spec.type)
    .map((other) => keyOf(other.metadata));
  const keys = [...new Set([...bySpec, ...byPin])].filter((key) => key !== keyOf(metadata));
  return keys.sort().flatMap((key) => workflows.cache.get(key) ?? []);
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

function find<T extends KubernetesObject>(
  client: Client,
  kind: ResourceKind<T>,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<T | undefined> {
  return orNone(client.get(kind, { namespace, name }, { signal }));
}

async function orNone<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
