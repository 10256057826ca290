/** One record's fate, from what the store, Dataverse and Campaign say of it. Pure. */
import type { Fate, Match, RecordFate } from "./answers.ts";
import { isNewer, type RecordFacts, time } from "./facts.ts";
import { words } from "./fate-words.ts";

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
  if (stored?.pending !== undefined) return stored.pending.waitsFor === undefined ? "Waiting" : "Parked";
  if (stored?.dead !== undefined) return "Refused";
  if (source.kind === "Found" && source.row.kind === "FilteredOut") return "FilteredOut";
  if (stored?.written === undefined) return "NotSeen";
  return stored.written.left === "Filter" ? "FilteredOut" : "Written";
}

function matchesOf({ stored, source }: RecordFacts): readonly Match[] {
  if (stored === undefined) return source.kind === "Found" ? ["DataverseId"] : [];
  return stored.foundBy.map((by) => (by === "Id" ? "DataverseId" : "CampaignKey"));
}

function waitingOf({ stored, lastFailure, now }: RecordFacts): Pick<RecordFate, "waiting"> {
  const pending = stored?.pending;
  if (pending === undefined) return {};
  const { firstReadAt, attempts, waitsFor, dueInMs, version } = pending;
  return {
    waiting: {
      since: time(firstReadAt),
      attempts,
      ...(waitsFor === undefined ? {} : { waitsFor }),
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
