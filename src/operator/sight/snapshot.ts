import type { V1DeploymentSpec } from "@kubernetes/client-node";
import type { WorkflowConfiguration } from "../../api/configuration.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import type { LastWords, WorkerStatus } from "../../api/worker-contract.ts";
import type { ObjectMeta, Wire } from "../../kubernetes/objects.ts";
import type { Compared } from "../status/pending-changes.ts";
import type { Rival } from "./rivals.ts";
import type { SharedLimits } from "./shared-limits.ts";

/** What there is of a workflow's runs. */
export interface RunObjects {
  /**
   * Of the workflow's name, whoever owns it. What carries a derived name is here, and in pins, claims and networkPolicy, as
   * far as the operator knows of it: the caches hold what has our labels, and a refused create tells of the rest.
   */
  readonly deployment: DeploymentSeen | undefined;
  readonly replicaSets: readonly ReplicaSetSeen[];
  /** All pods with the workflow's label, whoever owns them. */
  readonly pods: readonly PodSeen[];
}

/** Everything that `decide` sees: one workflow and what belongs to its name, at one moment. */
export interface Snapshot extends RunObjects {
  /** The operator's clock, epoch milliseconds. */
  readonly nowMs: number;
  readonly workflow: IntegrationWorkflow;
  readonly pins: readonly PinSeen[];
  readonly claims: readonly ClaimSeen[];
  readonly networkPolicy: NetworkPolicySeen | undefined;
  /** Set while the workflow's application user is promised to several beyond what it may. */
  readonly sharedLimits: SharedLimits | undefined;
  /** Workflows that keep this one from starting. */
  readonly rivals: readonly Rival[];
  /** Deployment, ReplicaSets and pods were read from the API server, in this order, and not from the caches. */
  readonly fresh: boolean;
  readonly memory: Memory;
  readonly policy: OperatorPolicy;
}

/** What the operator was told when it was started. */
export interface OperatorPolicy {
  readonly defaultWorkerImage: string;
  /** Whole names, or prefixes that end with `*`. The default image is always permitted. */
  readonly allowedWorkerImages: readonly string[];
  readonly allowedServiceAccounts: readonly string[];
}

/** What the operator remembers between two looks. It may all be lost: then things take longer, and nothing goes wrong. */
export interface Memory {
  readonly lastReady?: LastReady | undefined;
  /** The same of a worker that lives, ready or not. */
  readonly lastAlive?: LastReady | undefined;
  readonly poll?: WorkerPoll | undefined;
  readonly lastWords?: WordsHeard | undefined;
  readonly accepted?: Accepted | undefined;
  /** The API server's no to one of our writes. */
  readonly refusal?: Refusal | undefined;
  /** Of the Deployment, which somebody changes again and again. */
  readonly putBacks?: PutBacks | undefined;
  /** The pin that was last seen under the current run's name. */
  readonly pin?: PinSeen | undefined;
  /** The record of runs, as the Deployment was last seen to have it. */
  readonly record?: RecordSeen | undefined;
  /** What waits for a restart, as it was last computed. */
  readonly compared?: Compared | undefined;
}

/** The Deployment's annotation, and of which workflow it was: another may come to its name. */
export interface RecordSeen {
  readonly uid: string;
  readonly text: string;
}

/** When a ready pod of a run was last seen; "still": it was there at the last look, and every change is looked at. */
export interface LastReady {
  readonly run: number;
  readonly atMs: number | "still";
}

/** The answer of a worker's `/status`. */
export interface WorkerPoll {
  readonly run: number;
  readonly atMs: number;
  readonly status: WorkerStatus;
}

/** What a worker of a run left when it ended. */
export interface WordsHeard {
  readonly run: number;
  readonly finishedAtMs: number;
  /** It ended as it was asked to. */
  readonly graceful: boolean;
  readonly words: LastWords;
}

/** Our last write of the Deployment, and what the API server made of it: webhooks and defaults applied. */
export interface Accepted {
  readonly uid: string;
  readonly sent: DeploymentSpec;
  readonly stored: DeploymentSpec;
}

/** How often in a row, and when last. */
export interface PutBacks {
  readonly count: number;
  readonly atMs: number;
}

export interface Refusal {
  /** Kind and name of what was not written. */
  readonly object: string;
  readonly message: string;
  readonly atMs: number;
  /** The workflow's generation then: an edit is worth another try at once. */
  readonly generation: number;
  /** How often it was refused by now. */
  readonly inARow: number;
}

export type SeenMetadata = Pick<
  ObjectMeta,
  "name" | "uid" | "resourceVersion" | "creationTimestamp" | "deletionTimestamp" | "ownerReferences" | "labels"
> & { readonly namespace: string };

export type DeploymentSpec = Wire<V1DeploymentSpec>;

export interface DeploymentSeen {
  readonly metadata: SeenMetadata & Pick<ObjectMeta, "generation" | "annotations" | "finalizers">;
  readonly spec: DeploymentSpec;
  readonly status: { readonly observedGeneration: number; readonly replicas: number };
  /** The latest field manager but us that owns a part of the spec; known of what was read from the API server just now. */
  readonly editor: string | undefined;
}

export interface ReplicaSetSeen {
  readonly metadata: SeenMetadata & Pick<ObjectMeta, "generation">;
  readonly replicas: number;
  readonly run: number | undefined;
  readonly status: { readonly observedGeneration: number; readonly replicas: number };
  /** The message of its condition ReplicaFailure, while pods cannot be created. */
  readonly createFailure: string | undefined;
}

export interface PodSeen {
  readonly metadata: SeenMetadata;
  readonly run: number | undefined;
  readonly phase: string;
  readonly node: string | undefined;
  readonly address: string | undefined;
  /** Since when it is ready; absent when it is not. */
  readonly readySinceMs: number | undefined;
  /** Why the scheduler finds no node. */
  readonly unschedulable: string | undefined;
  /** Since when the node controller has heard nothing of the pod's node: what the pod is said to be is not known any more. */
  readonly nodeSilentSinceMs?: number | undefined;
  /** Why it was ended from without, for good: Evicted, or a node's other no. */
  readonly failed?:
    | { readonly reason: string; readonly message: string; readonly atMs: number | undefined }
    | undefined;
  /** When it came so far. */
  readonly steps?: PodSteps | undefined;
  /** The worker's container; absent before the kubelet has said anything of it. */
  readonly worker: WorkerContainer | undefined;
}

/** In their order; a step that is not reached, or not told, is absent. */
export interface PodSteps {
  readonly createdAtMs?: number | undefined;
  readonly scheduledAtMs?: number | undefined;
  /** Volumes are mounted, the network is there: what is left is the image. false: not yet; absent: the kubelet does not say. */
  readonly sandboxAtMs?: number | false | undefined;
  readonly workerAtMs?: number | undefined;
}

export interface WorkerContainer {
  readonly restarts: number;
  readonly waiting?: { readonly reason: string; readonly message: string } | undefined;
  readonly running: boolean;
  /** false: its startup probe has not succeeded yet; absent: the kubelet does not say. */
  readonly started?: boolean | undefined;
  /** The end of the present container, or of the one before. */
  readonly ended?: ContainerEnd | undefined;
}

export interface ContainerEnd {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly finishedAtMs: number | undefined;
}

export interface PinSeen {
  readonly metadata: SeenMetadata;
  /** Absent when it cannot be read as a pin. */
  readonly content: PinContent | undefined;
}

/** What a run runs. The pin's own name and the run's number are filled in when the Deployment is written. */
export interface PinContent {
  readonly configuration: WorkflowConfiguration;
  /** Without replicas. */
  readonly deployment: DeploymentSpec;
}

export interface ClaimSeen {
  readonly metadata: SeenMetadata;
  /** false: it has no volume yet; absent: not told. */
  readonly bound?: boolean | undefined;
  readonly storageClassName: string | undefined;
  readonly accessModes: readonly string[];
  /** What is asked for, as a quantity. */
  readonly size: string;
}

export interface NetworkPolicySeen {
  readonly metadata: SeenMetadata;
  readonly spec: unknown;
}

export type OwnedKind = "Deployment" | "ConfigMap" | "PersistentVolumeClaim" | "NetworkPolicy";
