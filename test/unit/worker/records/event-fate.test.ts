import { describe, expect, it } from "vitest";
import { eventFate, type Found } from "../../../../src/worker/records/event-fate.ts";
import { recordsText } from "../../../../src/worker/records/text.ts";

const ground = { kind: "send", table: "adobe_emailsend", now: Date.parse("2026-07-15T12:00:00Z"), why: undefined };
const id = "5f2c0000-0000-5000-8000-000000000001";
const readAt = Date.parse("2026-07-15T10:00:00Z");
const waiting = {
  operation: "Upsert",
  hasContent: true,
  firstReadAt: readAt,
  attempts: 2,
  turn: "Queued",
  dueInMs: 60_000,
} as const;
const found = (more: Partial<Found>): Found => ({ id, foundBy: "CampaignKey", isThere: false, ...more });
const text = (...of: Parameters<typeof eventFate>) => recordsText({ records: [eventFate(...of)] });

describe("an event, as it is told to a person", () => {
  it("waits for its turn, or for its kind to go on", () => {
    const one = found({ stored: { id, foundBy: ["Id"], pending: waiting } });
    expect(text(one, ground)).toBe(
      "send → adobe_emailsend: WAITING (found by its key in Campaign)\n" +
        "  Waits since 2026-07-15T10:00:00.000Z, tried 2 times, next try at 2026-07-15T12:01:00.000Z.\n" +
        `  Dataverse id: ${id}; Dataverse has no such row now\n` +
        "  Next: Nothing to do: its activity is made when its turn comes.\n",
    );
    const paused = { ...ground, pause: { reason: "RegardingMissing", message: "no relationship" } };
    expect(text(one, paused)).toContain("Nothing of send is written now, RegardingMissing: no relationship.");
    const contentless = found({ stored: { id, foundBy: ["Id"], pending: { ...waiting, hasContent: false } } });
    expect(text(contentless, ground)).toContain("its line is looked for in the exported files");
  });

  it("was refused, and can be taken up again", () => {
    const dead = { reason: "ContactMissing", message: "no contact; it is line 2 of the file a.txt", refusedAt: readAt };
    expect(text(found({ stored: { id, foundBy: ["Id"], dead } }), ground)).toBe(
      "send → adobe_emailsend: REFUSED (found by its key in Campaign)\n" +
        "  Refused for good at 2026-07-15T10:00:00.000Z, ContactMissing: no contact; it is line 2 of the file a.txt.\n" +
        `  Dataverse id: ${id}; Dataverse has no such row now\n` +
        `  Next: Mend what the message names, then: integration-workflow dead-letters redrive ${id} --mapping send. ` +
        "Its line is read again from the exported file; if that is gone, export the log again\n",
    );
  });

  it("is there, or was never seen, or nobody could be asked", () => {
    expect(text(found({ isThere: true, foundBy: "ContactKey" }), ground)).toBe(
      "send → adobe_emailsend: WRITTEN (found by its contact's key)\n" +
        "  Dataverse has its activity.\n" +
        `  Dataverse id: ${id}; Dataverse has it\n` +
        "  Next: Nothing to do.\n",
    );
    expect(text(undefined, ground)).toMatch(
      /^send → adobe_emailsend: NOT SEEN\n.*\n {2}Next: It may be older than egress\.since/,
    );
    expect(text(undefined, { ...ground, why: "Dataverse did not answer. Ask again." })).toContain(
      "Next: Dataverse did not answer. Ask again.",
    );
  });
});
