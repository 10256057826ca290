import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readerOfTimes } from "../../../../../src/worker/flows/egress/date-format.ts";

function read(text: string, format = "yyyy-MM-dd HH:mm:ss", timeZone = "Europe/Paris"): string | undefined {
  const reader = readerOfTimes(format, timeZone);
  if (typeof reader === "string") throw new Error(reader);
  return reader(text)?.toISOString();
}

describe("times of an exported file", () => {
  it("are the time zone's own, summer and winter", () => {
    expect(read("2026-01-15 10:00:00")).toBe("2026-01-15T09:00:00.000Z");
    expect(read("2026-07-15 10:00:00")).toBe("2026-07-15T08:00:00.000Z");
    expect(read("2026-07-15 10:00:00", undefined, "America/New_York")).toBe("2026-07-15T14:00:00.000Z");
    expect(read("2026-07-15 10:00:00", undefined, "Australia/Lord_Howe")).toBe("2026-07-14T23:30:00.000Z");
    expect(read("2026-07-15 10:00:00", undefined, "UTC")).toBe("2026-07-15T10:00:00.000Z");
  });

  it("that clocks show twice are the first of the two", () => {
    expect(read("2026-10-25 02:30:00")).toBe("2026-10-25T00:30:00.000Z");
    expect(read("2026-10-25 01:59:59")).toBe("2026-10-24T23:59:59.000Z");
    expect(read("2026-10-25 03:00:00")).toBe("2026-10-25T02:00:00.000Z");
    expect(read("2026-11-01 01:30:00", undefined, "America/New_York")).toBe("2026-11-01T05:30:00.000Z");
  });

  it("that clocks skip come out behind the skip", () => {
    expect(read("2026-03-29 02:30:00")).toBe("2026-03-29T01:30:00.000Z");
    expect(read("2026-03-29 03:00:00")).toBe("2026-03-29T01:00:00.000Z");
    expect(read("2026-03-08 02:30:00", undefined, "America/New_York")).toBe("2026-03-08T07:30:00.000Z");
  });

  it("may be written in many ways", () => {
    expect(read("15/07/2026 3:05 PM", "dd/MM/yyyy h:mm a")).toBe("2026-07-15T13:05:00.000Z");
    expect(read("7/5/26 12:05 am", "M/d/yy h:mm a", "UTC")).toBe("2026-07-05T00:05:00.000Z");
    expect(read("20260715T100000.123", "yyyyMMdd'T'HHmmss.SSS", "UTC")).toBe("2026-07-15T10:00:00.123Z");
    expect(read("2026-07-15T10:00:00+05:30", "yyyy-MM-dd'T'HH:mm:ssXXX")).toBe("2026-07-15T04:30:00.000Z");
    expect(read("2026-07-15 10:00:00Z", "yyyy-MM-dd HH:mm:ssXX")).toBe("2026-07-15T10:00:00.000Z");
    expect(read("10 o'clock 2026-07-15", "HH 'o''clock' yyyy-MM-dd", "UTC")).toBe("2026-07-15T10:00:00.000Z");
  });

  it("are none when the calendar has them not, or the format", () => {
    for (const text of [
      "2026-02-30 10:00:00",
      "2026-13-01 10:00:00",
      "2026-01-01 24:00:00",
      "2026-01-01",
      "",
      "2026-00-10 10:00:00",
      "2026-01-00 10:00:00",
    ]) {
      expect(read(text), text).toBeUndefined();
    }
    expect(read("2026-07-15 13:00 PM", "yyyy-MM-dd h:mm a")).toBeUndefined();
  });

  it("cannot be read by a format or zone that is not understood, which is said in words", () => {
    expect(readerOfTimes("yyyy-MM-dd EEEE", "UTC")).toContain('"EEEE"');
    expect(readerOfTimes("HH:mm", "UTC")).toContain("has no y");
    expect(readerOfTimes("yyyy-MM-dd", "Mars/Olympus")).toContain("Mars/Olympus");
  });

  it("come back as they were written, wherever clocks show them once", () => {
    const zone = "Europe/Paris";
    const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800, max: 2_000_000_000 }), (seconds) => {
        const text = shown.format(seconds * 1000);
        const again = new Date(read(text, undefined, zone) ?? "");
        expect(shown.format(again)).toBe(text);
        expect([0, 3600]).toContain(seconds - again.getTime() / 1000);
      }),
      { numRuns: 2000 },
    );
  });
});
