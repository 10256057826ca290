/** Answers as a person reads them. Pure. */
import type { DeadLettersAnswer, RecordFate, RecordsAnswer } from "./answers.ts";

/** What was found, a paragraph each; then, in a line each, the mappings that know nothing of it. */
export function recordsText({ records }: RecordsAnswer): string {
  const found = records.filter(isFound);
  const unseen = records.filter((record) => !isFound(record));
  const paragraphs = [...found, ...(found.length === 0 ? unseen : [])].map(paragraph);
  const others = found.length === 0 ? [] : unseen.map(({ mapping }) => `${mapping}: not seen there.`);
  return [...paragraphs, ...(others.length === 0 ? [] : [others.join("\n")])].map((text) => `${text}\n`).join("\n");
}

/** Whether a record was found, if only in Dataverse. */
export function isFound({ fate, dataverse }: RecordFate): boolean {
  return fate !== "NotSeen" || dataverse.state === "Found";
}

const titles: Readonly<Record<RecordFate["fate"], string>> = {
  Parked: "PARKED",
  Waiting: "WAITING",
  Refused: "REFUSED",
  FilteredOut: "FILTERED OUT",
  Written: "WRITTEN",
  NotSeen: "NOT SEEN",
};

const matches: Readonly<Record<RecordFate["foundBy"][number], string>> = {
  DataverseId: "its Dataverse id",
  CampaignKey: "its key in Campaign",
  ContactKey: "its contact's key",
};

function paragraph(record: RecordFate): string {
  const { mapping, resource, id, foundBy, fate, summary, next, waiting, refused, written } = record;
  const by = foundBy.map((match) => matches[match]).join(" and ");
  const lines = [
    `${mapping} → ${resource}: ${titles[fate]}${by === "" ? "" : ` (found by ${by})`}`,
    `  ${sentence(summary)}`,
    ...(fate !== "Refused" && refused !== undefined
      ? [`  Before that, refused at ${refused.since}, ${refused.reason}: ${sentence(refused.message)}`]
      : []),
    ...(fate !== "Written" && written !== undefined
      ? [`  Last written ${written.at ?? "at a time that is not recorded"}, as version ${written.version} of the row.`]
      : []),
    ...(id === undefined ? [] : [`  Dataverse id: ${id}${versionNow(record, waiting?.version)}`]),
    ...campaignLine(record),
    `  Next: ${next}`,
  ];
  return lines.join("\n");
}

function versionNow({ dataverse }: RecordFate, waiting: string | undefined): string {
  const waits = waiting === undefined ? "" : `; version ${waiting} waits`;
  switch (dataverse.state) {
    case "Found":
      if (dataverse.version === undefined) return `${waits}; Dataverse has it`;
      return `${waits}; Dataverse has version ${dataverse.version}${dataverse.isNewer ? ", newer than was read" : ""}`;
    case "Gone":
      return `${waits}; Dataverse has no such row now`;
    case "NotAsked":
    case "NoAnswer":
      return `${waits}. ${dataverse.message}`;
  }
}

function campaignLine({ campaign, resource }: RecordFate): readonly string[] {
  if (campaign === undefined) return [];
  if ("message" in campaign) return [`  ${campaign.message}`];
  const { records } = campaign;
  return [
    `  Campaign has ${records === 0 ? "no record" : records === 1 ? "1 record" : `${records} records`} of ${resource} with its key now.`,
  ];
}

export function deadLettersText({ counts, deadLetters, before }: DeadLettersAnswer): string {
  if (counts.length === 0) return "No dead letters.\n";
  const total = counts.reduce((sum, { records }) => sum + records, 0);
  const parts = counts.map(({ mapping, reason, records }) => `  ${mapping}  ${reason}  ${records}`);
  const letters = deadLetters.map(
    ({ since, mapping, id, reason, message }) => `${since}  ${mapping}  ${id}  ${reason}\n  ${message}`,
  );
  const more = before === undefined ? [] : [`More: --before ${before}`];
  return `${[`${total} refused for good:`, ...parts, "", ...letters, ...more].join("\n")}\n`;
}

function sentence(text: string): string {
  const capital = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
