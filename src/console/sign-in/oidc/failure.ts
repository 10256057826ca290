/** What can go wrong between this page, the issuer and the API server when somebody signs in, in words for whoever mends it. */
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { texts } from "../../texts.ts";

export type SignInFailure =
  /** Nobody answers, or not as an issuer does. */
  | "IssuerUnreachable"
  | "IssuerMisnamed"
  /** The issuer does not take this page for its client. */
  | "ClientRefused"
  | "ClocksDiffer"
  /** By the person, or by a rule of the issuer's. */
  | "Denied"
  | "AnswerRefused"
  /** An answer that nobody waits for: used before, too late, or of another browser. */
  | "NotBegunHere"
  /** The issuer's token is no good at the API server. */
  | "TokenNotTaken"
  | "TokenTooLong";

const statuses: Readonly<Record<SignInFailure, number>> = {
  IssuerUnreachable: 502,
  IssuerMisnamed: 502,
  ClientRefused: 502,
  ClocksDiffer: 502,
  Denied: 403,
  AnswerRefused: 502,
  NotBegunHere: 400,
  TokenNotTaken: 403,
  TokenTooLong: 502,
};

/**
 * Has no cause on purpose: what openid-client throws carries the issuer's whole answer, tokens among it, and causes are
 * logged.
 */
export class SignInError extends Error {
  override readonly name = "SignInError";
  readonly code: SignInFailure;
  /** HTTP status of the page that says it. */
  readonly status: number;

  constructor(code: SignInFailure, message: string) {
    super(message);
    this.code = code;
    this.status = statuses[code];
  }
}

/** What the issuer was asked for. */
export type Question = "discovery" | "code" | "renewal";

/** @throws whatever is no failure of the issuer, the network or the settings */
export function failureOf(error: unknown, question: Question, issuer: string, now: Date): SignInError {
  if (error instanceof SignInError) return error;
  const { oidc } = texts;
  if (error instanceof AuthorizationResponseError) {
    const said = saidBy(error.error, error.error_description);
    return error.error === "access_denied"
      ? new SignInError("Denied", oidc.denied(said))
      : new SignInError("AnswerRefused", oidc.refused(issuer, said));
  }
  if (error instanceof ResponseBodyError) {
    const said = saidBy(error.error, error.error_description);
    return error.error === "invalid_client" || error.error === "unauthorized_client"
      ? new SignInError("ClientRefused", oidc.clientRefused(issuer, said))
      : new SignInError("AnswerRefused", oidc.refused(issuer, said));
  }
  if (error instanceof WWWAuthenticateChallengeError)
    return new SignInError("ClientRefused", oidc.clientRefused(issuer, `${error.status}`));
  if (error instanceof ClientError) return ofCode(error, question, issuer, now);
  // What fetch throws; other TypeErrors are faults of this program's.
  if (error instanceof TypeError && error.message === "fetch failed")
    return new SignInError("IssuerUnreachable", oidc.unreachable(issuer, whyUnreachable(error.cause)));
  // Metadata with something in it that is no address.
  if (error instanceof TypeError && "code" in error && error.code === "ERR_INVALID_URL")
    return new SignInError("IssuerUnreachable", oidc.noDiscovery(issuer, error.message));
  throw error;
}

function ofCode({ code, cause, message }: ClientError, question: Question, issuer: string, now: Date): SignInError {
  const { oidc } = texts;
  switch (code) {
    case "OAUTH_TIMEOUT":
      return new SignInError("IssuerUnreachable", oidc.unreachable(issuer, oidc.silent));
    case "OAUTH_RESPONSE_IS_NOT_CONFORM":
    case "OAUTH_RESPONSE_IS_NOT_JSON": {
      const said = statusOf(cause) ?? message;
      return question === "discovery"
        ? new SignInError("IssuerUnreachable", oidc.noDiscovery(issuer, said))
        : new SignInError("IssuerUnreachable", oidc.unreachable(issuer, said));
    }
    case "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED":
      return new SignInError("IssuerMisnamed", oidc.misnamed(issuer, nameIn(cause)));
    case "OAUTH_JWT_TIMESTAMP_CHECK_FAILED":
      return new SignInError("ClocksDiffer", oidc.clocksDiffer(issuer, now.toISOString()));
    default:
      return new SignInError("AnswerRefused", oidc.refused(issuer, `${message}${causeOf(cause)}`));
  }
}

/** Of a Response, whose class is undici's and not Node's. */
function statusOf(cause: unknown): string | undefined {
  const isAnswer = typeof cause === "object" && cause !== null && "status" in cause && typeof cause.status === "number";
  return isAnswer ? texts.oidc.answered(Number(cause.status)) : undefined;
}

/** Both are the issuer's words: short, and without anything that breaks a line. */
function saidBy(error: string, description: string | undefined): string {
  const said = description === undefined ? error : `${error}: ${description}`;
  return said.replace(/\p{C}+/gu, " ").slice(0, 300);
}

/** oauth4webapi's own sentence, never what it was said of. */
function causeOf(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : "";
}

function nameIn(cause: unknown): string {
  if (typeof cause !== "object" || cause === null || !("body" in cause)) return "";
  const { body } = cause;
  const isNamed = typeof body === "object" && body !== null && "issuer" in body;
  return isNamed && typeof body.issuer === "string" ? body.issuer.slice(0, 300) : "";
}

const distrust = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);

function whyUnreachable(cause: unknown): string {
  if (!(cause instanceof Error)) return texts.oidc.silent;
  const code = "code" in cause ? String(cause.code) : "";
  if (distrust.has(code)) return texts.oidc.distrusted;
  // Several addresses were tried, and each failed.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : undefined;
  return cause.message || (first instanceof Error ? first.message : code);
}
