import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { canonicalJson, sameJson } from "../../../src/api/json.ts";
import { runsAnnotation } from "../../../src/api/run-record.ts";
import { readPin } from "../../../src/operator/objects/pin.ts";
import type { CreateWrite, PatchWrite, ReplaceWrite, Write } from "../../../src/operator/sight/plan.ts";
import type {
  ClaimSeen,
  DeploymentSeen,
  NetworkPolicySeen,
  OwnedKind,
  PinSeen,
  PodSeen,
  ReplicaSetSeen,
  SeenMetadata,
  Snapshot,
} from "../../../src/operator/sight/snapshot.ts";
import { rfc3339 } from "../../../src/operator/time.ts";

/** `of`: the uid of the workflow whose Deployment it comes from. */
type FromTemplate = { template: string; of?: string | undefined };
export type StoredPod = PodSeen & FromTemplate;

export interface Stored {
  Workflow: Map<string, IntegrationWorkflow>;
  Deployment: Map<string, DeploymentSeen>;
  ReplicaSet: Map<string, ReplicaSetSeen & FromTemplate>;
  Pod: Map<string, StoredPod>;
  ConfigMap: Map<string, PinSeen>;
  PersistentVolumeClaim: Map<string, ClaimSeen>;
  NetworkPolicy: Map<string, NetworkPolicySeen>;
}

export type StoredKind = keyof Stored;
export const storedKinds: readonly StoredKind[] = [
  "Workflow",
  "Deployment",
  "ReplicaSet",
  "Pod",
  "ConfigMap",
  "PersistentVolumeClaim",
  "NetworkPolicy",
];
type ObjectOf<K extends StoredKind> = Stored[K] extends Map<string, infer T> ? T : never;

export class Conflict extends Error {}
export class AlreadyExists extends Error {}
/** 403 or 422: the API server's no. */
export class Refused extends Error {}
/** 429, 500, or no answer: the operator does not know whether it was stored. */
export class NoAnswer extends Error {}

/** What goes wrong with one write. stored: it takes effect, and the answer is lost. */
export type Fault = "conflict" | "refused" | "unavailable" | "stored";

/** Told of every write of an operator that took effect. */
export interface Observer {
  written(write: Write, before: { readonly metadata: SeenMetadata } | undefined): void;
  statusWritten(before: IntegrationWorkflow, after: WorkflowStatus): void;
}

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
  /** Moves with every change of a kind. */
  readonly changes = new Map<StoredKind, number>();
  /** Every state of every pod, as a watch tells of it. */
  readonly podEvents: StoredPod[] = [];
  /** Changes every Deployment that is written, as a mutating webhook does. */
  webhook: ((spec: DeploymentSeen["spec"]) => DeploymentSeen["spec"]) | undefined;
  /** Kinds that nobody may create now: a quota, or an admission policy. */
  readonly refuses = new Set<StoredKind>();
  /** Writes that changed something. */
  writes = 0;
  /** Writes that were asked for. */
  attempts = 0;
  observer: Observer | undefined;
  /** What the operator that writes now has seen. */
  actingOn: Snapshot | undefined;
  #fault: { after: number; readonly fault: Fault } | undefined;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** The operator's next write but so many meets this. */
  fail(after: number, fault: Fault): void {
    this.#fault = { after, fault };
  }

  mend(): void {
    this.#fault = undefined;
    this.refuses.clear();
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
  put<K extends StoredKind>(kind: K, object: ObjectOf<K> & { metadata: { name: string } }): void {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    // The map's values are of this very type.
    (this.stored[kind] as Map<string, unknown>).set(object.metadata.name, stored);
    this.#changed(kind);
    if (kind === "Pod") this.podEvents.push(stored as unknown as StoredPod);
  }

  remove(kind: StoredKind, name: string): void {
    if (this.stored[kind].delete(name)) this.#changed(kind);
  }

  /** What an operator writes. */
  write(write: Write): void {
    this.#meet(() => this.#write(write));
  }

  writeStatus(workflow: IntegrationWorkflow, status: WorkflowStatus): void {
    this.#meet(() => {
      const { name, uid, resourceVersion } = workflow.metadata;
      const present = this.stored.Workflow.get(name);
      if (present?.metadata.uid !== uid || present.metadata.resourceVersion !== resourceVersion) {
        throw new Conflict("status");
      }
      this.writes += 1;
      this.put("Workflow", { ...present, status });
      this.observer?.statusWritten(present, status);
    });
  }

  #meet(store: () => void): void {
    this.attempts += 1;
    const fault = this.#fault?.after === 0 ? this.#fault.fault : undefined;
    if (this.#fault !== undefined) this.#fault.after -= 1;
    if (fault === undefined) {
      store();
      return;
    }
    this.#fault = undefined;
    if (fault === "conflict") throw new Conflict("somebody was faster");
    if (fault === "refused") throw new Refused("forbidden by a policy");
    if (fault === "stored") store();
    throw new NoAnswer("no answer");
  }

  #write(write: Write): void {
    const present: { readonly metadata: SeenMetadata } | undefined = this.stored[write.kind].get(write.name);
    if (write.verb === "create") {
      if (present !== undefined) throw new AlreadyExists(write.name);
      if (this.refuses.has(write.kind)) throw new Refused("exceeded quota");
      this.writes += 1;
      this.#create(write);
    } else if (write.verb === "replace") {
      this.#replace(present as DeploymentSeen | undefined, write); // Only Deployments are replaced.
    } else {
      const { uid, resourceVersion } = write.target;
      if (present?.metadata.uid !== uid || present.metadata.resourceVersion !== resourceVersion)
        throw new Conflict(write.name);
      // A quota counts what is asked for.
      if (write.verb === "patch" && this.refuses.has(write.kind)) throw new Refused("exceeded quota");
      this.writes += 1;
      if (write.verb === "delete") this.remove(write.kind, write.name);
      else this.#patch(present, write);
    }
    this.observer?.written(write, present);
  }

  #patch(present: { readonly metadata: SeenMetadata }, { kind, patch }: PatchWrite): void {
    const { metadata, spec } = patch as {
      metadata?: object;
      spec?: { resources?: { requests: { storage: string } } };
    };
    const next = { ...present, metadata: { ...present.metadata, ...metadata } };
    const size = spec?.resources?.requests.storage;
    const more = kind === "NetworkPolicy" && spec !== undefined ? { spec } : size === undefined ? {} : { size };
    this.put(kind, { ...next, ...more } as never); // Of the kind that was there.
  }

  #create({ kind, name, manifest }: CreateWrite): void {
    const { metadata, spec, data } = manifest as unknown as {
      metadata: SeenMetadata;
      spec: never;
      data: Record<string, string>;
    };
    const fresh = { ...this.newMetadata(name, metadata), ...(kind === "Deployment" ? { generation: 1 } : {}) };
    this.put(kind, { metadata: fresh, ...this.#contentOf(kind, spec, data) } as never);
  }

  #contentOf(kind: OwnedKind, spec: DeploymentSeen["spec"], data: Record<string, string>): object {
    switch (kind) {
      case "Deployment": {
        const status = { observedGeneration: 0, replicas: 0 };
        return { spec: this.webhook?.(spec) ?? spec, status, editor: undefined };
      }
      case "ConfigMap":
        return { content: readPin(data) };
      case "PersistentVolumeClaim": {
        const { accessModes, storageClassName, resources } = spec as unknown as {
          accessModes: string[];
          storageClassName?: string;
          resources: { requests: { storage: string } };
        };
        return { accessModes, storageClassName: storageClassName ?? "standard", size: resources.requests.storage };
      }
      case "NetworkPolicy":
        return { spec };
    }
  }

  /** By a JSON patch that tests uid, generation and the record; where there is no record, by a PUT of the version seen. */
  #replace(present: DeploymentSeen | undefined, { name, target, manifest }: ReplaceWrite): void {
    const { metadata: wanted, spec } = manifest as unknown as DeploymentSeen;
    if (present === undefined || present.metadata.uid !== target.uid) throw new Conflict(name);
    const record = target.annotations?.[runsAnnotation];
    const { metadata } = present;
    const isPatch = target.generation !== undefined && record !== undefined && metadata.labels !== undefined;
    const isSame = isPatch
      ? metadata.generation === target.generation && metadata.annotations?.[runsAnnotation] === record
      : metadata.resourceVersion === target.resourceVersion;
    if (!isSame) throw new Conflict(name);
    const next = isPatch
      ? {
          ...metadata,
          labels: { ...metadata.labels, ...wanted.labels },
          annotations: { ...metadata.annotations, [runsAnnotation]: wanted.annotations?.[runsAnnotation] ?? "" },
        }
      : { ...metadata, ...wanted, generation: metadata.generation, resourceVersion: metadata.resourceVersion };
    const stored = this.webhook?.(spec) ?? spec;
    // The API server does not store what changes nothing.
    const isSpecSame = sameJson(stored, present.spec);
    if (isSpecSame && sameJson(next, metadata)) return;
    this.writes += 1;
    const generation = (metadata.generation ?? 0) + (isSpecSame ? 0 : 1);
    this.put("Deployment", {
      ...present,
      spec: stored,
      metadata: { ...next, generation } as DeploymentSeen["metadata"],
    });
  }

  #changed(kind: StoredKind): void {
    this.changes.set(kind, (this.changes.get(kind) ?? 0) + 1);
  }
}

export function templateOf(spec: DeploymentSeen["spec"]): string {
  return canonicalJson(spec.template);
}
