/** One event's fate, from what the store and Dataverse say of it. Pure. */
import type { StoredPending, StoredRecord } from "../queue/stored-records.ts";
import type { Fate, Match, RecordFate } from "./answers.ts";
import { time } from "./facts.ts";

export interface Found {
  /** The activity's. */
  readonly id: string;
  readonly foundBy: Match;
  /** Whether Dataverse has the activity; undefined: it did not tell. */
  readonly isThere: boolean | undefined;
  /** Absent: the store knows nothing of it. */
  readonly stored?: StoredRecord;
}

export interface EventGround {
  /** The mapping: a kind of event, or the lines that were refused. */
  readonly kind: string;
  /** The activities' table. */
  readonly table: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Why Dataverse did not tell. */
  readonly why: string | undefined;
  readonly pause?: { readonly reason: string; readonly message: string };
}

/** @param found absent: nobody knows of it */
export function eventFate(found: Found | undefined, ground: EventGround): RecordFate {
  const { kind, table, pause, why } = ground;
  const { pending, dead } = found?.stored ?? {};
  const fate: Fate = pending ? "Waiting" : dead ? "Refused" : found?.isThere ? "Written" : "NotSeen";
  const state = why === undefined ? (found?.isThere ? "Found" : "Gone") : "NoAnswer";
  return {
    mapping: kind,
    resource: table,
    ...(found === undefined ? {} : { id: found.id }),
    foundBy: found === undefined ? [] : [found.foundBy],
    fate,
    ...words(fate, found, ground),
    ...(pending === undefined ? {} : { waiting: { since: time(pending.firstReadAt), attempts: pending.attempts } }),
    ...(dead === undefined
      ? {}
      : { refused: { since: time(dead.refusedAt), reason: dead.reason, message: dead.message } }),
    dataverse: { state, ...(why === undefined ? {} : { message: why }) },
    ...(pause === undefined ? {} : { paused: pause }),
  };
}

function words(fate: Fate, found: Found | undefined, { kind, why, pause, now }: EventGround) {
  const { pending, dead } = found?.stored ?? {};
  if (fate === "Waiting" && pending !== undefined) {
    return {
      summary: `waits since ${time(pending.firstReadAt)}, tried ${pending.attempts} times, ${nextTry(pending, now)}`,
      next:
        pause === undefined
          ? "Nothing to do: its activity is made when its turn comes."
          : `Nothing of ${kind} is written now, ${pause.reason}: ${pause.message}.`,
    };
  }
  if (fate === "Refused" && dead !== undefined) {
    const command = `integration-workflow dead-letters redrive ${found?.id} --mapping ${kind}`;
    return {
      summary: `refused for good at ${time(dead.refusedAt)}, ${dead.reason}: ${dead.message}`,
      next: `Mend what the message names, then: ${command}. Its line is read again from the exported file; if that is gone, export the log again`,
    };
  }
  if (fate === "Written") return { summary: "Dataverse has its activity", next: "Nothing to do." };
  return {
    summary: "not seen: no event of this key waits or was refused, and Dataverse has no activity of it",
    next:
      why ??
      "It may be older than egress.since, of a profile without contactId, or in no exported file: look for its log in Campaign.",
  };
}

function nextTry({ turn, dueInMs, hasContent }: StoredPending, now: number): string {
  if (turn !== "Queued") return "in work now";
  if (!hasContent) return "its line is looked for in the exported files";
  return dueInMs > 0 ? `next try at ${time(now + dueInMs)}` : "due now";
}
