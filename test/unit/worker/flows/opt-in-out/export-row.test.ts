import { describe, expect, it } from "vitest";
import { readerOfTimes } from "../../../../../src/worker/flows/egress/date-format.ts";
import { keyColumn, optOutExportKind, optOutRow } from "../../../../../src/worker/flows/opt-in-out/export-row.ts";
import { planOf } from "./plans.ts";

const times = readerOfTimes("yyyy-MM-dd HH:mm:ss", "Europe/Paris");
const readTime = typeof times === "string" ? () => undefined : times;
const plan = planOf();
const row = {
  contactId: "60C4E274-0D87-E711-80E5-00155DB19E6D",
  denyListEmail: "1",
  denyListEmailTime: "2026-11-21 23:30:00",
  denyListPhone: "0",
  denyListPhoneTime: "",
};

describe("a file", () => {
  it("is the opt-out export when it has the key and every mapped field, under either name", () => {
    expect(optOutExportKind(Object.keys(row), plan)).toEqual({ kind: "OptOuts", withoutTime: [] });
    const older = [keyColumn, "blackListEmail", "blackListPhone", "blackListPhoneTime", "lastName"];
    expect(optOutExportKind(older, plan)).toEqual({ kind: "OptOuts", withoutTime: ["blackListEmail"] });
  });

  it("lacks columns when a field or the key is not there, and is another one with no field at all", () => {
    expect(optOutExportKind(["denyListEmail"], plan)).toEqual({
      kind: "ColumnsMissing",
      columns: ["contactId", "denyListPhone"],
    });
    expect(optOutExportKind(["deliveryLogId", "contactId"], plan)).toEqual({ kind: "Other" });
  });
});

describe("a line", () => {
  const outcome = (more: Record<string, string>) => optOutRow({ ...row, ...more }, plan, readTime);

  it("says what a profile's values were, and when each came to be, in the export's time zone", () => {
    expect(outcome({})).toEqual({
      is: "Observation",
      contactKey: "60c4e274-0d87-e711-80e5-00155db19e6d",
      reading: {
        state: "Read",
        fresh: false,
        profileCreated: undefined,
        values: new Map([
          ["denyListEmail", { value: true, changedAt: Date.parse("2026-11-21T22:30:00Z") }],
          ["denyListPhone", { value: false, changedAt: undefined }],
        ]),
      },
    });
  });

  it.each([
    ["true", true],
    ["Yes", true],
    ["FALSE", false],
    ["no", false],
    ["", undefined],
  ])("with %j says %s", (text, value) => {
    const said = outcome({ denyListEmail: text });
    expect(said.is === "Observation" ? said.reading.values.get("denyListEmail")?.value : said).toBe(value);
  });

  it("of an instance with the older names says the same", () => {
    const { denyListEmail, denyListEmailTime, ...rest } = row;
    const older = { ...rest, blackListEmail: denyListEmail, blackListEmailTime: denyListEmailTime };
    expect(optOutRow(older, plan, readTime)).toEqual(outcome({}));
  });

  it("of a profile without a contact is nothing", () => {
    expect(outcome({ contactId: " " })).toEqual({ is: "Nothing", why: "ProfileWithoutContact" });
  });

  it("is refused whole when a value or a time is not understood, by its column", () => {
    expect(outcome({ denyListPhone: "2" })).toEqual({ is: "Refused", why: "ValueUnknown", column: "denyListPhone" });
    const why = { is: "Refused", why: "NoTime", column: "denyListEmailTime" };
    expect(outcome({ denyListEmailTime: "21.11.2026" })).toEqual(why);
    expect(outcome({ denyListEmailTime: "2026-02-30 10:00:00" })).toEqual(why);
  });
});
