/** What the store, Dataverse and Campaign say of one record. */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { ConditionOutcome } from "../flows/ingress/filter.ts";
import type { StoredRecord } from "../queue/stored-records.ts";
import type { LastFailure } from "./answers.ts";

/** The row in Dataverse now. */
export type SourceLook =
  | { readonly kind: "NotAsked" | "NoAnswer"; readonly why: string }
  | { readonly kind: "Gone" }
  | {
      readonly kind: "Found";
      readonly version: bigint;
      /** What would become of it if it were read now. */
      readonly row:
        | { readonly kind: "Mapped" }
        | { readonly kind: "Refused"; readonly message: string }
        | { readonly kind: "FilteredOut"; readonly conditions: readonly ConditionOutcome[] };
    };

/** How many records have the key in Campaign now. */
export type CampaignLook =
  | { readonly kind: "Found"; readonly records: number }
  | { readonly kind: "NoAnswer"; readonly why: string };

export interface RecordFacts {
  readonly mapping: IngressMapping;
  /** Absent: the store knows nothing of it. */
  readonly stored?: StoredRecord;
  readonly source: SourceLook;
  /** Absent: nobody asked. */
  readonly campaign?: CampaignLook;
  readonly lastFailure?: LastFailure;
  /** Why nothing of the mapping moves. */
  readonly pause?: { readonly reason: string; readonly message: string };
  /** The table is being read from its beginning. */
  readonly readsTable: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Whether Dataverse has something newer than the worker has read. */
export function isNewer({ stored, source }: RecordFacts): boolean {
  if (source.kind !== "Found") return false;
  const read = [stored?.pending, stored?.dead, stored?.written].flatMap((part) => part?.version ?? []);
  return read.every((version) => version < source.version);
}

export function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
