import type { Checkpoint } from "../../../../src/worker/queue/checkpoint.ts";
import type { Incoming } from "../../../../src/worker/queue/page.ts";

export const recordsPerPage = 50;

export function pageOf(page: number): Incoming[] {
  return Array.from({ length: recordsPerPage }, (_, n) => upsert(`${page}-${n}`, BigInt(page + 1)));
}

export function upsert(id: string, version: bigint, payload = `{"name":"${id} ${version}"}`): Incoming {
  return { kind: "Upsert", id, version, content: { targetKey: `key-${id}`, payload } };
}

export function checkpointAt(page: number, over: Partial<Checkpoint> = {}): Checkpoint {
  const snapshot = { purpose: "FirstLoad", sweeping: false, nextLink: `after-${page}` } as const;
  return { mapping: "contact", mappingHash: "h.h", generation: 1, snapshot, ...over };
}
