/** What a worker answers about single records, as JSON. Times are RFC 3339; row versions are text, for they have 64 bits. */
import type { ConditionOutcome } from "../flows/ingress/filter.ts";

export const longestKeyCharacters = 1000;

/** What a record was found by; an event also by the contact that it is about. */
export type Match = "DataverseId" | "CampaignKey" | "ContactKey";

export type Fate = "Parked" | "Waiting" | "Refused" | "FilteredOut" | "Written" | "NotSeen";

/** One record in one mapping. `fate` is what matters most now; the parts say everything that is known. */
export interface RecordFate {
  /** The mapping's table. */
  readonly mapping: string;
  readonly resource: string;
  /** The Dataverse id; absent when no record was found. */
  readonly id?: string;
  readonly foundBy: readonly Match[];
  readonly fate: Fate;
  /** What is so, and what to do next: for a person. */
  readonly summary: string;
  readonly next: string;
  readonly waiting?: {
    readonly since: string;
    readonly attempts: number;
    /** `Parked`: until each of these records is in Campaign, or is known never to be. `mapping` is their table. */
    readonly waitsFor?: readonly { readonly mapping: string; readonly id: string }[];
    /** Absent: it is due, or in work, or waits for another record. */
    readonly nextTry?: string;
    readonly version?: string;
    readonly lastFailure?: LastFailure;
  };
  readonly refused?: {
    readonly since: string;
    readonly reason: string;
    readonly message: string;
    readonly version?: string;
  };
  readonly filteredOut?: { readonly match: "All" | "Any"; readonly conditions: readonly ConditionOutcome[] };
  readonly written?: {
    readonly version: string;
    /** Absent: not known, for an older version of the worker wrote it, or Campaign had it so already. */
    readonly at?: string;
    /** `Known`: Campaign has answered the last call for it. */
    readonly certainty: "Known" | "Inserting" | "Unknown" | "Removing";
  };
  /** The row as it is now. */
  readonly dataverse: {
    readonly state: "Found" | "Gone" | "NotAsked" | "NoAnswer";
    readonly version?: string;
    /** It was changed after what the worker has read last. */
    readonly isNewer?: boolean;
    readonly message?: string;
  };
  /** Only when it was asked for: how many records have the key in Campaign now. */
  readonly campaign?: { readonly records: number } | { readonly message: string };
  /** Why nothing of the mapping moves. */
  readonly paused?: { readonly reason: string; readonly message: string };
}

export interface LastFailure {
  readonly at: string;
  readonly code: string;
  readonly message: string;
}

/** Answer of `GET /records?key=` and `GET /records/<mapping>/<key>`: at least one a mapping. */
export interface RecordsAnswer {
  readonly records: readonly RecordFate[];
}

export interface DeadLetter {
  readonly mapping: string;
  readonly id: string;
  readonly reason: string;
  readonly message: string;
  readonly since: string;
  readonly version?: string;
}

/** Answer of `GET /dead-letters`: the newest first. */
export interface DeadLettersAnswer {
  /** Of everything that the question selects, on whichever page. */
  readonly counts: readonly { readonly mapping: string; readonly reason: string; readonly records: number }[];
  readonly deadLetters: readonly DeadLetter[];
  /** There are more: ask for those before this one. */
  readonly before?: string;
}

/** Question of `POST /dead-letters/redrive`: a key, a mapping, a reason or any of them together, or all. */
export interface RedriveQuestion {
  readonly key?: string;
  readonly mapping?: string;
  readonly reason?: string;
  readonly all?: boolean;
  /** Records that somebody removed in Campaign are made again too; so does their reason. */
  readonly makeRemovedAgain?: boolean;
}

export interface RedriveAnswer {
  readonly redriven: number;
  /** Removed in Campaign, and not to be made again unasked. */
  readonly leftOut: number;
  readonly message: string;
}

/** Answer to what cannot be answered. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
}
