import { headerOf, isOfTheWay, isRecord, jsonOf, retryAfterSeconds, textOf } from "../http/answer.ts";
import { scrub } from "../http/scrub.ts";
import { DataverseError, type ServiceErrorCode } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";

/** What Dataverse says when it refuses: `{"error":{"code":"0x...","message":"..."}}` (compose-http-requests-handle-errors.md). */
export interface Refusal {
  readonly status: number;
  /** `0x...`; absent when the answer is none of Dataverse's own (a proxy's page, an empty body). */
  readonly code: string | undefined;
  /** As it came: it may quote values and must not leave this folder. */
  readonly message: string;
}

export function refusalOf(response: HttpResponse): Refusal {
  const answer = jsonOf(response.body);
  const error = isRecord(answer) ? answer["error"] : undefined;
  const code = isRecord(error) && typeof error["code"] === "string" ? error["code"] : "";
  const message = isRecord(error) && typeof error["message"] === "string" ? error["message"] : "";
  return { status: response.status, code: hexCode(code) ?? hexCode(message), message };
}

/** ObjectDoesNotExist: the one 404 that says that a row, or a table's definition, is not there. */
export const doesNotExist = "0x80040217";

/** An answer that is not 2xx, as an error. `knownNames`: tables and columns that a message may name. */
export function dataverseError(response: HttpResponse, what: string, knownNames: Iterable<string>): DataverseError {
  const refusal = refusalOf(response);
  const { status, code, message } = refusal;
  const said = message === "" ? kindOfBody(response) : scrub(message, knownNames);
  const codeText = code === undefined ? "" : `, ${code}`;
  const kind = codeOf(refusal);
  return new DataverseError(`Dataverse refused ${what} (${status}${codeText}): ${said}`, {
    code: kind,
    outcome: kind === "Outage" || kind === "BadResponse" ? "Unknown" : "Refused",
    status,
    serviceCode: code,
    requestId: headerOf(response.headers, "x-ms-service-request-id") ?? headerOf(response.headers, "req_id"),
    retryAfterSeconds: retryAfterSeconds(response.headers),
  });
}

/**
 * Whether a tracked read was refused because its token is not honoured any longer. Documented for the .NET message, and
 * seen from the Web API likewise: ExpiredVersionStamp (0x80044352, -2147204270), also after a change of metadata. 410
 * Gone is what OData prescribes for it (OData 4.0 part 1, section 11.3.1). A token that cannot be read at all
 * (after the organization was restored from a copy) is as useless as an expired one.
 */
export function isDeltaTokenExpired(refusal: Refusal, cursor: "snapshot" | "next" | "delta"): boolean {
  const { status, code, message } = refusal;
  if (code === "0x80044352" || message.includes("-2147204270")) return true;
  if (cursor === "snapshot" || (status !== 400 && status !== 404 && status !== 410)) return false;
  return status === 410 || (cursor === "delta" && /version ?stamp|full sync|delta ?token/i.test(message));
}

function codeOf({ status, code, message }: Refusal): ServiceErrorCode {
  if (status >= 500 || isOfTheWay(status)) return "Outage";
  if (status === 403) return "Forbidden";
  if (status < 400) return "BadResponse";
  if (/not enabled for change tracking|change tracking is not enabled/i.test(message)) return "ChangeTrackingOff";
  if (/Could not find a property named/i.test(message)) return "ColumnMissing";
  if (/Resource not found for the segment/i.test(message)) return "TableMissing";
  // What is not Dataverse's own comes from something before it: the organization's address, a proxy.
  return code === undefined && (status === 404 || message === "") ? "BadResponse" : "Refused";
}

function hexCode(text: string): string | undefined {
  return /0x8[0-9a-f]{7}/i.exec(text)?.[0].toLowerCase();
}

function kindOfBody(response: HttpResponse): string {
  if (response.body.length === 0) return "no message";
  const type = headerOf(response.headers, "content-type")?.split(";")[0] ?? "no content type";
  return textOf(response.body).trimStart().startsWith("<")
    ? "a page of HTML or XML"
    : `an answer of type ${scrub(type)}`;
}
