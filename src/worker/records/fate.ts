/** One record's fate in words, from what the store, Dataverse and Campaign say of it. Pure. */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import { removedInCampaign } from "../engine/turn.ts";
import type { ConditionOutcome } from "../flows/ingress/filter.ts";
import type { StoredPending, StoredRecord } from "../queue/stored-records.ts";
import type { Fate, LastFailure, Match, RecordFate } from "./answers.ts";

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

/** @param id what was asked for, if that is an id; it is named only if there is a record */
export function describeFate(facts: RecordFacts, id: string | undefined): RecordFate {
  const { mapping, stored, pause } = facts;
  const fate = fateOf(facts);
  const foundId = stored?.id ?? (facts.source.kind === "Found" ? id : undefined);
  return {
    mapping: mapping.table,
    resource: mapping.resource,
    ...(foundId === undefined ? {} : { id: foundId }),
    foundBy: matchesOf(facts),
    fate,
    ...words[fate](facts),
    ...waitingOf(facts),
    ...refusedOf(facts),
    ...filteredOf(facts),
    ...writtenOf(facts),
    dataverse: dataverseOf(facts),
    ...campaignOf(facts),
    ...(pause === undefined ? {} : { paused: { reason: pause.reason, message: pause.message } }),
  };
}

function fateOf({ stored, source }: RecordFacts): Fate {
  if (stored?.pending !== undefined) return "Waiting";
  if (stored?.dead !== undefined) return "Refused";
  if (source.kind === "Found" && source.row.kind === "FilteredOut") return "FilteredOut";
  if (stored?.written === undefined) return "NotSeen";
  return stored.written.left === "Filter" ? "FilteredOut" : "Written";
}

type Words = Pick<RecordFate, "summary" | "next">;

const words: Readonly<Record<Fate, (facts: RecordFacts) => Words>> = {
  Waiting: (facts) => ({ summary: howItWaits(facts), next: afterWaiting(facts) }),
  Refused: (facts) => {
    const { reason = "", message = "", refusedAt = 0 } = facts.stored?.dead ?? {};
    return { summary: `refused for good at ${time(refusedAt)}, ${reason}: ${message}`, next: afterRefusal(facts) };
  },
  FilteredOut: (facts) => ({ summary: howItIsFiltered(facts), next: afterFilter(facts) }),
  Written: (facts) => ({ summary: howItIsWritten(facts), next: afterWriting(facts) }),
  NotSeen: notSeen,
};

function howItWaits({ stored, lastFailure, now }: RecordFacts): string {
  const pending = stored?.pending;
  if (pending === undefined) return "";
  const { operation, firstReadAt, attempts } = pending;
  const what = operation === "Delete" ? "waits to be deleted in Campaign, for it left the filter" : "waits";
  const tries = attempts === 0 ? "not tried yet" : attempts === 1 ? "tried once" : `tried ${attempts} times`;
  const failure = lastFailure === undefined ? "" : `; the last try failed, ${lastFailure.code}: ${lastFailure.message}`;
  return `${what} since ${time(firstReadAt)}, ${tries}, ${nextTry(pending, now)}${failure}`;
}

function nextTry({ turn, held, dueInMs }: StoredPending, now: number): string {
  switch (turn) {
    case "Begun":
      return `a call for it was sent and its answer is not recorded: its turn comes again at ${time(now + dueInMs)} at the latest`;
    case "Leased":
      return "in work now";
    case "Queued":
      if (held === "Round") return "held until all changes are read, for one of them may contradict it";
      if (held === "Snapshot") return "held until the table is read to its end, for it may come up again in it";
      return dueInMs > 0 ? `next try at ${time(now + dueInMs)}` : "due now";
  }
}

function afterWaiting(facts: RecordFacts): string {
  const { pause, lastFailure, source, stored } = facts;
  if (pause !== undefined) return standstill(pause);
  if (lastFailure !== undefined)
    return "It is tried again by itself. If the failure names what you can mend, mend that.";
  if (source.kind === "Gone") return "Nothing to do: the row is gone in Dataverse, and its turn will find that.";
  if (source.kind === "Found" && source.row.kind === "FilteredOut") {
    return "The row is outside the filter by now: when that is read, it no longer waits.";
  }
  if (isNewer(facts) || stored?.pending?.hasContent === false) {
    return "Nothing to do: at its turn it is written as Dataverse has it by then.";
  }
  return "Nothing to do: it is written when its turn comes.";
}

function afterRefusal(facts: RecordFacts): string {
  const { stored, source, mapping } = facts;
  const command = `integration-workflow dead-letters redrive ${stored?.id} --mapping ${mapping.table}`;
  if (source.kind === "Gone") return "The row is gone in Dataverse: when that is read, the refusal is forgotten.";
  if (source.kind === "Found" && source.row.kind === "FilteredOut") {
    return "The row is outside the filter by now: when that is read, the refusal is forgotten.";
  }
  if (source.kind === "Found" && source.row.kind === "Refused") {
    return `As the row is now, it would be refused again: ${source.row.message}. Correct the row, which is then read by itself, or the mapping.`;
  }
  if (stored?.dead?.reason === removedInCampaign) {
    return `If it was removed for a privacy request, leave it away. If not, and it is to be made again: ${command} --reason ${removedInCampaign}`;
  }
  if (isNewer(facts)) return `The row has changed since: ${soonRead(facts)}`;
  return `Mend what the message names, then: ${command}`;
}

function howItIsFiltered({ stored, source, mapping }: RecordFacts): string {
  const conditions = source.kind === "Found" && source.row.kind === "FilteredOut" ? source.row.conditions : [];
  const failed = conditions.filter(({ holds }) => !holds).map(conditionInWords);
  const why =
    failed.length === 0
      ? ""
      : `: ${mapping.filter?.match === "Any" ? "none holds of " : "not so is "}${failed.join("; ")}`;
  const isThere = stored?.written !== undefined;
  return `outside the filter${why}${isThere ? ". This workflow wrote it to Campaign before" : ""}`;
}

/** As it is configured. */
export function conditionInWords({ column, operator, value, values }: ConditionOutcome): string {
  const wanted =
    values === undefined ? (value === undefined ? "" : ` ${JSON.stringify(value)}`) : ` ${JSON.stringify(values)}`;
  return `${column} ${operator}${wanted}`;
}

function afterFilter(facts: RecordFacts): string {
  const { stored, mapping } = facts;
  const wanted =
    "If it should be in Campaign, change the row, or the filter (an edit comes into force at the next start).";
  if (stored?.written === undefined) return wanted;
  if (stored.written.left === "Filter") return `What Campaign has stays as it is. ${wanted}`;
  const then = mapping.filter?.deleteUnmatched
    ? "its record in Campaign is deleted"
    : "its record stays in Campaign as it is";
  return `${soonRead(facts)} Then ${then}. ${wanted}`;
}

function howItIsWritten({ stored, mapping }: RecordFacts): string {
  const written = stored?.written;
  if (written === undefined) return "";
  if (written.left === "Key") return "not what Campaign has: a newer row has the same key, and was written instead";
  const at = written.writtenAt === undefined ? "at a time that is not recorded" : `at ${time(written.writtenAt)}`;
  const doubt = written.certainty === "Known" ? "" : "; whether the last call for it was done is not known";
  return `written to ${mapping.resource} ${at}, as version ${written.version} of the row${doubt}`;
}

function afterWriting(facts: RecordFacts): string {
  const { source, mapping, campaign } = facts;
  if (source.kind === "Gone") {
    return mapping.applyDeletes
      ? `The row is gone in Dataverse: ${soonRead(facts)} Then its record in Campaign is deleted.`
      : "The row is gone in Dataverse. Its record stays in Campaign, for applyDeletes is off.";
  }
  if (isNewer(facts)) return `The row has changed since: ${soonRead(facts)}`;
  if (facts.stored?.written?.left === "Key") return "If both rows should be in Campaign, give them different keys.";
  if (campaign?.kind === "Found" && campaign.records === 0) {
    return `Somebody removed it in Campaign. When the row changes, it is refused as ${removedInCampaign}; a replay of the mapping makes it again. If it was removed for a privacy request, do neither.`;
  }
  if (campaign?.kind === "Found" && campaign.records > 1) {
    return "More than one record in Campaign has its key, so the next change will be refused: remove all but one there.";
  }
  return "Nothing to do.";
}

function notSeen(facts: RecordFacts): Words {
  const { source, mapping, campaign } = facts;
  const inCampaign =
    campaign?.kind === "Found" && campaign.records > 0 ? ". Campaign has this key, but not from this workflow" : "";
  const summary = `not seen: it neither waits nor was written or refused${inCampaign}`;
  switch (source.kind) {
    case "Found":
      if (source.row.kind === "Refused") {
        return { summary, next: `${soonRead(facts)} It will then be refused: ${source.row.message}.` };
      }
      return { summary, next: `The row is in ${mapping.table}. ${soonRead(facts)} If it is not, replay the mapping.` };
    case "Gone":
      return { summary, next: `The table ${mapping.table} has no row with this id that the worker's user may see.` };
    case "NotAsked":
    case "NoAnswer":
      return {
        summary,
        next: `${source.why}. Ask again by the row's id in Dataverse: what was filtered out, or refused before it was ever written, is known by that alone.`,
      };
  }
}

/** When what Dataverse has now comes to the worker. */
function soonRead({ pause, readsTable }: RecordFacts): string {
  if (pause !== undefined) return standstill(pause);
  return readsTable
    ? "The table is being read from its beginning, and this is read in it or at the next poll."
    : "This is read at the next poll, within seconds.";
}

function standstill({ reason, message }: { reason: string; message: string }): string {
  return `The mapping stands still, ${reason}: ${message.replace(/[.\s]+$/, "")}.`;
}

function matchesOf({ stored, source }: RecordFacts): readonly Match[] {
  if (stored === undefined) return source.kind === "Found" ? ["DataverseId"] : [];
  return stored.foundBy.map((by) => (by === "Id" ? "DataverseId" : "CampaignKey"));
}

function waitingOf({ stored, lastFailure, now }: RecordFacts): Pick<RecordFate, "waiting"> {
  const pending = stored?.pending;
  if (pending === undefined) return {};
  const { firstReadAt, attempts, dueInMs, version } = pending;
  return {
    waiting: {
      since: time(firstReadAt),
      attempts,
      ...(dueInMs > 0 ? { nextTry: time(now + dueInMs) } : {}),
      ...(version === undefined ? {} : { version: String(version) }),
      ...(lastFailure === undefined ? {} : { lastFailure }),
    },
  };
}

function refusedOf({ stored }: RecordFacts): Pick<RecordFate, "refused"> {
  if (stored?.dead === undefined) return {};
  const { reason, message, refusedAt, version } = stored.dead;
  const refused = { since: time(refusedAt), reason, message };
  return { refused: version === undefined ? refused : { ...refused, version: String(version) } };
}

function filteredOf({ source, mapping }: RecordFacts): Pick<RecordFate, "filteredOut"> {
  if (source.kind !== "Found" || source.row.kind !== "FilteredOut") return {};
  return { filteredOut: { match: mapping.filter?.match ?? "All", conditions: source.row.conditions } };
}

function writtenOf({ stored }: RecordFacts): Pick<RecordFate, "written"> {
  if (stored?.written === undefined) return {};
  const { version, writtenAt, certainty } = stored.written;
  return {
    written: {
      version: String(version),
      ...(writtenAt === undefined ? {} : { at: time(writtenAt) }),
      certainty,
    },
  };
}

function dataverseOf(facts: RecordFacts): RecordFate["dataverse"] {
  const { source } = facts;
  switch (source.kind) {
    case "Found":
      return { state: "Found", version: String(source.version), isNewer: isNewer(facts) };
    case "Gone":
      return { state: "Gone" };
    case "NotAsked":
    case "NoAnswer":
      return { state: source.kind, message: source.why };
  }
}

function campaignOf({ campaign }: RecordFacts): Pick<RecordFate, "campaign"> {
  if (campaign === undefined) return {};
  return { campaign: campaign.kind === "Found" ? { records: campaign.records } : { message: campaign.why } };
}

/** Whether Dataverse has something newer than the worker has read. */
function isNewer({ stored, source }: RecordFacts): boolean {
  if (source.kind !== "Found") return false;
  const read = [stored?.pending, stored?.dead, stored?.written].flatMap((part) => part?.version ?? []);
  return read.every((version) => version < source.version);
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
