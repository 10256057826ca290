import { describe, expect, it } from "vitest";
import type { FieldVerdict } from "../../../../../src/worker/flows/opt-in-out/decide.ts";
import { columnsOf, type OptInOut, planOptInOut } from "../../../../../src/worker/flows/opt-in-out/plan.ts";
import { campaignReading, cellsFor, dynamicsReading } from "../../../../../src/worker/flows/opt-in-out/readings.ts";
import { bothWays, contactTable, newerNames, olderNames, planOf, profileWith } from "./plans.ts";

function misfits(
  configuration: Partial<OptInOut>,
  table = contactTable(),
  profile = newerNames,
  keyField = "externalId",
) {
  const plan = planOptInOut({ ...bothWays, keyField, ...configuration }, table, profile);
  return "pairs" in plan ? [] : plan.map(({ reason, message }) => `${reason}: ${message}`);
}

it("reads the mapped columns, modifiedon, and createdon where it may be seen", () => {
  expect(columnsOf(bothWays)).toEqual(["createdon", "donotbulkemail", "donotphone", "modifiedon"]);
  expect(planOf().columns).toEqual(["donotbulkemail", "donotphone", "modifiedon"]);
});

it("finds a profile by the contact's id in the field that the configuration names", () => {
  expect(planOf().keyField).toBe("externalId");
});

describe("the fields' names", () => {
  const verdicts: readonly FieldVerdict[] = [
    { field: "denyListEmail", rule: "OptedOutInDynamics", write: { system: "Campaign", value: true }, agreed: true },
    { field: "denyListPhone", rule: "CampaignLater", write: { system: "Dynamics", value: false }, agreed: false },
  ];

  it.each([
    ["denyList...", newerNames, "denyListEmail"],
    ["blackList...", olderNames, "blackListEmail"],
  ])("are the instance's own: %s", (_, profile, email) => {
    const plan = planOf(profile);
    expect(plan.pairs.map(({ campaignField }) => campaignField)[0]).toBe(email);
    const record = { href: "", fields: { [email]: true, created: "2026-01-01 10:00:00.000Z" } };
    const reading = campaignReading(plan, record, true);
    expect(reading.values.get("denyListEmail")).toEqual({ value: true, changedAt: undefined });
    expect(reading.profileCreated).toBe("2026-01-01 10:00:00.000Z");
    expect(cellsFor("Campaign", plan, verdicts)).toEqual({ [email]: true });
    expect(cellsFor("Dynamics", plan, verdicts)).toEqual({ donotphone: false });
  });

  it("are the configuration's where an instance has both", () => {
    const both = profileWith({ denyListEmail: "boolean", blackListEmail: "boolean", blackListPhone: "boolean" });
    expect(planOf(both).pairs.map(({ campaignField }) => campaignField)).toEqual(["denyListEmail", "blackListPhone"]);
  });

  it("leave ccpaOptOut alone, which has one", () => {
    const ccpa = { mappings: [{ column: "donotphone", field: "ccpaOptOut" as const }] };
    expect(misfits(ccpa, contactTable(), olderNames)).toEqual([]);
    expect(misfits(ccpa, contactTable(), profileWith({}))).toEqual([
      "FieldMissing: the Campaign resource profile has no field ccpaOptOut",
    ]);
  });
});

describe("what does not fit", () => {
  it("is a column or a field that is not there, or is no yes/no", () => {
    expect(misfits({}, contactTable({}, ["donotphone"]), profileWith({ denyListEmail: "boolean" }))).toEqual([
      "ColumnMissing: the table contact has no column donotphone that this user may see",
      "FieldMissing: the Campaign resource profile has no field denyListPhone, nor blackListPhone",
    ]);
    const gender = { mappings: [{ column: "gendercode", field: "denyListEmail" as const }] };
    expect(misfits(gender, contactTable(), profileWith({ blackListEmail: "string" }))).toEqual([
      "ColumnNotYesNo: the column gendercode of contact is of type Picklist: map a yes/no column",
      "FieldNotYesNo: the field blackListEmail of profile is of type string: an opt-out is a boolean",
    ]);
  });

  it("is a table without change tracking, where Dynamics is asked for changes", () => {
    const table = contactTable({ changeTracking: false });
    const message =
      'ChangeTrackingOff: the table contact does not track changes: switch on "Track changes" in Dynamics 365';
    expect(misfits({}, table)).toEqual([message]);
    expect(misfits({ direction: "DynamicsToCampaign" }, table)).toEqual([message]);
    expect(misfits({ direction: "CampaignToDynamics" }, table)).toEqual([]);
  });

  it("is a contact without modifiedon, where times decide", () => {
    const table = contactTable({}, ["modifiedon"]);
    expect(misfits({}, table)).toEqual([
      "ColumnMissing: the table contact has no column modifiedon that this user may see",
    ]);
    expect(misfits({ direction: "CampaignToDynamics" }, table)).toEqual([]);
  });

  it("is a profile without the key, or without the time by which it is asked for changes", () => {
    expect(misfits({}, contactTable(), newerNames, "crmId")).toEqual([
      "FieldMissing: the Campaign resource profile has no field crmId",
    ]);
    const fields = new Map([...newerNames.fields].filter(([name]) => name !== "lastModified"));
    const profile = { ...newerNames, fields };
    expect(misfits({ source: "Poll" }, contactTable(), profile)).toEqual([
      "FieldMissing: the Campaign resource profile has no field lastModified",
    ]);
    expect(misfits({ source: "Poll", direction: "DynamicsToCampaign" }, contactTable(), profile)).toEqual([]);
  });
});

it("has another hash when direction, key or pairs are others, and the same in another order", () => {
  const hash = (configuration: Partial<OptInOut>) => {
    const plan = planOptInOut(
      { ...bothWays, ...configuration },
      contactTable(),
      profileWith({
        denyListEmail: "boolean",
        denyListPhone: "boolean",
        crmId: "string",
      }),
    );
    return "pairs" in plan ? plan.hash : undefined;
  };
  const same = hash({});
  expect(hash({ mappings: bothWays.mappings.toReversed() })).toBe(same);
  expect(hash({ source: "Poll" })).toBe(same);
  const others = [
    hash({ direction: "CampaignToDynamics" }),
    hash({ keyField: "crmId" }),
    hash({ mappings: bothWays.mappings.slice(1) }),
  ];
  expect(new Set([same, ...others]).size).toBe(4);
});

describe("a contact's row", () => {
  const read = (row: Record<string, unknown>) => dynamicsReading(planOf(), { id: "1", version: 5n, row }, true);

  it("gives values, version and the time of the record", () => {
    const row = { donotbulkemail: true, donotphone: false, modifiedon: "2026-11-22T10:00:00Z" };
    expect(read(row)).toEqual({
      state: "Read",
      fresh: true,
      version: 5n,
      modifiedAt: Date.parse("2026-11-22T10:00:00Z"),
      values: new Map([
        ["denyListEmail", true],
        ["denyListPhone", false],
      ]),
    });
  });

  it("has no value where it is empty, and no time where that is none", () => {
    const { values, modifiedAt } = read({ donotbulkemail: null, modifiedon: "soon" });
    expect([...values.values()]).toEqual([undefined, undefined]);
    expect(modifiedAt).toBeUndefined();
  });
});
