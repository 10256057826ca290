/** A record's fate as a person reads it: what is so, and what to do next. Pure. */
import type { ConditionOutcome } from "../flows/ingress/filter.ts";
import { parentMissing, removedInCampaign } from "../queue/reasons.ts";
import type { StoredPending } from "../queue/stored-records.ts";
import type { Fate, RecordFate } from "./answers.ts";
import { isNewer, type RecordFacts, type SourceLook, time } from "./facts.ts";

type Words = Pick<RecordFate, "summary" | "next">;

export const words: Readonly<Record<Fate, (facts: RecordFacts) => Words>> = {
  Parked: (facts) => ({ summary: howItIsParked(facts), next: afterParking(facts) }),
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
  const what = operation === "Delete" ? "left the filter and waits to be deleted in Campaign" : "waits";
  const tries = attempts === 0 ? "not tried yet" : attempts === 1 ? "tried once" : `tried ${attempts} times`;
  const failure = lastFailure === undefined ? "" : `; the last try failed, ${lastFailure.code}: ${lastFailure.message}`;
  return `${what} since ${time(firstReadAt)}, ${tries}, ${nextTry(pending, now)}${failure}`;
}

function howItIsParked({ stored }: RecordFacts): string {
  const { firstReadAt = 0, waitsFor = [] } = stored?.pending ?? {};
  const parents = waitsFor.map(({ mapping, id }) => `${mapping} ${id}`).join(" and ");
  return `parked: the link to ${parents} is mandatory, and that is not in Campaign yet; waits since ${time(firstReadAt)}`;
}

function afterParking({ stored, pause }: RecordFacts): string {
  const commands = (stored?.pending?.waitsFor ?? []).map(
    ({ mapping, id }) => `integration-workflow record ${id} --mapping ${mapping}`,
  );
  const why = `It is written when that lands. Why it does not: ${commands.join("; ")}`;
  return pause === undefined ? why : `${standstill(pause)} ${why}`;
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
  if (stored?.dead?.reason === parentMissing) {
    return "It is written by itself when the record that it points at lands in Campaign: ask after that one, or change the row.";
  }
  return `Mend what the message names, then: ${command}`;
}

function howItIsFiltered({ stored, source, mapping }: RecordFacts): string {
  if (isInsideAgain(source)) return "left the filter, and is inside it again by now";
  const conditions = source.kind === "Found" && source.row.kind === "FilteredOut" ? source.row.conditions : [];
  const failed = conditions.filter(({ holds }) => !holds).map(conditionInWords);
  const doNotHold = mapping.filter?.match === "Any" ? "none of these holds" : "this does not hold";
  const why = failed.length === 0 ? "" : `: ${doNotHold}: ${failed.join("; ")}`;
  const isThere = stored?.written !== undefined;
  return `outside the filter${why}${isThere ? ". This workflow wrote it to Campaign before" : ""}`;
}

/** As it is configured. */
function conditionInWords({ column, operator, value, values }: ConditionOutcome): string {
  const wanted =
    values === undefined ? (value === undefined ? "" : ` ${JSON.stringify(value)}`) : ` ${JSON.stringify(values)}`;
  return `${column} ${operator}${wanted}`;
}

function afterFilter(facts: RecordFacts): string {
  if (isInsideAgain(facts.source)) return soonRead(facts);
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

function isInsideAgain(source: SourceLook): boolean {
  return source.kind === "Found" && source.row.kind !== "FilteredOut";
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
      return { summary, next: source.why };
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
