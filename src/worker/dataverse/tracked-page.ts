import { isRecord } from "../http/answer.ts";
import type { DataverseRow, ReadCursor, TableMetadata, TrackedPage, TrackedRecord } from "./interface.ts";

/** In a list's answer, the version of the organization's metadata (webapi/query, "Request annotations"). */
export const schemaAnnotation = "Microsoft.Dynamics.CRM.globalmetadataversion";

/**
 * Reads a page of tracked changes (use-change-tracking-synchronize-data-external-systems.md).
 * @returns what is wrong with the answer, as text without values, if it is not such a page
 */
export function parseTrackedPage(answer: unknown, metadata: TableMetadata, cursor: ReadCursor): TrackedPage | string {
  // "An empty JSON response is returned if no table changes have occurred": then the link in hand stays good.
  const empty =
    cursor.kind === "delta" && (answer === undefined || (isRecord(answer) && Object.keys(answer).length === 0));
  if (empty) return { records: [], deletedIds: [], deltaLink: cursor.link };
  if (!isRecord(answer) || !Array.isArray(answer["value"])) return "it has no list of rows";
  const records: TrackedRecord[] = [];
  const deletedIds: string[] = [];
  for (const item of answer["value"]) {
    if (!isRecord(item)) return "a row is no object";
    if (isDeletedEntity(item)) {
      const id = guidOf(item["id"]);
      if (id === undefined) return "a deletion has no id";
      if (item["reason"] !== undefined && item["reason"] !== "deleted")
        return "a row left for another reason than deletion";
      deletedIds.push(id);
      continue;
    }
    const record = parseRecord(item, metadata);
    if (typeof record === "string") return record;
    records.push(record);
  }
  const nextLink = answer["@odata.nextLink"];
  const deltaLink = answer["@odata.deltaLink"];
  const version = answer[`@${schemaAnnotation}`];
  const page = { records, deletedIds, ...(typeof version === "string" ? { schemaVersion: version } : {}) };
  if (typeof nextLink === "string") return { ...page, nextLink };
  if (typeof deltaLink === "string") return { ...page, deltaLink };
  if (cursor.kind === "delta" && records.length + deletedIds.length === 0) {
    return { ...page, deltaLink: cursor.link };
  }
  return noDeltaLink;
}

export const noDeltaLink = "its last page has no delta link";

/** @returns what is wrong with the row, if it cannot be placed */
export function parseRecord(row: DataverseRow, metadata: TableMetadata): TrackedRecord | string {
  const id = guidOf(row[metadata.primaryId]);
  if (id === undefined) return `a row has no ${metadata.primaryId}`;
  const version = versionOf(row);
  if (version === undefined) return "a row has neither an ETag nor a versionnumber";
  return { id, version, row };
}

/** The row version: `W/"915244"` (use-change-tracking...), or the column `versionnumber`, which holds the same number. */
function versionOf(row: DataverseRow): bigint | undefined {
  const etag = row["@odata.etag"];
  const fromEtag = typeof etag === "string" ? /^(?:W\/)?"(\d{1,20})"$/.exec(etag)?.[1] : undefined;
  if (fromEtag !== undefined) return BigInt(fromEtag);
  const number = row["versionnumber"];
  const text = typeof number === "number" && Number.isSafeInteger(number) ? String(number) : number;
  return typeof text === "string" && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function isDeletedEntity(item: Record<string, unknown>): boolean {
  const context = item["@odata.context"];
  return typeof context === "string" && context.endsWith("/$deletedEntity");
}

function guidOf(value: unknown): string | undefined {
  const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  return typeof value === "string" && guid.test(value) ? value.toLowerCase() : undefined;
}
