import { badRequest } from "./errors.ts";

/** Where the next page goes on. What the numbers mean is the reader's own business; to clients all of it is opaque. */
export interface PageCookie {
  readonly kind: "plain" | "snapshot" | "delta" | "deletions";
  /** Number of the page that this cookie leads to. */
  readonly page: number;
  /** Last position, offset or version that was given out. */
  readonly after: number;
  /** Tracked reads: version and time at which the read started. */
  readonly start: number;
  readonly startedAt: number;
  /** Delta reads: the version from which changes are read. */
  readonly since: number;
}

const kinds = ["plain", "snapshot", "delta", "deletions"] as const;

/** As in webapi/query/page-results.md: XML in a query parameter, with a cookie inside that is encoded twice more. */
export function skipToken(cookie: PageCookie): string {
  const numbers = [kinds.indexOf(cookie.kind), cookie.after, cookie.start, cookie.startedAt, cookie.since].join("|");
  const inner = `<cookie page="${cookie.page - 1}"><last is="${numbers}" /></cookie>`;
  const encoded = encodeURIComponent(encodeURIComponent(inner));
  const tracking = cookie.kind === "plain" ? "False" : "True";
  return encodeURIComponent(
    `<cookie pagenumber="${cookie.page}" pagingcookie="${encoded}" istracking="${tracking}" />`,
  );
}

/** @param token as it stands in the query, decoded once @throws DataverseRefusal when it is none of ours */
export function parseSkipToken(token: string): PageCookie {
  const outer = /^<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="(?:True|False)" \/>$/.exec(token);
  const inner = /<last is="(\d)\|(\d+)\|(\d+)\|(\d+)\|(\d+)" \/>/.exec(decodeTwice(outer?.[2] ?? ""));
  const kind = kinds[Number(inner?.[1])];
  if (outer === null || inner === null || kind === undefined) {
    throw badRequest(
      "Malformed XML in the paging cookie: follow @odata.nextLink exactly as it was returned.",
      "0x80041129",
    );
  }
  const [after = 0, start = 0, startedAt = 0, since = 0] = inner.slice(2).map(Number);
  return { kind, page: Number(outer[1]), after, start, startedAt, since };
}

function decodeTwice(text: string): string {
  try {
    return decodeURIComponent(decodeURIComponent(text));
  } catch {
    return "";
  }
}

/** A delta token as in use-change-tracking-synchronize-data-external-systems.md: a version stamp, encoded. */
export function deltaToken(version: number, issuedAt: number): string {
  return encodeURIComponent(versionStamp(version, issuedAt)).replace(/[!]/g, "%21");
}

/** @throws DataverseRefusal when it is none of ours */
export function parseDeltaToken(token: string): VersionStamp {
  const stamp = parseVersionStamp(token);
  if (stamp === undefined)
    throw badRequest("The delta token is not valid: follow @odata.deltaLink exactly as it was returned.");
  return stamp;
}

interface VersionStamp {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
}

/** `919042!08/22/2017 08:10:44`, as delta tokens and metadata's ServerVersionStamp (query-schema-definitions.md) are written. */
export function versionStamp(version: number, issuedAt: number): string {
  const iso = new Date(issuedAt).toISOString();
  return `${version}!${iso.slice(5, 7)}/${iso.slice(8, 10)}/${iso.slice(0, 4)} ${iso.slice(11, 19)}`;
}

/** undefined for what is no version stamp. */
export function parseVersionStamp(text: string): VersionStamp | undefined {
  const match = /^(\d+)!(\d{2})\/(\d{2})\/(\d{4}) (\d{2}:\d{2}:\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [, version, month, day, year, time] = match;
  return { version: Number(version), issuedAt: Date.parse(`${year}-${month}-${day}T${time}Z`) };
}

export const largestPage = 5000;

/** @throws DataverseRefusal on zero; more than 5,000 is cut, as Dataverse does */
export function pageSize(maxPageSize: number | undefined): number {
  if (maxPageSize === 0) throw badRequest("The odata.maxpagesize preference must be a positive number.");
  return Math.min(maxPageSize ?? largestPage, largestPage);
}
