/**
 * What a line of Campaign's opt-out export says. Adobe's pages tell where the export is (`d365_loads/exports`) and how often
 * it comes (once a day), and not what its columns are called. So the names are ours, given as labels in the Extract file
 * activity: `contactId`, each field by its own name, and beside it the time of its last change as `<field>Time`;
 * `profileCreated` if there is one. Pure.
 */
import type { CampaignReading, CampaignValue, OptOut } from "./contact.ts";
import { namesOf, type OptInOutPlan } from "./plan.ts";

export const keyColumn = "contactId";

/** Which export a file is, by its header: a folder may hold others too. */
export type OptOutExportKind =
  | { readonly kind: "OptOuts" /** Without them no opt-in moves both ways. */; readonly withoutTime: readonly string[] }
  | { readonly kind: "Other" }
  | { readonly kind: "ColumnsMissing"; readonly columns: readonly string[] };

/** A file with none of the mapped fields is another export. */
export function optOutExportKind(columns: readonly string[], { pairs }: OptInOutPlan): OptOutExportKind {
  const found = pairs.map(({ field }) => ({ field, column: columnFor(field, (name) => columns.includes(name)) }));
  if (found.every(({ column }) => column === undefined)) return { kind: "Other" };
  const missing = found.flatMap(({ field, column }) => (column === undefined ? [field] : []));
  if (!columns.includes(keyColumn)) missing.unshift(keyColumn);
  if (missing.length > 0) return { kind: "ColumnsMissing", columns: missing };
  const withoutTime = found.flatMap(({ column = "" }) => (columns.includes(timeColumn(column)) ? [] : [column]));
  return { kind: "OptOuts", withoutTime };
}

export type OptOutRow =
  | { readonly is: "Observation"; readonly contactKey: string; readonly reading: CampaignReading }
  | { readonly is: "Nothing"; readonly why: "ProfileWithoutContact" }
  /** `column`: where the value stands that is not understood. The value itself is personal and is not told. */
  | { readonly is: "Refused"; readonly why: "ValueUnknown" | "NoTime"; readonly column: string };

/** @param readTime by `campaign.sftp.format`; undefined: no time in the format */
export function optOutRow(
  row: Readonly<Record<string, string>>,
  { pairs }: OptInOutPlan,
  readTime: (text: string) => Date | undefined,
): OptOutRow {
  const cell = (column: string) => (row[column] ?? "").trim();
  // Dataverse tells ids in small letters.
  const contactKey = cell(keyColumn).toLowerCase();
  if (contactKey === "") return { is: "Nothing", why: "ProfileWithoutContact" };
  const values = new Map<string, CampaignValue>();
  for (const { field } of pairs) {
    const column = columnFor(field, (name) => row[name] !== undefined) ?? field;
    const value = optOutOf(cell(column));
    if (value === "Unknown") return { is: "Refused", why: "ValueUnknown", column };
    const time = cell(timeColumn(column));
    const changedAt = time === "" ? undefined : readTime(time);
    if (time !== "" && changedAt === undefined) return { is: "Refused", why: "NoTime", column: timeColumn(column) };
    values.set(field, { value, changedAt: changedAt?.getTime() });
  }
  const reading = { state: "Read", fresh: false, profileCreated: undefined, values } as const;
  return { is: "Observation", contactKey, reading };
}

function columnFor(field: string, has: (column: string) => boolean): string | undefined {
  return namesOf(field).find(has);
}

function timeColumn(column: string): string {
  return `${column}Time`;
}

/** A Campaign boolean as exports write it, by whatever the activity's format makes of it. Empty: no value. */
function optOutOf(text: string): OptOut | "Unknown" {
  if (text === "") return undefined;
  if (/^(true|1|yes)$/i.test(text)) return true;
  return /^(false|0|no)$/i.test(text) ? false : "Unknown";
}
