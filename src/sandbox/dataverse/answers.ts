import { randomUUID } from "node:crypto";
import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { DataverseRefusal } from "./errors.ts";
import { serviceRoot } from "./links.ts";
import type { Preferences } from "./preferences.ts";

/** How the Web API's answers look, whatever they answer. */

const contentType = "application/json; odata.metadata=minimal";

export function json(endpoint: string, body: unknown): SandboxAnswer {
  return { endpoint, status: 200, headers: { "content-type": contentType }, body: JSON.stringify(body) };
}

export function noContent(endpoint: string): SandboxAnswer {
  return { endpoint, status: 204, headers: {}, body: "" };
}

/** The answer of a function or an action: its result's type is its context. */
export function result(request: SandboxRequest, name: string, body: Readonly<Record<string, unknown>>): SandboxAnswer {
  const context = `${serviceRoot(request)}$metadata#Microsoft.Dynamics.CRM.${name}Response`;
  return json(name, { "@odata.context": context, ...body });
}

/** Adds what every answer has, and which preferences were heard. */
export function withHeaders(answer: SandboxAnswer, preferences: Preferences): SandboxAnswer {
  const applied = preferences.applied.length === 0 ? {} : { "preference-applied": preferences.applied.join(",") };
  return { ...answer, headers: { ...alwaysHeaders(), ...answer.headers, ...applied } };
}

/** Source: webapi/compose-http-requests-handle-errors.md, Parse errors from the response */
export function refusalAnswer(refusal: DataverseRefusal, preferences: Preferences): SandboxAnswer {
  const details = preferences.annotates("Microsoft.PowerApps.CDS.InnerError.Message")
    ? { "@Microsoft.PowerApps.CDS.InnerError.Message": refusal.message }
    : {};
  return {
    endpoint: "refused",
    status: refusal.status,
    headers: { ...alwaysHeaders(), "content-type": contentType, ...refusal.headers },
    body: JSON.stringify({ error: { code: refusal.code, message: refusal.message, ...details } }),
  };
}

function alwaysHeaders(): Record<string, string> {
  return { "odata-version": "4.0", "x-ms-service-request-id": randomUUID(), "cache-control": "no-cache" };
}

/** @throws DataverseRefusal */
export function onlyGet(request: SandboxRequest): void {
  if (request.method !== "GET") throw noMethod(request);
}

export function noMethod(request: SandboxRequest): DataverseRefusal {
  return new DataverseRefusal(
    405,
    "0x80060888",
    `The requested resource does not support http method '${request.method}'.`,
  );
}
