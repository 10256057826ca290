import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import type { StoredPending, StoredRecord } from "../../../../src/worker/queue/stored-records.ts";
import type { Fate } from "../../../../src/worker/records/answers.ts";
import type { RecordFacts, SourceLook } from "../../../../src/worker/records/facts.ts";
import { describeFate } from "../../../../src/worker/records/fate.ts";

const now = Date.parse("2026-11-22T03:00:00Z");
const id = "00000000-0000-0000-0000-000000000001";
const mapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [],
  filter: {
    match: "All",
    conditions: [{ column: "statecode", operator: "Equals", value: "0" }],
    deleteUnmatched: false,
  },
  applyDeletes: true,
  picklistValues: "Label",
};
const row = (
  version: bigint,
  then: Extract<SourceLook, { kind: "Found" }>["row"] = { kind: "Mapped" },
): SourceLook => ({
  kind: "Found",
  version,
  row: then,
});
const outside = {
  kind: "FilteredOut",
  conditions: [
    { column: "statecode", operator: "Equals", value: "0", holds: false },
    { column: "lastname", operator: "IsNotEmpty", holds: true },
  ],
} as const;
const gone: SourceLook = { kind: "Gone" };
const base: RecordFacts = { mapping, source: row(7n), readsTable: false, now };
const store = (parts: Partial<StoredRecord>): Pick<RecordFacts, "stored"> => ({
  stored: { id, foundBy: ["Id", "TargetKey"], ...parts },
});
const waiting = (over: Partial<StoredPending> = {}) =>
  store({
    pending: {
      operation: "Upsert",
      version: 7n,
      hasContent: true,
      firstReadAt: now - 60_000,
      attempts: 0,
      turn: "Queued",
      dueInMs: 0,
      ...over,
    },
  });
const refused = (reason: string) => store({ dead: { reason, message: "why", version: 7n, refusedAt: now - 60_000 } });
type Written = NonNullable<StoredRecord["written"]>;
const written = (over: Partial<Written> = {}) =>
  store({
    written: {
      targetKey: "jane@example.com",
      certainty: "Known",
      version: 7n,
      generation: 1,
      left: false,
      writtenAt: now - 60_000,
      ...over,
    },
  });
const pause = { reason: "MassDeletion", message: "look whether this is right." };
const lastFailure = { at: "2026-11-22T02:59:00.000Z", code: "Outage", message: "Campaign: 503" };

type Row = readonly [what: string, facts: Partial<RecordFacts>, fate: Fate, summary: string, next: string];

describe("a record", () => {
  it.each<Row>([
    [
      "that waits",
      waiting(),
      "Waiting",
      "waits since 2026-11-22T02:59:00.000Z, not tried yet, due now",
      "its turn comes",
    ],
    [
      "that waits by its key alone",
      waiting({ hasContent: false }),
      "Waiting",
      "due now",
      "as Dataverse has it by then",
    ],
    ["that has changed while it waits", { ...waiting(), source: row(8n) }, "Waiting", "due now", "as Dataverse has it"],
    ["that is gone while it waits", { ...waiting(), source: gone }, "Waiting", "due now", "its turn will find that"],
    [
      "that left the filter while it waits",
      { ...waiting(), source: row(8n, outside) },
      "Waiting",
      "due now",
      "outside the filter by now",
    ],
    [
      "that failed",
      { ...waiting({ attempts: 3, dueInMs: 30_000 }), lastFailure },
      "Waiting",
      "tried 3 times, next try at 2026-11-22T03:00:30.000Z; the last try failed, Outage: Campaign: 503",
      "tried again by itself",
    ],
    ["in work", waiting({ turn: "Leased", dueInMs: 9 }), "Waiting", "in work now", "its turn comes"],
    [
      "whose call has no answer",
      waiting({ turn: "Begun", attempts: 1, dueInMs: 60_000 }),
      "Waiting",
      "tried once, a call for it was sent and its answer is not recorded: its turn comes again at 2026-11-22T03:01",
      "its turn comes",
    ],
    [
      "that is held",
      waiting({ held: "Round", hasContent: false }),
      "Waiting",
      "held until all changes are read",
      "by then",
    ],
    ["that is to be deleted", waiting({ operation: "Delete" }), "Waiting", "to be deleted in Campaign", "its turn"],
    [
      "of a mapping that stands still",
      { ...waiting(), pause },
      "Waiting",
      "due now",
      "The mapping stands still, MassDeletion: look whether this is right.",
    ],
    [
      "that waits for another",
      waiting({ waitsFor: [{ mapping: "account", id: "a-1" }] }),
      "Parked",
      "parked: the link to account a-1 is mandatory",
      "integration-workflow record a-1 --mapping account",
    ],
    [
      "that was refused",
      refused("Refused"),
      "Refused",
      "refused for good at 2026-11-22T02:59:00.000Z, Refused: why",
      `Mend what the message names, then: integration-workflow dead-letters redrive ${id} --mapping contact`,
    ],
    ["that was refused and is gone", { ...refused("Refused"), source: gone }, "Refused", "for good", "is forgotten"],
    [
      "that was refused and would be again",
      { ...refused("ConversionFailed"), source: row(7n, { kind: "Refused", message: "no date" }) },
      "Refused",
      "for good",
      "would be refused again: no date",
    ],
    [
      "that was refused and has left the filter",
      { ...refused("Refused"), source: row(8n, outside) },
      "Refused",
      "for good",
      "outside the filter by now",
    ],
    [
      "that was refused and has changed since",
      { ...refused("Refused"), source: row(8n) },
      "Refused",
      "for good",
      "The row has changed since: This is read at the next poll",
    ],
    [
      "that was removed in Campaign",
      refused("RemovedInCampaign"),
      "Refused",
      "RemovedInCampaign",
      "If it was removed for a privacy request, leave it away",
    ],
    [
      "outside the filter",
      { source: row(7n, outside) },
      "FilteredOut",
      'outside the filter: this does not hold: statecode Equals "0"',
      "change the row, or the filter",
    ],
    [
      "outside the filter that was in it",
      { ...written(), source: row(8n, outside) },
      "FilteredOut",
      "This workflow wrote it to Campaign before",
      "Then its record stays in Campaign as it is",
    ],
    [
      "that left the filter",
      { ...written({ left: "Filter" }), source: row(7n, outside) },
      "FilteredOut",
      "wrote it to Campaign before",
      "What Campaign has stays as it is",
    ],
    [
      "that is written",
      written(),
      "Written",
      "written to profile at 2026-11-22T02:59:00.000Z, as version 7 of the row",
      "Nothing to do.",
    ],
    [
      "that is written and has changed since",
      { ...written(), source: row(8n) },
      "Written",
      "as version 7",
      "The row has changed since: This is read at the next poll",
    ],
    [
      "that is written and gone",
      { ...written(), source: gone },
      "Written",
      "as version 7",
      "its record in Campaign is deleted",
    ],
    [
      "that is written and gone, and deletions are not applied",
      { ...written(), source: gone, mapping: { ...mapping, applyDeletes: false } },
      "Written",
      "as version 7",
      "applyDeletes is off",
    ],
    ["whose last call is in doubt", written({ certainty: "Unknown" }), "Written", "is not known", "Nothing to do"],
    [
      "whose key a newer row has",
      written({ left: "Key" }),
      "Written",
      "a newer row has the same key",
      "different keys",
    ],
    [
      "that somebody removed in Campaign",
      { ...written(), campaign: { kind: "Found", records: 0 } },
      "Written",
      "as version 7",
      "a replay of the mapping makes it again",
    ],
    [
      "that is in Campaign twice",
      { ...written(), campaign: { kind: "Found", records: 2 } },
      "Written",
      "as version 7",
      "More than one record in Campaign",
    ],
    ["that is new", {}, "NotSeen", "not seen", "This is read at the next poll"],
    ["that is new while the table is read", { readsTable: true }, "NotSeen", "not seen", "The table is being read"],
    [
      "that is new and no good",
      { source: row(7n, { kind: "Refused", message: "no date" }) },
      "NotSeen",
      "not seen",
      "refused: no date",
    ],
    ["that is nowhere", { source: gone }, "NotSeen", "not seen", "has no row with this id"],
    [
      "that is only in Campaign",
      { source: gone, campaign: { kind: "Found", records: 1 } },
      "NotSeen",
      "Campaign has this key, but not from this workflow",
      "has no row",
    ],
    [
      "that cannot be asked after",
      { source: { kind: "NotAsked", why: "This is no Dataverse id. Ask again." } },
      "NotSeen",
      "not seen",
      "This is no Dataverse id. Ask again.",
    ],
    [
      "that left the filter and came back",
      { ...written({ left: "Filter" }), source: row(8n) },
      "FilteredOut",
      "inside it again by now",
      "This is read at the next poll",
    ],
    ["whose target is missing", refused("ParentMissing"), "Refused", "ParentMissing", "written by itself when"],
  ])("%s", (_, facts, fate, summary, next) => {
    const described = describeFate({ ...base, ...facts }, id);
    expect(described.fate).toBe(fate);
    expect(described.summary).toContain(summary);
    expect(described.next).toContain(next);
    expect(JSON.stringify(described), "keys go in and not out").not.toContain("jane@example.com");
  });

  it("is described with all that is known, also beside what matters most", () => {
    const stored = {
      id,
      foundBy: ["Id"] as const,
      ...refused("Refused").stored,
      ...written().stored,
      ...waiting().stored,
    };
    const described = describeFate({ ...base, stored, source: row(9n), pause }, id);
    expect(described).toMatchObject({
      id,
      fate: "Waiting",
      foundBy: ["DataverseId", "CampaignKey"],
      waiting: { attempts: 0, version: "7" },
      dataverse: { state: "Found", version: "9", isNewer: true },
      paused: pause,
    });
  });

  it("that nobody has is not named", () => {
    expect(describeFate({ ...base, source: gone }, id)).not.toHaveProperty("id");
    expect(describeFate(base, id)).toMatchObject({ id, foundBy: ["DataverseId"] });
  });
});
