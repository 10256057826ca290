import { isRecord, jsonOf, retryAfterSeconds, textOf } from "./answer.ts";
import { scrub } from "./scrub.ts";
import { CredentialsError, type ServiceName, serviceError } from "./service-error.ts";
import type { HttpResponse, Transport } from "./transport.ts";

export interface IssuedToken {
  readonly accessToken: string;
  readonly lifeSeconds: number;
}

/** Where to sign in, and which Secret a person must mend when that does not work. */
export interface TokenEndpoint {
  readonly service: ServiceName;
  readonly url: string;
  /** As `secretInWords` says it. */
  readonly secret: string;
}

/**
 * Signs in with the OAuth client credentials grant.
 * @param form everything but the grant type
 * @throws CredentialsError `CredentialsRejected` when the endpoint says that these credentials are not good;
 * `TokenUrlInvalid`; ServiceError `NotSent` for everything else that went wrong there: an outage, never a rejection
 */
export async function requestToken(
  transport: Transport,
  endpoint: TokenEndpoint,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IssuedToken> {
  const { service } = endpoint;
  const url = checkedTokenUrl(endpoint);
  const response = await transport.send(
    service,
    {
      method: "POST",
      url,
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: "client_credentials", ...form }).toString(),
    },
    signal,
  );
  if (response.status !== 200) throw refusal({ ...endpoint, url }, response);
  const answer = jsonOf(response.body);
  const accessToken = isRecord(answer) ? answer["access_token"] : undefined;
  const lifeSeconds = Number(isRecord(answer) ? answer["expires_in"] : undefined);
  if (typeof accessToken !== "string" || accessToken === "" || !(lifeSeconds > 0)) {
    throw serviceError(service, `${service}: the token endpoint ${host(url)} gave no token with a life`, {
      code: "BadResponse",
      outcome: "NotSent",
      status: response.status,
    });
  }
  return { accessToken, lifeSeconds };
}

/** A client secret goes to https only, or in plain text to a host that is the cluster's or the machine's own. */
function checkedTokenUrl({ service, url: text, secret }: TokenEndpoint): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username === "" && url.password === "") {
    if (url.protocol === "https:") return url.href;
    if (url.protocol === "http:" && isInternalHost(url.hostname)) return url.href;
  }
  throw new CredentialsError(
    "TokenUrlInvalid",
    `${service}: the key "tokenUrl" of ${secret} is not an https URL without user info (http only to a host ending in .svc or .svc.cluster.local, or to loopback): correct it, or leave it out for the default`,
  );
}

function isInternalHost(hostname: string): boolean {
  return /(?:\.svc|\.svc\.cluster\.local)$|^localhost$|^127\.\d+\.\d+\.\d+$|^\[::1\]$/.test(hostname);
}

/**
 * 400, 401 and 403 with an OAuth error speak of the credentials (RFC 6749 section 5.2; Entra ID adds AADSTS codes);
 * Adobe answers 400 or 401, not always with one. Anything else is the endpoint's own trouble.
 */
function refusal({ service, url, secret }: TokenEndpoint, response: HttpResponse) {
  const { status } = response;
  const answer = jsonOf(response.body);
  const oauthError = isRecord(answer) && typeof answer["error"] === "string" ? answer["error"] : undefined;
  const text = textOf(response.body);
  const serviceCode = /AADSTS\d{4,8}/.exec(text)?.[0] ?? (oauthError === undefined ? undefined : scrub(oauthError));
  const said = `${status}${serviceCode === undefined ? "" : `, ${serviceCode}`}`;
  const passing = oauthError === "temporarily_unavailable" || oauthError === "server_error";
  if (!passing && (status === 400 || status === 401 || (status === 403 && oauthError !== undefined))) {
    return new CredentialsError(
      "CredentialsRejected",
      `${service}: the token endpoint ${host(url)} does not accept the credentials (${said}): check the keys of ${secret}, and that its clientSecret has not expired or been revoked`,
      { status, serviceCode },
    );
  }
  return serviceError(service, `${service}: the token endpoint ${host(url)} answered ${said}`, {
    code: status === 429 ? "Throttled" : "Outage",
    outcome: "NotSent",
    status,
    serviceCode,
    retryAfterSeconds: retryAfterSeconds(response.headers),
  });
}

function host(url: string): string {
  return new URL(url).host;
}
