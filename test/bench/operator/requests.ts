/** Counts of the requests that the operator made, by what was asked of what. */
import type { AuditedRequest } from "../../../cluster/audit-log.ts";

export type Counts = ReadonlyMap<string, number>;

/** @returns "update integrationworkflows/status" → how many */
export function countsOf(requests: readonly AuditedRequest[]): Counts {
  const counts = new Map<string, number>();
  for (const { verb, resource } of requests) {
    const kind = `${verb} ${resource}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

const writes = /^(create|update|patch|delete) /;

/** Writes that a workflow causes: neither the lease nor Events. */
export function writesOf(counts: Counts): number {
  return sum(counts, (kind) => writes.test(kind) && !isApart(kind));
}

export function readsOf(counts: Counts): number {
  return sum(counts, (kind) => !writes.test(kind) && !isApart(kind));
}

export function eventsOf(counts: Counts): number {
  return sum(counts, (kind) => kind.endsWith(" events"));
}

/** In words, the most frequent first: each as so many for one of `of`. */
export function inWords(counts: Counts, of: number): string {
  return [...counts]
    .filter(([kind]) => !kind.endsWith(" leases"))
    .sort((left, right) => right[1] - left[1])
    .map(([kind, count]) => `${decimal(count / of)} ${kind}`)
    .join(", ");
}

export function decimal(value: number): string {
  return value.toFixed(2).replace(/\.?0+$/, "");
}

function isApart(kind: string): boolean {
  return kind.endsWith(" leases") || kind.endsWith(" events");
}

function sum(counts: Counts, isCounted: (kind: string) => boolean): number {
  return [...counts].reduce((total, [kind, count]) => total + (isCounted(kind) ? count : 0), 0);
}
