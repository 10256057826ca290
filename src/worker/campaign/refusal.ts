import { headerOf, isOfTheWay, isRecord, jsonOf, textOf } from "../http/answer.ts";
import { scrub } from "../http/scrub.ts";
import { CampaignError, type ServiceErrorCode } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";

/**
 * What Campaign says when it refuses: the gateway `{"error_code":"403023","message":...}`, the engine
 * `{"code":500,"message":...}` or lines of text, `RST-360011 ...`, `XTK-170006 ...` (troubleshooting.md,
 * triggering-a-signal-activity.md).
 */
export function campaignError(
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
  const code = codeOf(response, text);
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

function codeOf(response: HttpResponse, text: string): ServiceErrorCode {
  const { status } = response;
  if (status === 409 || (status >= 400 && /duplicate key value/i.test(text))) return "DuplicateKey";
  if (status === 404 && /Cannot find document with path/.test(text)) return "LinkTargetMissing";
  if (status >= 500 && isContentRefusal(text)) return "Refused";
  if (status >= 500) return status === 500 && engineCodes(text).length > 0 ? "EngineError" : "Outage";
  if (isOfTheWay(status)) return "Outage";
  if (status === 403) return "Forbidden";
  // A limit on size is a proxy's to set, and this record is above it.
  return status === 413 || (status >= 400 && isCampaigns(response)) ? "Refused" : "BadResponse";
}

/**
 * Whether gateway or engine spoke. A proxy, an ingress or a maintenance page before them answers 4xx too, and what it
 * says is nothing about any record.
 */
function isCampaigns(response: HttpResponse): boolean {
  return engineCodes(textOf(response.body)).length > 0 || gatewayCode(jsonOf(response.body)) !== undefined;
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

/** In the order of the text: the wrapping one first, the telling one last. In JSON, the `n` of a line's end comes before. */
function engineCodes(text: string): readonly string[] {
  return text.match(/(?<![A-Z])(?:RST|XTK|SOP|WDB|PGS|ODB|SCR|NMS)-\d{6}\b/g) ?? [];
}

function gatewayCode(answer: unknown): string | undefined {
  if (!isRecord(answer)) return undefined;
  const code = answer["error_code"] ?? answer["code"];
  const text = typeof code === "number" || typeof code === "string" ? String(code) : "";
  return /^\d{3,6}$/.test(text) ? text : undefined;
}

/**
 * Whether the answer may say that nothing is at this address: a 404 of Campaign's own, what the gateway says of a wrong
 * URI, and what the engine says of a key or PKey that it cannot place (500 with RST-360011 or XTK-170036, same page).
 */
export function isNotHere(response: HttpResponse): boolean {
  if (response.status === 404) return isCampaigns(response);
  const text = textOf(response.body);
  return (
    response.status >= 500 &&
    (/Check your URI/.test(text) || engineCodes(text).some((code) => /^RST|^XTK-17/.test(code)))
  );
}
