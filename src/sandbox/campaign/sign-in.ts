import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { type AccessTokens, type Application, secretMatches } from "../identity.ts";

/**
 * Adobe IMS, OAuth server-to-server. Source: developer.adobe.com, "OAuth Server-to-Server credential implementation
 * guide"; the error answers are assumed, see README.md.
 */
export function signIn(request: SandboxRequest, application: Application, tokens: AccessTokens): SandboxAnswer {
  const form = new URLSearchParams(request.body);
  const parameter = (name: string) => form.get(name) ?? request.query.get(name) ?? "";
  if (parameter("grant_type") !== "client_credentials")
    return refusal("unsupported_grant_type", "grant_type must be client_credentials");
  if (parameter("client_id") !== application.clientId) return refusal("invalid_client", "invalid client_id parameter");
  if (!secretMatches(application, parameter("client_secret"))) {
    return refusal("invalid_client", "invalid client_secret parameter");
  }
  if (parameter("scope").trim() === "") return refusal("invalid_scope", "scope is missing");
  return answer(200, { access_token: tokens.issue(), token_type: "bearer", expires_in: tokens.lifetimeSeconds });
}

function refusal(error: string, description: string): SandboxAnswer {
  return answer(400, { error, error_description: description });
}

function answer(status: number, body: unknown): SandboxAnswer {
  const headers = { "content-type": "application/json;charset=UTF-8", "cache-control": "no-store" };
  return { endpoint: "token", status, headers, body: JSON.stringify(body) };
}
