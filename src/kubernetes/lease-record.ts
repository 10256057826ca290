import { microTime } from "./micro-time.ts";
import type { KubernetesObject, ResourceKind } from "./objects.ts";

/** coordination.k8s.io/v1 Lease. Times are MicroTime. */
export interface Lease extends KubernetesObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  /** How often the lease passed from one holder to another. */
  leaseTransitions?: number;
}

export const leases: ResourceKind<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};

/** A lease as this candidate saw it. */
export interface Observation {
  lease: Lease;
  /** When this version of the lease was first seen here, on this machine's monotonic clock. */
  seenAtMs: number;
}

/** Keeps the time of the first sight while the lease stays the same. Other machines' clocks are never compared with ours. */
export function observe(previous: Observation | undefined, lease: Lease, nowMs: number): Observation {
  const unchanged = previous?.lease.metadata.resourceVersion === lease.metadata.resourceVersion;
  return { lease, seenAtMs: unchanged ? previous.seenAtMs : nowMs };
}

/** Whether `identity` may take the lease: it is free, or has been its own, or nobody renewed it for its whole duration. */
export function mayTake(observation: Observation, identity: string, nowMs: number): boolean {
  const { holderIdentity, leaseDurationSeconds = 0 } = observation.lease.spec ?? {};
  if (!holderIdentity || holderIdentity === identity) return true;
  return nowMs - observation.seenAtMs > leaseDurationSeconds * 1000;
}

/** The spec with which `identity` takes or renews the lease. */
export function takenSpec(
  spec: LeaseSpec | undefined,
  identity: string,
  durationSeconds: number,
  date: Date,
): LeaseSpec {
  const now = microTime(date);
  const mine = spec?.holderIdentity === identity;
  const transitions = spec?.leaseTransitions ?? 0;
  return {
    ...spec,
    holderIdentity: identity,
    leaseDurationSeconds: durationSeconds,
    acquireTime: mine ? (spec.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: mine || spec?.leaseTransitions === undefined ? transitions : transitions + 1,
  };
}

/** The spec that says: nobody holds this, take it at once. */
export function releasedSpec(spec: LeaseSpec | undefined, date: Date): LeaseSpec {
  const now = microTime(date);
  return { ...spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
}
