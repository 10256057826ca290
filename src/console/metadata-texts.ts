/** What the form says of tables, columns, resources and fields. Every sentence of it is here. */
import type { ColumnTold, FieldTold } from "../api/worker-metadata.ts";

const columnTypes: Readonly<Record<string, string>> = {
  Boolean: "Yes/No",
  Integer: "Whole number",
  BigInt: "Big whole number",
  Decimal: "Decimal number",
  Double: "Floating point number",
  Money: "Currency",
  String: "Single line of text",
  Memo: "Multiple lines of text",
  Picklist: "Choice",
  State: "Status",
  Status: "Status reason",
  MultiSelectPicklist: "Choices",
  Lookup: "Lookup",
  Uniqueidentifier: "Unique identifier",
  Other: "Other type",
};

const fieldTypes: Readonly<Record<string, string>> = {
  string: "Text",
  integer: "Whole number",
  number: "Number",
  boolean: "Yes/No",
  date: "Date",
  datetime: "Date and time",
  link: "Link",
};

/** `Single line of text (100)`, as Dynamics 365 calls it. */
export function columnType({ type, maxLength, dateOnly, targets }: ColumnTold): string {
  if (type === "DateTime") return dateOnly === true ? "Date only" : "Date and time";
  const words = columnTypes[type] ?? type;
  if (maxLength !== undefined) return `${words} (${maxLength})`;
  return targets === undefined || targets.length === 0 ? words : `${words} (${shortList(targets)})`;
}

export function fieldType({ type, rawType, maxLength, target, values }: FieldTold): string {
  if (values !== undefined) return "Enumeration";
  const words = fieldTypes[type] ?? rawType;
  if (maxLength !== undefined) return `${words} (${maxLength})`;
  return target === undefined ? words : `${words} to ${target}`;
}

const most = 5;

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

export const metadataTexts = {
  title: "Tables and columns of both systems",
  byWorker: "Names and types come from both systems, as the running worker sees them.",
  byProbe: (job: string) => `Names and types come from both systems, as the pod of Job ${job} sees them.`,
  someAsked: "Some of them are not answered yet: Check asks again.",
  refused: (system: string, message: string) => `${system} did not tell: ${message}`,
  elsewhere: (system: string, url: string) =>
    `What answers runs with ${url}, not with the ${system} URL of this form: its names are not offered.`,
  nobody: "No worker runs, so nobody can ask the two systems for their tables and columns. Names can be typed.",
  probeStarts: (job: string, waiting: string) =>
    `The pod of Job ${job}, which is to ask both systems, is starting${waiting === "" ? "" : ` (${waiting})`}.`,
  probe: "Ask both systems",
  probeMeans: (image: string) =>
    `This makes a Job in your name: one pod of ${image} with the Secrets that the form names. It moves no records, and is gone after ten minutes.`,
  probeMade: (job: string) =>
    `Job ${job} was made. When its pod runs, the form has names and types of both systems; Check looks again. If none comes: kubectl describe job ${job}.`,
  noImage:
    "The page's server was not told which image workers have (--worker-image), so it cannot have both systems asked for a workflow that does not run.",
  mayNotProbe: (namespace: string) =>
    `You may not create Jobs in namespace ${namespace}: ask for that right, or start the workflow.`,
  mayNotList: (namespace: string) =>
    `You may not list pods in namespace ${namespace}, so the worker cannot be asked for tables and columns: ask for that right. Names can be typed.`,
  mayNotProxy: (namespace: string) =>
    `You may not get pods/proxy in namespace ${namespace}, so the worker cannot be asked for tables and columns: ask for that right. Names can be typed.`,
  silent: (pod: string, why: string) =>
    `Pod ${pod} was asked for tables and columns and did not tell: ${why}. Names can be typed.`,
  older: "its image is of a version that cannot",
  notBegun: "it has not begun yet",
  notUnderstood: "its answer is not understood",
  noAnswer: "it does not answer",
  untracked: "its changes are not tracked: switch on “Track changes” in Dynamics 365",
  noSuchTable: (table: string) => `Dynamics 365 has no table ${table} that the workflow's user may see`,
  noSuchColumn: (table: string, column: string) =>
    `The table ${table} has no column ${column} that the workflow's user may see`,
  noSuchResource: (resource: string) => `Campaign has no resource ${resource} that is published`,
  noSuchField: (resource: string, field: string) => `The resource ${resource} has no field ${field}`,
  primary: "primary key",
  alternate: "alternate key",
  noKey: "no key in Dynamics 365, so rows may share a value",
  offered: (shown: number, all: number) => `${shown} of ${all} columns are offered; any can be typed`,
  never: (column: string, field: string) =>
    `No value of type ${column} can be written to a field of type ${field}: such records are refused`,
  onlyNumbers: "Only values that read as a number fit; records with others are refused",
  onlyWhole: "Only whole numbers fit; records with a fraction are refused",
  onlyYesNo: "Only true, false, 1 and 0 fit; records with other values are refused",
  onlyDates: "Only values that read as a date fit; records with others are refused",
  longer: (length: number) => `Values of more than ${length} characters do not fit`,
  choicesMissing: (choices: readonly string[]) =>
    `Campaign's enumeration does not have ${shortList(choices)}: replace ${choices.length === 1 ? "it" : "them"}`,
  readOnly: "Campaign sets this field itself",
  needsLink: (target: string) => `It is a link to ${target}: add a link, so that it points at a record`,
  noLink: (type: string) => `It is of type ${type} and no link: take the link out`,
  otherTarget: (target: string) => `In Campaign the field points at ${target}`,
  noLookup: "It is no lookup, and a link needs one",
  neverPoints: (table: string) => `It never points at ${table}, which fills the linked resource`,
  wants: (types: string) => `It has to be of type ${types}`,
  yesNo: "Yes/No",
  text: "text",
  time: "date and time",
  keyTypes: "text, whole number or unique identifier",
} as const;
