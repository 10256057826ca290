/**
 * What the operator and a worker promise each other. Any image that keeps this can be a workflow's worker.
 */
import type { MappingStatus, Throttling } from "./integration-workflow.ts";

export const workerPaths = {
  configuration: "/etc/integration-workflow/workflow.json",
  caBundle: "/etc/integration-workflow/ca/ca.crt",
  /** One folder a system below it (dynamics, campaign, sftp, postgres), one file a key in each. */
  credentials: "/var/run/secrets/integrationworkflow.io",
  state: "/var/lib/integration-workflow",
  lastWords: "/dev/termination-log",
} as const;

export const workerPort = 8080;

/** Environment variable with the run's number. */
export const runVariable = "INTEGRATION_WORKFLOW_RUN";

export const exitCodes = {
  /** Stopped as asked. */
  stopped: 0,
  /** Cannot recover until somebody changes something. Anything else: try again. */
  cannotRecover: 78,
} as const;

/** The kubelet keeps no more of the termination message, and of a longer one the tail. */
export const lastWordsMaxBytes = 4096;

export interface SchemaDrift {
  readonly mapping: string;
  readonly message: string;
}

/** Answer of `GET /status`. Each replica reports the whole queue. */
export interface WorkerStatus {
  readonly backlog: number;
  /** RFC 3339. Absent: nothing was written yet. */
  readonly lastSyncTime?: string;
  readonly mappings: readonly MappingStatus[];
  readonly schemaDrift: readonly SchemaDrift[];
  /** Mappings that this process has not compared with the systems' metadata yet. Absent: all were. */
  readonly uncompared?: readonly string[];
  /** Services that hold this replica's calls back, each once; empty: none does. Absent: the worker does not say. */
  readonly throttling?: readonly Throttling[];
  /** Why the worker is not ready, in one sentence for a person; absent when it is. */
  readonly notReady?: { readonly reason: string; readonly message: string };
}

/** What a worker leaves in `workerPaths.lastWords`, as JSON. */
export interface LastWords {
  readonly reason: string;
  readonly message: string;
  readonly backlog?: number;
  readonly lastSyncTime?: string;
  readonly mappings?: readonly MappingStatus[];
}
