import type { ListenAddress } from "../telemetry/address.ts";
import type { LogLevel } from "../telemetry/log.ts";
import type { Shard } from "./shell/shard.ts";
import type { PollMode } from "./shell/worker-poll.ts";
import type { OperatorPolicy } from "./sight/snapshot.ts";

/** How an operator is to run. */
export interface OperatorSettings {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Empty: all. */
  readonly watchNamespaces: readonly string[];
  /** Of the workflows, those to run. */
  readonly shard: Shard;
  /** Absent: this process is the only one. */
  readonly leaderElection: { readonly namespace: string | undefined } | undefined;
  readonly policy: OperatorPolicy;
  /** Absent: direct inside the cluster, through the API server from outside. */
  readonly workerPoll: PollMode | undefined;
  readonly metricsAddress: ListenAddress | undefined;
  readonly healthAddress: ListenAddress | undefined;
  readonly logLevel: LogLevel;
  /** Workflows that are looked at at the same time. */
  readonly concurrency: number;
}
