import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../../../src/api/integration-workflow.ts";
import { egress } from "../../../../../src/api/schema/egress.ts";
import { type ActivityTarget, activityOf } from "../../../../../src/worker/flows/egress/activity.ts";
import { readerOfTimes } from "../../../../../src/worker/flows/egress/date-format.ts";
import {
  type EventKind,
  type EventRules,
  eventId,
  eventOf,
  exportKind,
} from "../../../../../src/worker/flows/egress/events.ts";
import {
  beginReading,
  digestOf,
  positionOf,
  type Reading,
  type Row,
  readOn,
  resumeReading,
} from "../../../../../src/worker/flows/egress/reading.ts";
import { uuidV5 } from "../../../../../src/worker/flows/egress/uuid.ts";

const readTime = readerOfTimes("yyyy-MM-dd HH:mm:ss", "Europe/Paris");
if (typeof readTime === "string") throw new Error(readTime);
const everything: EventRules = {
  kinds: new Set<EventKind>(["send", "open", "click", "bounce"]),
  since: new Date("2026-01-01T00:00:00Z"),
  readTime,
};
const contact = "0F4B5C6D-1111-4222-8333-444455556666";
const delivery = {
  deliveryLogId: "4711",
  contactId: contact,
  eventDate: "2026-07-15 10:00:00",
  status: "Sent",
  failureType: "",
  campaignId: "CMP12",
  campaignName: "2026LoyaltyCamp",
  deliveryId: "DM190",
  deliveryName: "Spring",
  mirrorPageUrl: "https://t.example/m?p=1",
};
const { deliveryLogId: _, status: __, failureType: ___, ...shared } = delivery;
const tracking = { ...shared, trackingLogId: "99", urlType: "Email click", trackingUrl: "https://shop.example/a,b" };
const instanceUrl = "https://mc.adobe.io/contoso/campaign";

describe("a line of an export", () => {
  it("of a delivery log is a send or a hard bounce", () => {
    expect(eventOf(delivery, "DeliveryLogs", everything)).toEqual({
      is: "Event",
      event: {
        kind: "send",
        logId: "4711",
        contactKey: contact,
        campaignId: "CMP12",
        campaignName: "2026LoyaltyCamp",
        deliveryId: "DM190",
        deliveryName: "Spring",
        occurredAt: new Date("2026-07-15T08:00:00Z"),
        mirrorPageUrl: "https://t.example/m?p=1",
        trackingUrl: undefined,
      },
    });
    const of = (status: string, failureType = "") =>
      eventOf({ ...delivery, status, failureType }, "DeliveryLogs", everything);
    expect(of("failed", "Hard")).toMatchObject({ is: "Event", event: { kind: "bounce" } });
    expect(of("Failed", "Soft")).toEqual({ is: "Nothing", why: "NoSuchEvent" });
    expect(of("Pending")).toEqual({ is: "Nothing", why: "NoSuchEvent" });
    expect(of("Failed")).toEqual({ is: "Refused", why: "ValueMissing", column: "failureType" });
    expect(of("Envoyé")).toEqual({ is: "Refused", why: "ValueUnknown", column: "status" });
    expect(of("constructor")).toEqual({ is: "Refused", why: "ValueUnknown", column: "status" });
  });

  it("of a tracking log is an open or a click; the links to the mirror page and to opt out are neither", () => {
    const of = (urlType: string, more = {}) => eventOf({ ...tracking, urlType, ...more }, "TrackingLogs", everything);
    expect(of("Email click")).toMatchObject({
      is: "Event",
      event: { kind: "click", logId: "99", trackingUrl: "https://shop.example/a,b" },
    });
    expect(of("Open")).toMatchObject({ is: "Event", event: { kind: "open", trackingUrl: undefined } });
    expect(of("Mirror page")).toEqual({ is: "Nothing", why: "NoSuchEvent" });
    expect(of("Opt-out")).toEqual({ is: "Nothing", why: "NoSuchEvent" });
    expect(of("Email click", { trackingUrl: " " })).toEqual({
      is: "Refused",
      why: "ValueMissing",
      column: "trackingUrl",
    });
    expect(of("Klick")).toEqual({ is: "Refused", why: "ValueUnknown", column: "urlType" });
  });

  it("is no event when its kind is switched off, when it is older than wanted, and when its profile is no contact", () => {
    expect(eventOf(delivery, "DeliveryLogs", { ...everything, kinds: new Set() })).toEqual({
      is: "Nothing",
      why: "SwitchedOff",
    });
    const since = (text: string) => eventOf(delivery, "DeliveryLogs", { ...everything, since: new Date(text) }).is;
    expect(since("2026-07-15T08:00:00Z")).toBe("Event");
    expect(since("2026-07-15T08:00:00.001Z")).toBe("Nothing");
    expect(eventOf({ ...delivery, contactId: "" }, "DeliveryLogs", everything)).toEqual({
      is: "Nothing",
      why: "ProfileWithoutContact",
    });
  });

  it("is refused with the column and never the value when it cannot be understood", () => {
    expect(eventOf({ ...delivery, eventDate: "yesterday" }, "DeliveryLogs", everything)).toEqual({
      is: "Refused",
      why: "NoTime",
      column: "eventDate",
    });
    expect(eventOf({ ...delivery, deliveryLogId: "" }, "DeliveryLogs", everything)).toEqual({
      is: "Refused",
      why: "ValueMissing",
      column: "deliveryLogId",
    });
    expect(eventOf("QuoteBroken", "DeliveryLogs", everything)).toEqual({ is: "Refused", why: "QuoteBroken" });
  });

  it("is known by the header of its file, in any order of columns", () => {
    expect(exportKind(Object.keys(delivery).toReversed())).toEqual({ kind: "DeliveryLogs" });
    expect(exportKind([...Object.keys(tracking), "more"])).toEqual({ kind: "TrackingLogs" });
    expect(exportKind(["email", "denyList"])).toEqual({ kind: "Other" });
    expect(exportKind(["trackingLogId", "contactId", "eventDate", "deliveryId"])).toEqual({
      kind: "Incomplete",
      why: "it lacks the columns urlType, trackingUrl",
    });
    expect(exportKind([...Object.keys(delivery), "status", "more", "more"])).toEqual({
      kind: "Incomplete",
      why: "it has more than one column status",
    });
  });

  it("of another delimiter or encoding than the configured one is told so, and not taken for another kind of file", () => {
    const line = Object.keys(delivery).join(";");
    const why = (columns: readonly string[]) => {
      const found = exportKind(columns);
      return found.kind === "Incomplete" ? found.why : found.kind;
    };
    expect(why([line])).toContain("campaign.sftp.format.delimiter seems to be another");
    expect(why([Buffer.from(line, "utf16le").toString("latin1")])).toContain(
      "campaign.sftp.format.encoding seems to be another",
    );
    expect(why([Buffer.from(`${line} `).toString("utf16le")])).toContain(
      "campaign.sftp.format.encoding seems to be another",
    );
  });
});

describe("an event's id", () => {
  it("is a UUID of version 5, as published", () => {
    // RFC 9562 appendix A.4; and the examples of Python's documentation of uuid5.
    const dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    expect(uuidV5(dns, "www.example.com")).toBe("2ed6657d-e927-568b-95e1-2665a8aea6a2");
    expect(uuidV5(dns, "python.org")).toBe("886313e1-3b8a-5372-9b90-0c9aee199e5d");
  });

  it("never changes, for activities that were written by an earlier version", () => {
    expect(eventId(instanceUrl, "send", "4711")).toMatchInlineSnapshot(`"1e909954-1276-587b-a6b1-d1e6b6009ae4"`);
    expect(eventId("https://MC.adobe.io/contoso/campaign/", "send", "4711")).toBe(eventId(instanceUrl, "send", "4711"));
  });

  it("differs by instance, kind and log", () => {
    const ids = ["https://mc.adobe.io/a/campaign", "https://mc.adobe.io/b/campaign"].flatMap((url) =>
      (["send", "bounce"] as const).flatMap((kind) => ["1", "11"].map((log) => eventId(url, kind, log))),
    );
    expect(new Set(ids).size).toBe(8);
  });
});

describe("the activity of an event", () => {
  // A schema's defaults are what its type says.
  const { activities } = withDefaults(egress as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
  const target: ActivityTarget = {
    instanceUrl,
    names: activities,
    ownerId: "aaaaaaaa-0000-0000-0000-000000000001",
    contactId: contact.toLowerCase(),
    regardingProperty: "regardingobjectid_contact_adobe_emailurlclick",
  };
  const click = eventOf(tracking, "TrackingLogs", everything);
  if (click.is !== "Event") throw new Error("no event");

  it("carries what Adobe's own app writes, under the names that are configured", () => {
    expect(activityOf(click.event, target)).toEqual({
      id: eventId(instanceUrl, "click", "99"),
      table: "adobe_emailurlclick",
      row: {
        subject: "CMP12 DM190",
        "regardingobjectid_contact_adobe_emailurlclick@odata.bind": `/contacts(${contact.toLowerCase()})`,
        "ownerid@odata.bind": "/systemusers(aaaaaaaa-0000-0000-0000-000000000001)",
        actualstart: "2026-07-15T08:00:00.000Z",
        actualend: "2026-07-15T08:00:00.000Z",
        adobe_occurredat: "2026-07-15T08:00:00.000Z",
        adobe_campaignname: "2026LoyaltyCamp",
        adobe_deliveryname: "Spring",
        adobe_mirrorpageurl: "https://t.example/m?p=1",
        adobe_trackingurl: "https://shop.example/a,b",
      },
    });
  });
});

describe("the events of exports", () => {
  const header = "deliveryLogId,contactId,eventDate,status,failureType,deliveryId";
  const line = fc
    .record({
      id: fc.integer({ min: 1, max: 30 }),
      status: fc.constantFrom("Sent", "Failed", "Pending", "?"),
      type: fc.constantFrom("Hard", "Soft", ""),
      delivery: fc.constantFrom("DM1", '"DM,2"', '"DM\n3"', '"broken'),
    })
    .map(({ id, status, type, delivery: name }) => `${id},${contact},2026-07-15 10:00:00,${status},${type},${name}`);
  const exported = fc.array(line, { maxLength: 12 }).map((lines) => Buffer.from([header, ...lines, ""].join("\r\n")));
  const format = { delimiter: ",", encoding: "utf-8" } as const;

  const idsOf = (rows: readonly Row[]): string[] =>
    rows.flatMap(({ content }) => {
      const outcome = eventOf(content, "DeliveryLogs", everything);
      return outcome.is === "Event" ? [eventId(instanceUrl, outcome.event.kind, outcome.event.logId)] : [];
    });
  const whole = (bytes: Buffer) => readOn(beginReading(), bytes, true, format);

  it("are the same, each line once, however a file is split and wherever the worker dies", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(exported, sizes, fc.array(fc.boolean(), { maxLength: 40 }), (bytes, chunks, deaths) => {
        let reading: Reading = beginReading();
        const rows: Row[] = [];
        for (let step = 0, at = 0; ; step += 1) {
          const end = Math.min(at + chunks[step % chunks.length]!, bytes.length);
          const next = readOn(reading, bytes.subarray(at, end), end === bytes.length, format);
          ({ reading } = next);
          rows.push(...next.rows);
          at = end;
          if (end === bytes.length) break;
          if (deaths[step] !== true) continue;
          const position = positionOf(reading);
          const again = readOn(beginReading(), bytes.subarray(0, position.offsetBytes), true, format).reading.hash;
          expect(digestOf(again)).toBe(position.digest);
          reading = resumeReading(position, again);
          at = position.offsetBytes;
        }
        expect(rows).toEqual(whole(bytes).rows);
        expect(positionOf(reading)).toEqual(positionOf(whole(bytes).reading));
      }),
      { numRuns: 1000 },
    );
  });

  it("are the same activities in whatever order the files come, and however often", () => {
    const files = fc.array(exported, { maxLength: 5 });
    fc.assert(
      fc.property(files, fc.infiniteStream(fc.nat()), (inOrder, random) => {
        const again = [...inOrder, ...inOrder].toSorted(() => (random.next().value % 3) - 1);
        const ids = (all: readonly Buffer[]) => new Set(all.flatMap((bytes) => idsOf(whole(bytes).rows)));
        expect(ids(again)).toEqual(ids(inOrder));
      }),
    );
  });
});
