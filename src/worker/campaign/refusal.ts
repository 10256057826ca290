import { headerOf, isOfTheWay, isRecord, jsonOf, textOf } from "../http/answer.ts";
import { scrub } from "../http/scrub.ts";
import { CampaignError, type ServiceErrorCode } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import { type Dialect, engineCodes } from "./dialect.ts";

/**
 * What Campaign says when it refuses: the gateway `{"error_code":"403023","message":...}`, the engine
 * `{"code":500,"message":...}` or lines of text, `RST-360011 ...`, `XTK-170006 ...` (troubleshooting.md,
 * triggering-a-signal-activity.md).
 */
export function campaignError(
  dialect: Dialect,
  response: HttpResponse,
  what: string,
  knownNames: Iterable<string>,
  advice = "",
): CampaignError {
  const text = textOf(response.body);
  const answer = jsonOf(response.body);
  const message = isRecord(answer) && typeof answer["message"] === "string" ? answer["message"] : text;
  const html = text.trimStart().startsWith("<");
  const said = html ? "a page of HTML or XML" : scrub(message, knownNames) || "no message";
  const serviceCode = engineCodes(text).at(-1) ?? gatewayCode(answer);
  const { status } = response;
  const code = codeOf(dialect, response, text);
  const who = code === "BadResponse" && status >= 400 ? "Something before Campaign refused" : "Campaign refused";
  return new CampaignError(
    `${who} ${what} (${status}${serviceCode === undefined ? "" : `, ${serviceCode}`}): ${said}${advice}`,
    {
      code,
      outcome: code === "Outage" || code === "EngineError" || code === "BadResponse" ? "Unknown" : "Refused",
      status,
      serviceCode,
      requestId: headerOf(response.headers, "x-request-id"),
    },
  );
}

function codeOf(dialect: Dialect, response: HttpResponse, text: string): ServiceErrorCode {
  const { status } = response;
  if (status === 409 || (status >= 400 && /duplicate key value/i.test(text))) return "DuplicateKey";
  if (missingTarget(response) !== undefined) return "LinkTargetMissing";
  if (status >= 500 && isContentRefusal(text)) return "Refused";
  if (status >= 500) return status === 500 && dialect.isEngines(text) ? "EngineError" : "Outage";
  if (isOfTheWay(status)) return "Outage";
  if (status === 403) return "Forbidden";
  // A limit on size is a proxy's to set, and this record is above it.
  return status === 413 || (status >= 400 && isCampaigns(dialect, response)) ? "Refused" : "BadResponse";
}

/** The resource of which Campaign does not find a record that a body or an address names, with a capital letter. */
export function missingTarget({ status, body }: HttpResponse): string | undefined {
  if (status !== 404) return undefined;
  return /(?:Cannot|Unable to) find document with path\W*(\w*)/.exec(textOf(body))?.[1];
}

/**
 * Whether gateway or engine spoke. A proxy, an ingress or a maintenance page before them answers 4xx too, and what it
 * says is nothing about any record.
 */
function isCampaigns(dialect: Dialect, response: HttpResponse): boolean {
  return dialect.isEngines(textOf(response.body)) || gatewayCode(jsonOf(response.body)) !== undefined;
}

/**
 * The engine answers 500 also for what a record's content makes impossible: an expression that cannot be parsed
 * (XTK-17...), a key that cannot be changed (RST-360012), a property that is read-only or unknown to the resource, a
 * value that its enumeration does not have (Adobe, "Recommendations & limitations" of the move to Campaign v8, "Error
 * codes and messages"). All of these are found before anything is written, and sending the same again does not help.
 * Any other 500 may have come after the write.
 */
function isContentRefusal(text: string): boolean {
  return (
    engineCodes(text).some((code) => code.startsWith("XTK-17") || code === "RST-360012") ||
    /property that is read-only|property is not valid for the|is not valid for (?:the )?(?:\S+ )?enumeration/.test(text)
  );
}

function gatewayCode(answer: unknown): string | undefined {
  if (!isRecord(answer)) return undefined;
  const code = answer["error_code"] ?? answer["code"];
  const text = typeof code === "number" || typeof code === "string" ? String(code) : "";
  return /^\d{3,6}$/.test(text) ? text : undefined;
}

/**
 * Whether the answer may say that nothing is at this address: a 404 of Campaign's own, what the gateway says of a wrong
 * URI, and what the engine says of a key or PKey that it cannot place.
 */
export function isNotHere(dialect: Dialect, response: HttpResponse): boolean {
  if (response.status === 404) return isCampaigns(dialect, response);
  return response.status >= 500 && (isWrongUri(response) || dialect.isNotHere500(textOf(response.body)));
}

/** What the gateway says of an address that it does not know, and when what is behind it is away (troubleshooting.md). */
export function isWrongUri(response: HttpResponse): boolean {
  return response.status >= 500 && /Check your URI/.test(textOf(response.body));
}
