import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { canonicalJson, sameJson } from "../../../src/operator/json.ts";
import { readPin } from "../../../src/operator/objects/pin.ts";
import type { Write } from "../../../src/operator/sight/plan.ts";
import type {
  ClaimSeen,
  DeploymentSeen,
  NetworkPolicySeen,
  OwnedKind,
  PinSeen,
  PodSeen,
  ReplicaSetSeen,
  SeenMetadata,
} from "../../../src/operator/sight/snapshot.ts";
import { mergePatch } from "../../../src/operator/status/status-patch.ts";
import { rfc3339 } from "../../../src/operator/time.ts";

export interface Stored {
  Workflow: Map<string, IntegrationWorkflow>;
  Deployment: Map<string, DeploymentSeen>;
  ReplicaSet: Map<string, ReplicaSetSeen & { template: string }>;
  Pod: Map<string, PodSeen & { template: string }>;
  ConfigMap: Map<string, PinSeen>;
  PersistentVolumeClaim: Map<string, ClaimSeen>;
  NetworkPolicy: Map<string, NetworkPolicySeen>;
}

type ObjectOf<K extends keyof Stored> = Stored[K] extends Map<string, infer T> ? T : never;

export class Conflict extends Error {}
export class AlreadyExists extends Error {}

/** One namespace of an API server: versions, generations, preconditions, owner references. Objects are replaced, never changed. */
export class TinyApi {
  nowMs: number;
  #version = 1;
  readonly stored: Stored = {
    Workflow: new Map(),
    Deployment: new Map(),
    ReplicaSet: new Map(),
    Pod: new Map(),
    ConfigMap: new Map(),
    PersistentVolumeClaim: new Map(),
    NetworkPolicy: new Map(),
  };
  /** Changes every Deployment that is written, as a mutating webhook does. */
  webhook: ((spec: DeploymentSeen["spec"]) => DeploymentSeen["spec"]) | undefined;
  /** Writes that changed something. */
  writes = 0;
  onDelete: ((write: Write) => void) | undefined;
  onDeploymentWritten: ((before: DeploymentSeen | undefined, after: DeploymentSeen) => void) | undefined;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  newMetadata(name: string, more: Partial<SeenMetadata> = {}): SeenMetadata {
    const version = String(++this.#version);
    return {
      name,
      namespace: "crm",
      uid: `uid-${version}`,
      resourceVersion: version,
      creationTimestamp: rfc3339(this.nowMs),
      ...more,
    };
  }

  /** Puts an object that somebody else has changed. */
  put<K extends keyof Stored>(kind: K, object: ObjectOf<K> & { metadata: { name: string } }): void {
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    // The map's values are of this very type.
    (this.stored[kind] as Map<string, unknown>).set(object.metadata.name, { ...object, metadata });
  }

  remove(kind: keyof Stored, name: string): void {
    this.stored[kind].delete(name);
  }

  /** What the operator writes; its answer is the stored object. */
  write(write: Write): SeenMetadata | undefined {
    const map = this.stored[write.kind];
    const present = map.get(write.name);
    if (write.verb === "create") {
      if (present !== undefined) throw new AlreadyExists(write.name);
      return this.#create(write.kind, write.name, write.manifest);
    }
    const { uid, resourceVersion } = write.target;
    if (present?.metadata.uid !== uid || present.metadata.resourceVersion !== resourceVersion)
      throw new Conflict(write.name);
    if (write.verb === "delete") {
      this.onDelete?.(write);
      map.delete(write.name);
      this.writes += 1;
      return undefined;
    }
    if (write.verb === "patch") {
      const patch = write.patch as { metadata?: object; spec?: { resources?: { requests: { storage: string } } } };
      const next = { ...present, metadata: { ...present.metadata, ...patch.metadata } };
      const size = patch.spec?.resources?.requests.storage;
      this.writes += 1;
      this.put(write.kind, (size === undefined ? next : { ...next, size }) as never);
      return map.get(write.name)?.metadata;
    }
    return this.#replace(present as DeploymentSeen, write.manifest as unknown as DeploymentSeen);
  }

  writeStatus(workflow: IntegrationWorkflow, status: WorkflowStatus): void {
    const present = this.stored.Workflow.get(workflow.metadata.name);
    if (present?.metadata.resourceVersion !== workflow.metadata.resourceVersion) throw new Conflict("status");
    const merged = applyMerge(present.status ?? {}, mergePatch(workflow.status ?? {}, status));
    this.writes += 1;
    this.put("Workflow", { ...present, status: merged as WorkflowStatus });
  }

  #create(kind: OwnedKind, name: string, manifest: unknown): SeenMetadata | undefined {
    const { metadata, spec, data } = manifest as { metadata: SeenMetadata; spec: never; data: Record<string, string> };
    const fresh = this.newMetadata(name, { ...metadata });
    this.writes += 1;
    switch (kind) {
      case "Deployment": {
        const stored: DeploymentSeen = {
          metadata: { ...fresh, generation: 1 },
          spec: this.webhook?.(spec) ?? spec,
          status: { observedGeneration: 0, replicas: 0 },
          editor: undefined,
        };
        this.onDeploymentWritten?.(undefined, { ...stored, spec });
        this.stored.Deployment.set(name, stored);
        break;
      }
      case "ConfigMap":
        this.stored.ConfigMap.set(name, { metadata: fresh, ...readPin(data) });
        break;
      case "PersistentVolumeClaim": {
        const claim = spec as {
          accessModes: string[];
          storageClassName?: string;
          resources: { requests: { storage: string } };
        };
        const { accessModes, storageClassName = "standard", resources } = claim;
        this.stored.PersistentVolumeClaim.set(name, {
          metadata: fresh,
          accessModes,
          storageClassName,
          size: resources.requests.storage,
        });
        break;
      }
      case "NetworkPolicy":
        this.stored.NetworkPolicy.set(name, { metadata: fresh, spec });
    }
    return this.stored[kind].get(name)?.metadata;
  }

  #replace(present: DeploymentSeen, manifest: DeploymentSeen): SeenMetadata | undefined {
    this.onDeploymentWritten?.(present, manifest);
    const spec = this.webhook?.(manifest.spec) ?? manifest.spec;
    const metadata = { ...present.metadata, ...manifest.metadata };
    // The API server does not store what changes nothing.
    if (sameJson(spec, present.spec) && sameJson(metadata, present.metadata)) return present.metadata;
    this.writes += 1;
    const generation = (present.metadata.generation ?? 0) + (sameJson(spec, present.spec) ? 0 : 1);
    this.put("Deployment", { ...present, spec, metadata: { ...metadata, generation } });
    return this.stored.Deployment.get(manifest.metadata.name)?.metadata;
  }
}

export function templateOf(spec: DeploymentSeen["spec"]): string {
  return canonicalJson(spec.template);
}

function applyMerge(target: object, patch: Record<string, unknown>): object {
  const merged: Record<string, unknown> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else if (typeof value === "object" && !Array.isArray(value)) {
      merged[name] = applyMerge((merged[name] ?? {}) as object, value as Record<string, unknown>);
    } else merged[name] = value;
  }
  return merged;
}
