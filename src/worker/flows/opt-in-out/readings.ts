/** Between the systems' records and a contact's readings. Pure. */
import type { CampaignRecord } from "../../campaign/interface.ts";
import type { TrackedRecord } from "../../dataverse/interface.ts";
import type { CampaignReading, DynamicsReading, OptOut, System } from "./contact.ts";
import type { FieldVerdict } from "./decide.ts";
import type { OptInOutPlan } from "./plan.ts";

/** @param fresh whether the record was read for a decision, not taken from the feed */
export function dynamicsReading({ pairs }: OptInOutPlan, record: TrackedRecord, fresh: boolean): DynamicsReading {
  const { version, row } = record;
  const values = pairs.map(({ field, column }) => [field, optOut(row[column.property])] as const);
  const created = row["createdon"];
  const reading = {
    state: "Read",
    fresh,
    version,
    modifiedAt: instant(row["modifiedon"]),
    values: new Map(values),
  } as const;
  return typeof created === "string" ? { ...reading, contactCreated: created } : reading;
}

/** REST tells no time of an attribute. */
export function campaignReading({ pairs }: OptInOutPlan, { fields }: CampaignRecord, fresh: boolean): CampaignReading {
  const created = fields["created"];
  const values = pairs.map(
    ({ field, campaignField }) => [field, { value: optOut(fields[campaignField]), changedAt: undefined }] as const,
  );
  const profileCreated = typeof created === "string" && created !== "" ? created : undefined;
  return { state: "Read", fresh, profileCreated, values: new Map(values) };
}

/** What is written to a system, by the names that it has. Empty: nothing. */
export function cellsFor(
  system: System,
  { pairs }: OptInOutPlan,
  verdicts: readonly FieldVerdict[],
): Readonly<Record<string, boolean>> {
  const written = verdicts.flatMap(({ field, write }) => {
    const pair = write?.system === system ? pairs.find((candidate) => candidate.field === field) : undefined;
    if (pair === undefined || write === undefined) return [];
    return [[system === "Dynamics" ? pair.column.name : pair.campaignField, write.value] as const];
  });
  return Object.fromEntries(written);
}

/** Anything but true and false is no value: neither an opt-out nor an opt-in. */
function optOut(value: unknown): OptOut {
  return typeof value === "boolean" ? value : undefined;
}

function instant(value: unknown): number | undefined {
  const milliseconds = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
