/** What people do, by the resource and past it. */
import { labels } from "../../../../src/api/group.ts";
import type { WorkflowSpec } from "../../../../src/api/integration-workflow.ts";
import { networkPolicyName } from "../../../../src/operator/objects/network-policy.ts";
import type { DeploymentSeen } from "../../../../src/operator/sight/snapshot.ts";
import type { MoveTable } from "./moves.ts";
import type { Walk } from "./walk.ts";

export const userMoves: MoveTable = {
  start: [8, (walk, name) => walk.edit(name, { state: "Running" })],
  stop: [5, (walk, name) => walk.edit(name, { state: "Stopped" })],
  "stop and start at once": [1, toggle],
  restart: [4, (walk, name) => walk.edit(name, { restart: `restart-${++walk.restarts}` })],
  "restart as before": [1, (walk, name, number) => walk.edit(name, { restart: `restart-${number % 3}` })],
  "forget the restart": [1, (walk, name) => without(walk, name, "restart")],
  edit: [7, (walk, name, number) => edit(walk, name, number)],
  "take the edit back": [2, takeBack],
  "move the queue": [1, moveQueue],
  "grow the volume": [1, growVolume],
  "another image": [1, anotherImage],
  "a service account": [1, (walk, name, number) => serviceAccount(walk, name, number)],
  "history limit": [1, (walk, name, number) => walk.edit(name, { revisionHistoryLimit: number % 4 })],
  "label the resource": [1, labelResource],
  "delete the resource": [1, ({ world }, name) => world.api.remove("Workflow", name)],
  "delete the resource in the foreground": [1, deleteInForeground],
  "make it again": [2, makeAgain],
  "back the status up": [1, backUp],
  "restore the status": [1, restoreStatus],
  "restore the resource": [1, restoreResource],
  "kubectl scale": [1, (walk, name, number) => editDeployment(walk, name, () => ({ replicas: number % 4 }))],
  "kubectl rollout restart": [1, rolloutRestart],
  "kubectl set image": [1, setImage],
  "take the labels off": [1, takeLabels],
  "edit the record of runs": [1, editRecord],
  "delete the Deployment": [1, deleteDeployment],
  "somebody else's Deployment": [1, foreignDeployment],
  "delete the pins": [1, ({ world }, name) => deletePins({ world }, name)],
  "exchange a pin": [1, exchangePin],
  "delete the claims": [1, deleteClaims],
  "somebody else's claim": [1, foreignClaim],
  "delete the network policy": [1, ({ world }, name) => world.api.remove("NetworkPolicy", `${name}-worker`)],
  "edit the network policy": [1, editNetworkPolicy],
  "somebody else's network policy": [1, foreignNetworkPolicy],
  "somebody else is gone": [3, ({ world }, name) => removeForeign({ world }, name)],
};

type Worldly = Pick<Walk, "world">;

function toggle(walk: Walk, name: string): void {
  const state = walk.workflow(name)?.spec.state;
  if (state === undefined) return;
  walk.edit(name, { state: state === "Running" ? "Stopped" : "Running" });
  walk.edit(name, { state });
}

function without({ world, ...walk }: Walk, name: string, field: keyof WorkflowSpec): void {
  void walk;
  const present = world.api.stored.Workflow.get(name);
  if (present === undefined) return;
  const { [field]: _, ...spec } = present.spec;
  world.setSpec(spec as WorkflowSpec, name);
}

/** A field of each part of the spec, here and there. */
const edits: readonly ((spec: WorkflowSpec) => object | undefined)[] = [
  applyUpdates,
  applyUpdates,
  ({ worker }) => {
    const terminationGracePeriodSeconds = worker.terminationGracePeriodSeconds === 60 ? 30 : 60;
    return { worker: { ...worker, terminationGracePeriodSeconds } };
  },
  ({ dynamics }) => ({ dynamics: { ...dynamics, share: dynamics.share === 100 ? 50 : 100 } }),
  ({ campaign }) => {
    const engineCallsPerSecond = campaign.engineCallsPerSecond === 20 ? 10 : 20;
    return { campaign: { ...campaign, engineCallsPerSecond } };
  },
  ({ queue }) => {
    const whenDeleted = queue.volume?.whenDeleted === "Delete" ? "Retain" : "Delete";
    const volume = { size: "1Gi", accessMode: "ReadWriteOnce", ...queue.volume, whenDeleted };
    return queue.postgres === undefined ? { queue: { ...queue, volume } } : undefined;
  },
  ({ worker }) => {
    const { annotations, ...template } = worker.template ?? {};
    const more = annotations === undefined ? { annotations: { team: "crm" } } : {};
    return { worker: { ...worker, template: { ...template, ...more } } };
  },
  optOut,
];

function applyUpdates({ ingress }: WorkflowSpec): object | undefined {
  const [mapping] = ingress?.mappings ?? [];
  const [field] = mapping?.fields ?? [];
  if (mapping === undefined) return undefined;
  return {
    ingress: { mappings: [{ ...mapping, fields: [{ ...field, applyUpdates: field?.applyUpdates === false }] }] },
  };
}

/** The opt-out that two workflows may not both have. */
function optOut({ ingress, optInOut }: WorkflowSpec): object | undefined {
  const [mapping] = ingress?.mappings ?? [];
  if (mapping !== undefined) {
    const { constants, ...rest } = mapping;
    const more = constants === undefined ? { constants: [{ field: "denyListEmail", value: "1" }] } : {};
    return { ingress: { mappings: [{ ...rest, ...more }] } };
  }
  const direction = optInOut?.direction === "Disabled" ? "Bidirectional" : "Disabled";
  return { optInOut: { ...optInOut, direction } };
}

function edit(walk: Walk, name: string, number: number): void {
  const spec = walk.workflow(name)?.spec;
  const changes = spec && edits[number % edits.length]?.(spec);
  if (changes !== undefined) walk.edit(name, changes);
}

/** Back to what runs. Volumes do not shrink. */
function takeBack(walk: Walk, name: string): void {
  const pinned = walk.invariants.contentOf(name)?.configuration.spec;
  const present = walk.workflow(name)?.spec;
  if (pinned === undefined || present === undefined) return;
  const { state, restart, revisionHistoryLimit } = present;
  const steering = { state, revisionHistoryLimit, ...(restart === undefined ? {} : { restart }) };
  walk.world.setSpec({ ...pinned, ...steering, queue: present.queue } as WorkflowSpec, name);
}

function moveQueue(walk: Walk, name: string, number: number): void {
  const { deadLetterRetentionDays } = walk.workflow(name)?.spec.queue ?? { deadLetterRetentionDays: 30 };
  const volume = { size: "1Gi", accessMode: "ReadWriteOnce", whenDeleted: "Retain" };
  const kinds = [
    {},
    { volume: { ...volume, storageClassName: "fast" } },
    { volume: { ...volume, storageClassName: "standard" } },
    { postgres: { credentialsSecretRef: { name: "queue-database" } } },
  ];
  walk.edit(name, { queue: { deadLetterRetentionDays, ...kinds[number % 4] } });
}

function growVolume(walk: Walk, name: string): void {
  const queue = walk.workflow(name)?.spec.queue;
  if (queue === undefined || queue.postgres !== undefined) return;
  const size = { "1Gi": "2Gi", "2Gi": "4Gi" }[queue.volume?.size ?? "1Gi"] ?? "8Gi";
  walk.edit(name, {
    queue: { ...queue, volume: { accessMode: "ReadWriteOnce", whenDeleted: "Retain", ...queue.volume, size } },
  });
}

function anotherImage(walk: Walk, name: string, number: number): void {
  const worker = walk.workflow(name)?.spec.worker;
  if (worker === undefined) return;
  const { image: _, ...rest } = worker;
  const image = [undefined, "registry.example/permitted/worker:1", "evil.example/worker:1", undefined][number % 4];
  walk.edit(name, { worker: { ...rest, ...(image === undefined ? {} : { image }) } });
}

function serviceAccount(walk: Walk, name: string, number: number): void {
  const worker = walk.workflow(name)?.spec.worker;
  if (worker === undefined) return;
  const { serviceAccountName: _, ...template } = worker.template ?? {};
  const account = [undefined, "permitted", "admin", undefined][number % 4];
  walk.edit(name, {
    worker: { ...worker, template: { ...template, ...(account === undefined ? {} : { serviceAccountName: account }) } },
  });
}

/** A change of metadata alone: another version, no other generation. */
function labelResource({ world }: Walk, name: string): void {
  const present = world.api.stored.Workflow.get(name);
  if (present !== undefined) world.api.put("Workflow", present);
}

function deleteInForeground({ world }: Walk, name: string): void {
  const present = world.api.stored.Workflow.get(name);
  if (present === undefined) return;
  const deletionTimestamp = new Date(world.api.nowMs).toISOString();
  world.api.put("Workflow", { ...present, metadata: { ...present.metadata, deletionTimestamp } });
}

function makeAgain(walk: Walk, name: string, number: number): void {
  const spec = walk.specs.get(name);
  if (spec !== undefined) walk.makeAgain(name, { ...spec, state: number % 2 === 0 ? "Running" : "Stopped" });
}

function backUp(walk: Walk, name: string): void {
  const { status, metadata } = walk.workflow(name) ?? {};
  if (status !== undefined && metadata !== undefined) walk.saved.set(name, { uid: metadata.uid, status });
}

/** An old status, of the same resource: the record on the Deployment knows better. */
function restoreStatus(walk: Walk, name: string): void {
  const present = walk.workflow(name);
  const { status, uid } = walk.saved.get(name) ?? {};
  if (present === undefined || status === undefined || uid !== present.metadata.uid) return;
  if (walk.world.recordOf(name) === undefined) return;
  walk.invariants.told(name, status.backlog);
  walk.world.api.put("Workflow", { ...present, status });
}

/** The whole resource from a backup, where it is gone: with its old status, and a new uid. */
function restoreResource(walk: Walk, name: string): void {
  const spec = walk.specs.get(name);
  if (spec !== undefined) walk.makeAgain(name, spec, walk.saved.get(name)?.status);
}

/** kubectl, past the workflow. */
function editDeployment({ world }: Worldly, name: string, change: (spec: DeploymentSeen["spec"]) => object): void {
  const deployment = world.api.stored.Deployment.get(name);
  if (deployment === undefined) return;
  const metadata = { ...deployment.metadata, generation: (deployment.metadata.generation ?? 0) + 1 };
  const spec = { ...deployment.spec, ...change(deployment.spec) };
  world.api.put("Deployment", { ...deployment, spec, metadata, editor: "kubectl" });
}

function rolloutRestart(walk: Walk, name: string, number: number): void {
  const annotations = { "kubectl.kubernetes.io/restartedAt": String(number) };
  editDeployment(walk, name, ({ template }) => ({
    template: { ...template, metadata: { ...template.metadata, annotations } },
  }));
}

function setImage(walk: Walk, name: string): void {
  editDeployment(walk, name, ({ template }) => {
    const containers = template.spec?.containers.map((container) => ({ ...container, image: "evil.example/worker:1" }));
    return { template: { ...template, spec: { ...template.spec, containers } } };
  });
}

/** The caches do not show it any more. That it runs, status remembers. */
function takeLabels(walk: Walk, name: string): void {
  const { world } = walk;
  const isTold = walk.isTold(name);
  const deployment = world.api.stored.Deployment.get(name);
  if (deployment === undefined || !isTold) return;
  const { labels: given, ...metadata } = deployment.metadata;
  void given;
  world.api.put("Deployment", { ...deployment, metadata });
}

function editRecord(walk: Walk, name: string, number: number): void {
  const deployment = walk.world.api.stored.Deployment.get(name);
  // What status does not tell is lost then.
  if (deployment === undefined || !walk.isTold(name)) return;
  const annotations = number % 2 === 0 ? {} : { "integrationworkflow.io/runs": "{}" };
  walk.world.api.put("Deployment", { ...deployment, metadata: { ...deployment.metadata, annotations } });
}

/** A run that status has not told of yet leaves no trace: its number would be used again. */
function deleteDeployment(walk: Walk, name: string): boolean {
  if (!walk.isTold(name)) return false;
  // Nothing but the name that is free stops a stale leader's create.
  walk.held = undefined;
  walk.world.api.remove("Deployment", name);
  return true;
}

/** With our label or without: the caches show the one alone. */
function foreignDeployment(walk: Walk, name: string, number: number): void {
  const { api } = walk.world;
  const deployment = api.stored.Deployment.get(name);
  if (deployment === undefined || !deleteDeployment(walk, name)) return;
  const given = number % 2 === 0 ? { [labels.workflow]: name } : { app: "other" };
  const template = {
    metadata: { labels: { app: "other" } },
    spec: { containers: [{ name: "other", image: "other" }] },
  };
  api.put("Deployment", {
    metadata: { ...api.newMetadata(name, { labels: given }), generation: 1 },
    spec: { replicas: 0, selector: { matchLabels: { app: "other" } }, template },
    status: { observedGeneration: 1, replicas: 0 },
    editor: undefined,
  });
}

function foreignNetworkPolicy({ world }: Walk, name: string, number: number): void {
  const policyName = `${name}-worker`;
  world.api.remove("NetworkPolicy", policyName);
  const given = number % 2 === 0 ? { [labels.workflow]: name } : { app: "other" };
  world.api.put("NetworkPolicy", { metadata: world.api.newMetadata(policyName, { labels: given }), spec: {} });
}

/** Under the usual name, with our label or without. */
function foreignClaim({ world }: Walk, name: string, number: number): void {
  const { api } = world;
  const claimName = `${name}-queue`;
  const given = number % 2 === 0 ? { [labels.workflow]: name } : { app: "other" };
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "other", uid: "uid-of-other", controller: true };
  api.remove("PersistentVolumeClaim", claimName);
  api.put("PersistentVolumeClaim", {
    metadata: api.newMetadata(claimName, { labels: given, ownerReferences: [owner] }),
    storageClassName: "standard",
    accessModes: ["ReadWriteOnce"],
    size: "1Gi",
  });
}

export function removeForeign({ world }: Worldly, name: string): void {
  const { api } = world;
  for (const [kind, key] of [
    ["Deployment", name],
    ["NetworkPolicy", `${name}-worker`],
  ] as const) {
    const found = api.stored[kind].get(key);
    if (found !== undefined && (found.metadata.ownerReferences ?? []).length === 0) api.remove(kind, key);
  }
  const claim = api.stored.PersistentVolumeClaim.get(`${name}-queue`);
  const isOther = claim?.metadata.ownerReferences?.some(({ kind }) => kind === "StatefulSet") ?? false;
  if (isOther) api.remove("PersistentVolumeClaim", `${name}-queue`);
  for (const { metadata } of world.pods) {
    if ((metadata.ownerReferences ?? []).length === 0) api.remove("Pod", metadata.name);
  }
}

function deletePins({ world }: Worldly, name: string): void {
  for (const { metadata } of [...world.api.stored.ConfigMap.values()]) {
    if (metadata.labels?.[labels.workflow] === name) world.api.remove("ConfigMap", metadata.name);
  }
}

/** Another content under a pin's name, as somebody with rights over ConfigMaps can make it. */
function exchangePin({ world }: Walk, name: string): void {
  const pin = world.api.stored.ConfigMap.get(world.recordOf(name)?.runs[0]?.pin ?? "");
  if (pin?.content === undefined) return;
  const { deployment, configuration } = pin.content;
  const content = { configuration, deployment: { ...deployment, progressDeadlineSeconds: 601 } };
  const metadata = { ...pin.metadata, uid: world.api.newMetadata("x").uid };
  world.api.put("ConfigMap", { metadata, content });
}

function deleteClaims({ world }: Walk, name: string): void {
  for (const { metadata } of [...world.api.stored.PersistentVolumeClaim.values()]) {
    if (metadata.labels?.[labels.workflow] === name) world.api.remove("PersistentVolumeClaim", metadata.name);
  }
}

function editNetworkPolicy({ world }: Walk, name: string): void {
  const workflow = world.api.stored.Workflow.get(name);
  const found = workflow && world.api.stored.NetworkPolicy.get(networkPolicyName(workflow));
  if (found !== undefined) world.api.put("NetworkPolicy", { ...found, spec: { podSelector: {} } });
}
