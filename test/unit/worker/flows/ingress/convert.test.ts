import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CampaignFieldType } from "../../../../../src/worker/campaign/interface.ts";
import type { ColumnMetadata, ColumnType } from "../../../../../src/worker/dataverse/interface.ts";
import { convert, type FieldValue, readValue } from "../../../../../src/worker/flows/ingress/convert.ts";

const columnTypes: readonly ColumnType[] = [
  "Boolean",
  "Integer",
  "BigInt",
  "Decimal",
  "Double",
  "Money",
  "String",
  "Memo",
  "DateTime",
  "Picklist",
  "State",
  "Status",
  "MultiSelectPicklist",
  "Lookup",
  "Uniqueidentifier",
  "Other",
];
const fieldTypes: readonly CampaignFieldType[] = [
  "string",
  "integer",
  "number",
  "boolean",
  "date",
  "datetime",
  "link",
  "other",
];
type Behavior = NonNullable<ColumnMetadata["dateTimeBehavior"]>;
const behaviors: readonly Behavior[] = ["UserLocal", "DateOnly", "TimeZoneIndependent"];

function column(type: ColumnType, dateTimeBehavior?: Behavior): ColumnMetadata {
  return { name: "c", property: "c", type, ...(dateTimeBehavior === undefined ? {} : { dateTimeBehavior }) };
}

/** From a row's JSON to a body's JSON; undefined: the record is refused. */
function converted(raw: unknown, from: ColumnMetadata, to: CampaignFieldType, label?: string): FieldValue | undefined {
  const source = readValue(raw, from, { label, byLabel: label !== undefined });
  return source === undefined ? undefined : convert(source, to);
}

/** Any text: with NUL, halves of surrogate pairs, white space, and what looks like another type. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\u0000", "\ud83d", "\ude00", "\ufeff", " ", "\t", "\n", "a", "İ") }),
  fc.constantFrom("NaN", "Infinity", "-Infinity", "1e400", "1e-400", "0x10", "1_000", "1,5", "--1", "+", ".", "e5"),
  fc.constantFrom("true", " FALSE ", "yes", "null", "2026-02-30", "2026-11-21T24:00:00Z", "0000-00-00", "-0"),
);
const anyRaw = fc.oneof(
  anyText,
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constantFrom(null, undefined, "", -0, 2 ** 53, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY),
  fc.array(fc.integer(), { maxLength: 2 }),
  fc.record({ a: fc.string() }),
);

/** A number's digits, and the same number as people write it: without an exponent, and without zeros that say nothing. */
const decimal = fc
  .record({ negative: fc.boolean(), digits: fc.bigInt({ min: 0n, max: 10n ** 22n }), scale: fc.nat({ max: 10 }) })
  .map(({ negative, digits, scale }) => {
    const unit = 10n ** BigInt(scale);
    const fraction = (digits % unit).toString().padStart(scale, "0").replace(/0+$/, "");
    const plain = `${digits / unit}${scale > 0 && fraction !== "" ? `.${fraction}` : ""}`;
    return { text: negative && digits !== 0n ? `-${plain}` : plain, significant: digits.toString().length };
  });

const isDay = (year: number, month: number, day: number): boolean => {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day >= 1 && day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
};
const two = (number: number): string => String(number).padStart(2, "0");
/** Seconds since 1970 from 1753 to 9998: what Dataverse holds, with a day of room for offsets. */
const second = fc.oneof(
  fc.integer({ min: -6_847_804_800, max: 253_370_000_000 }),
  // Where clocks change: Berlin, New York, Lord Howe, Apia (a day that was not), and the epoch.
  fc
    .constantFrom("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z")
    .chain((edge) => fc.integer({ min: -7200, max: 7200 }).map((more) => Date.parse(edge) / 1000 + more)),
  fc.constantFrom(-1, 0, 1, Date.parse("2011-12-30T10:00:00Z") / 1000),
);
const isoOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19);

describe.each(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])(
  "on a machine in %s",
  (zone) => {
    const before = process.env["TZ"];
    beforeAll(() => {
      process.env["TZ"] = zone;
      expect(Intl.DateTimeFormat().resolvedOptions().timeZone).toBe(zone);
    });
    afterAll(() => {
      if (before === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before;
    });

    it("an instant arrives as the same instant, whatever offset it is written with", () => {
      fc.assert(
        fc.property(
          second,
          fc.integer({ min: -14 * 60, max: 14 * 60 }),
          fc.constantFrom("", ".5", ".123456789"),
          fc.constantFrom("T", " "),
          (seconds, offset, fraction, t) => {
            const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
            const sign = offset < 0 ? "-" : "+";
            const local = isoOf(seconds + offset * 60).replace("T", t);
            const utc = `${isoOf(seconds)}${fraction}Z`;
            for (const written of [
              `${local}${fraction}${sign}${two(hours)}:${two(minutes)}`,
              `${local}${fraction} ${sign}${two(hours)}${two(minutes)}`,
              utc,
              utc.toLowerCase().replace("t", "T"),
              utc.slice(0, -1),
            ]) {
              expect(converted(written, column("DateTime", "UserLocal"), "datetime")).toBe(utc);
              expect(converted(written, column("String"), "datetime")).toBe(utc);
              expect(converted(written, column("DateTime", "UserLocal"), "date")).toBe(utc.slice(0, 10));
            }
          },
        ),
      );
    });

    it("a time without a zone means its digits", () => {
      fc.assert(
        fc.property(second, fc.constantFrom("", "Z", "+05:30", "-08:00"), (seconds, offset) => {
          const digits = isoOf(seconds);
          const written = `${digits}${offset}`;
          expect(converted(written, column("DateTime", "TimeZoneIndependent"), "datetime")).toBe(`${digits}Z`);
          expect(converted(written, column("DateTime", "TimeZoneIndependent"), "date")).toBe(digits.slice(0, 10));
          expect(converted(written, column("DateTime", "DateOnly"), "date")).toBe(digits.slice(0, 10));
          expect(converted(written, column("DateTime", "DateOnly"), "string")).toBe(digits.slice(0, 10));
          expect(converted(written, column("DateTime", "DateOnly"), "datetime")).toBe(
            `${digits.slice(0, 10)}T00:00:00Z`,
          );
        }),
      );
    });

    it("what is written is read again as itself", () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...behaviors),
          second,
          fc.constantFrom("date", "datetime"),
          (behavior, at, type) => {
            const once = converted(`${isoOf(at)}Z`, column("DateTime", behavior), type);
            expect(converted(once, column("String"), type)).toBe(once);
          },
        ),
      );
    });
  },
);

it("a day that the calendar does not have, and an hour that no clock shows, are refused", () => {
  fc.assert(
    fc.property(
      fc.record({ y: fc.integer({ min: 1, max: 9999 }), m: fc.nat({ max: 13 }), d: fc.nat({ max: 32 }) }),
      fc.record({ h: fc.nat({ max: 25 }), min: fc.nat({ max: 61 }), s: fc.nat({ max: 61 }) }),
      fc.constantFrom("Z", "", "+02:00"),
      fc.constantFrom(...behaviors),
      ({ y, m, d }, { h, min, s }, zone, behavior) => {
        const date = `${String(y).padStart(4, "0")}-${two(m)}-${two(d)}`;
        const isTime = h < 24 && min < 60 && s < 60;
        expect(converted(date, column("DateTime", behavior), "date")).toBe(isDay(y, m, d) ? date : undefined);
        const whole = converted(
          `${date}T${two(h)}:${two(min)}:${two(s)}${zone}`,
          column("DateTime", behavior),
          "datetime",
        );
        fc.pre(y > 1 && y < 9999);
        expect(whole !== undefined).toBe(isDay(y, m, d) && isTime);
      },
    ),
    { numRuns: 1000 },
  );
});

it("a time that an offset moves out of the calendar is refused", () => {
  expect(converted("9999-12-31T23:30:00-01:00", column("String"), "datetime")).toBeUndefined();
  expect(converted("0000-01-01T00:30:00+01:00", column("String"), "datetime")).toBeUndefined();
});

it("nothing throws, and what comes out fits the field", () => {
  const fits = (value: FieldValue, type: CampaignFieldType): boolean => {
    if (value === null) return type !== "string";
    switch (type) {
      case "boolean":
        return typeof value === "boolean";
      case "integer":
        return Number.isSafeInteger(value);
      case "number":
        return Number.isFinite(value);
      case "date":
        return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value);
      case "datetime":
        return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(value);
      default:
        return typeof value === "string";
    }
  };
  fc.assert(
    fc.property(
      anyRaw,
      fc.constantFrom(...columnTypes),
      fc.option(fc.constantFrom(...behaviors), { nil: undefined }),
      fc.constantFrom(...fieldTypes),
      fc.option(anyText, { nil: undefined }),
      (raw, from, behavior, to, label) => {
        const value = converted(raw, column(from, behavior), to, label);
        expect(value === undefined || fits(value, to)).toBe(true);
        // As JSON, which is how it is queued and sent.
        if (value !== undefined) expect(JSON.parse(JSON.stringify(value))).toEqual(Object.is(value, -0) ? 0 : value);
      },
    ),
    { numRuns: 5000 },
  );
});

it("what is empty arrives empty, whatever the types, and a text arrives whole", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(null, undefined, ""),
      fc.constantFrom(...columnTypes),
      fc.constantFrom(...fieldTypes),
      fc.constantFrom<ColumnType>("String", "Memo", "Uniqueidentifier", "Other", "Lookup"),
      anyText,
      (empty, from, to, textual, text) => {
        expect(converted(empty, column(from), to)).toBe(to === "string" ? "" : null);
        expect(converted(text, column(textual), "string")).toBe(text);
      },
    ),
  );
});

describe("a number", () => {
  const numeric = fc.constantFrom<ColumnType>("Integer", "BigInt", "Decimal", "Double", "Money");

  it("arrives as the text that people would write, all its digits and no others", () => {
    fc.assert(
      fc.property(decimal, numeric, ({ text, significant }, type) => {
        expect(converted(text, column(type), "string")).toBe(text);
        expect(converted(`${text}${text.includes(".") ? "000" : ".000"}`, column(type), "string")).toBe(text);
        if (significant <= 15) expect(converted(Number(text), column(type), "string")).toBe(text);
      }),
    );
  });

  it("arrives as the nearest number that Campaign holds", () => {
    fc.assert(
      fc.property(decimal, numeric, ({ text }, type) => {
        expect(converted(text, column(type), "number")).toBe(Number(text));
        expect(converted(Number(text), column(type), "number")).toBe(Number(text));
      }),
    );
  });

  it("arrives as an integer when it is one that is held exactly, and is refused otherwise", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }), fc.bigInt({ min: -9n, max: 9n })),
        (whole) => {
          const safe = whole <= BigInt(Number.MAX_SAFE_INTEGER) && whole >= BigInt(Number.MIN_SAFE_INTEGER);
          const expected = safe ? Number(whole) : undefined;
          for (const type of ["BigInt", "String"] as const) {
            expect(converted(`${whole}`, column(type), "integer")).toBe(expected);
            expect(converted(`${whole}.0`, column(type), "integer")).toBe(expected);
            expect(converted(`${whole}.0000000000000000001`, column(type), "integer")).toBeUndefined();
            expect(converted(`${whole}`, column(type), "string")).toBe(`${whole}`);
          }
        },
      ),
    );
  });

  it("comes back from a text as itself", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = converted(number, column("Double"), "string");
        expect(text).not.toMatch(/e/i);
        expect(converted(text, column("String"), "number")).toBe(number === 0 ? 0 : number);
      }),
    );
  });
});

it("booleans and whole numbers come back as themselves through every type that can hold them", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.maxSafeInteger(), (flag, whole) => {
      for (const to of ["string", "integer", "number", "boolean"] as const) {
        const carried = converted(flag, column("Boolean"), to);
        const type = typeof carried === "number" ? "Integer" : typeof carried === "boolean" ? "Boolean" : "String";
        expect(converted(carried, column(type), "boolean")).toBe(flag);
      }
      for (const to of ["string", "integer", "number"] as const) {
        const carried = converted(whole, column("Integer"), to);
        expect(converted(carried, column(typeof carried === "string" ? "String" : "Integer"), "integer")).toBe(whole);
      }
    }),
  );
});

it("white space around a number, a truth or a time does not matter, and white space alone is none", () => {
  for (const [text, type, expected] of [
    [" 42\t", "integer", 42],
    [" true ", "boolean", true],
    ["\n2026-11-21 ", "date", "2026-11-21"],
  ] as const) {
    expect(converted(text, column("String"), type)).toBe(expected);
    expect(converted("  ", column("String"), type)).toBeUndefined();
  }
});
