import { randomUUID } from "node:crypto";
import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { type AccessTokens, type Application, secretMatches } from "../identity.ts";

/**
 * The token endpoint of Microsoft's identity platform, client credentials only.
 * Sources: authenticate-oauth.md; learn.microsoft.com, "Microsoft identity platform and the OAuth 2.0 client
 * credentials flow" and "Microsoft Entra authentication and authorization error codes".
 */
export function signIn(
  request: SandboxRequest,
  tenant: string,
  tenantId: string,
  application: Application,
  tokens: AccessTokens,
): SandboxAnswer {
  const form = new URLSearchParams(request.body);
  for (const name of ["grant_type", "client_id"]) {
    if (!form.has(name)) {
      return refusal(
        400,
        "invalid_request",
        900144,
        `The request body must contain the following parameter: '${name}'.`,
      );
    }
  }
  if (form.get("grant_type") !== "client_credentials") {
    return refusal(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
  }
  if (tenant !== tenantId) {
    return refusal(
      400,
      "invalid_request",
      90002,
      `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID.`,
    );
  }
  const clientId = form.get("client_id") ?? "";
  if (clientId !== application.clientId) {
    return refusal(
      400,
      "unauthorized_client",
      700016,
      `Application with identifier '${clientId}' was not found in the directory '${tenant}'.`,
    );
  }
  const secret = form.get("client_secret");
  if (secret === null) {
    return refusal(
      401,
      "invalid_client",
      7000218,
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
  }
  if (!secretMatches(application, secret)) {
    return refusal(
      401,
      "invalid_client",
      7000215,
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${clientId}'.`,
    );
  }
  const scope = form.get("scope") ?? "";
  if (!/^https?:\/\/[^\s]+\/\.default$/.test(scope)) {
    return refusal(
      400,
      "invalid_scope",
      1002012,
      `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
    );
  }
  const seconds = tokens.lifetimeSeconds;
  return answer(200, {
    token_type: "Bearer",
    expires_in: seconds,
    ext_expires_in: seconds,
    access_token: tokens.issue(),
  });
}

function refusal(status: number, error: string, code: number, text: string): SandboxAnswer {
  const traceId = randomUUID();
  const correlationId = randomUUID();
  const timestamp = `${new Date().toISOString().slice(0, 19).replace("T", " ")}Z`;
  return answer(status, {
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  });
}

function answer(status: number, body: unknown): SandboxAnswer {
  return {
    endpoint: "token",
    status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store, no-cache",
      pragma: "no-cache",
    },
    body: JSON.stringify(body),
  };
}
