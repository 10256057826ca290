/** What a snapshot says, told without the operator's own words for it: these are under test. */
import type { IntegrationWorkflow } from "../../../../src/api/integration-workflow.ts";
import { type RunRecord, readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import { digestOf } from "../../../../src/operator/sight/pin-identity.ts";
import type {
  DeploymentSeen,
  PinSeen,
  PodSeen,
  SeenMetadata,
  Snapshot,
} from "../../../../src/operator/sight/snapshot.ts";

export interface Truth {
  readonly own: DeploymentSeen | undefined;
  /** On the Deployment; undefined: there is none, or nobody can read it. */
  readonly record: RunRecord | undefined;
  readonly unfinished: readonly PodSeen[];
  /** The newest that the record or status tells of; 0: there was none. */
  readonly run: number;
  /** Its unfinished pods. */
  readonly runPods: readonly PodSeen[];
  /** Something of a run is still there: pods, or what makes them. */
  readonly isAnythingLeft: boolean;
}

export function truthOf({ workflow, deployment, replicaSets, pods }: Snapshot): Truth {
  const own = deployment !== undefined && isOwnedBy(deployment.metadata, workflow) ? deployment : undefined;
  const record = recordOf(own);
  const unfinished = pods.filter(isUnfinished);
  // A cache of either may be behind.
  const run = Math.max(record?.runs[0]?.run ?? 0, workflow.status?.appliedRevision?.run ?? 0);
  const counts = [own, ...replicaSets].some(
    (one) =>
      one !== undefined &&
      (one.status.replicas > 0 || one.status.observedGeneration < (one.metadata.generation ?? 0) || asks(one)),
  );
  return {
    own,
    record,
    unfinished,
    run,
    runPods: unfinished.filter((pod) => run !== 0 && pod.run === run),
    isAnythingLeft: unfinished.length > 0 || counts,
  };
}

function asks(one: object): boolean {
  const spec = "spec" in one ? (one.spec as object) : one;
  return "replicas" in spec && Number(spec.replicas) > 0;
}

export function recordOf(deployment: DeploymentSeen | undefined): RunRecord | undefined {
  return readRecord(deployment?.metadata.annotations?.[runsAnnotation]);
}

export function isOwnedBy({ ownerReferences = [] }: SeenMetadata, { metadata }: IntegrationWorkflow): boolean {
  return ownerReferences.some(({ uid }) => uid === metadata.uid);
}

/** The full hash of what a pin holds. */
export function digestOfPin(pin: PinSeen | undefined): string | undefined {
  return pin?.content && digestOf(pin.content);
}

export function isUnfinished({ phase }: PodSeen): boolean {
  return phase !== "Succeeded" && phase !== "Failed";
}

export function isReady({ readySinceMs, metadata }: PodSeen): boolean {
  return readySinceMs !== undefined && metadata.deletionTimestamp === undefined;
}

/** Ready, and never restarted: no reason to doubt it. */
export function isTrusted(pod: PodSeen): boolean {
  return isReady(pod) && !pod.worker?.restarts;
}
