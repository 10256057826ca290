/** The two services that a worker talks to. */
export type ServiceName = "Dataverse" | "Campaign";

/**
 * What is known of a call that failed, as it matters for a write:
 * `NotSent`: it never left; `Refused`: the service answered that it did not do it; `Unknown`: it may have been done.
 */
export type Outcome = "NotSent" | "Refused" | "Unknown";

/**
 * Whom a failure concerns: `Service`: any call may meet it, and time (or new credentials) mends it;
 * `Mapping`: every record of this table or resource meets it; `Record`: this record's content is what is refused.
 */
export type Scope = "Service" | "Mapping" | "Record";

/** Every code that a client's error can carry, with whom it concerns. Stable: engines decide by them, people search for them. */
const scopes = {
  /** No connection: name not found, refused, TLS not trusted. Always `NotSent`. */
  Unreachable: "Service",
  /** No whole answer in time. */
  TimedOut: "Service",
  /** The connection broke, or the answer was cut short. */
  ConnectionLost: "Service",
  /**
   * An answer that is not what the service is documented to give: not JSON, too large, a field missing, a refusal that
   * is not in the service's own words (a proxy's page).
   */
  BadResponse: "Service",
  /** 5xx, and 408, 421 and 425. */
  Outage: "Service",
  /** A 500 that Campaign's engine gives in its own words, of no known cause: trouble there, or this record's content. */
  EngineError: "Service",
  /** 429; `retryAfterSeconds` says how long. Not done. */
  Throttled: "Service",
  /** The governor had no room within the call's time. Always `NotSent`. */
  NoGrant: "Service",
  /** The caller's signal ended the call. */
  Aborted: "Service",
  /** 401 with a token that was fresh: the user is not one of this organisation, or is disabled. */
  Unauthorized: "Service",
  CredentialsMissing: "Service",
  CredentialsRejected: "Service",
  /** The Secret's tokenUrl is no URL that a secret may be sent to. */
  TokenUrlInvalid: "Service",
  /** 403: a privilege is missing. */
  Forbidden: "Mapping",
  /** A link that leads to another host. It is not followed: it would carry the token along. */
  ForeignLink: "Mapping",
  TableMissing: "Mapping",
  ColumnMissing: "Mapping",
  /** A tracked read ended without a delta link. */
  ChangeTrackingOff: "Mapping",
  DeltaTokenExpired: "Mapping",
  ResourceMissing: "Mapping",
  /** The resource offers no way to find a record by the mapping's key field. */
  KeyNotSearchable: "Mapping",
  /** An insert met another record with the same key: nothing was written. */
  DuplicateKey: "Record",
  /** A link names a record that Campaign does not have: nothing was written. */
  LinkTargetMissing: "Record",
  /** Several records have the key: none is touched. */
  KeyNotUnique: "Record",
  /** Any other 4xx of the service's own, and what Campaign's engine says of a record's content with a 500. */
  Refused: "Record",
} as const satisfies Record<string, Scope>;

export type ServiceErrorCode = keyof typeof scopes;

export interface ServiceErrorDetails {
  readonly code: ServiceErrorCode;
  readonly outcome: Outcome;
  /** The HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** The service's own code: `0x80044352`, `RST-360011`, `401013`. */
  readonly serviceCode?: string | undefined;
  /** The id under which the service's support finds the call. */
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A call to a service that did not succeed. The message names what was tried and what came back, and no value of any
 * record: server messages pass scrub.ts first.
 */
export class ServiceError extends Error {
  override name = "ServiceError";
  readonly code: ServiceErrorCode;
  readonly outcome: Outcome;
  readonly scope: Scope;
  readonly status: number | undefined;
  readonly serviceCode: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, details: ServiceErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.outcome = details.outcome;
    this.scope = scopes[details.code];
    this.status = details.status;
    this.serviceCode = details.serviceCode;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The service said no to what it was asked, and for that alone. */
export function isRefused(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.outcome === "Refused" && error.scope === "Record";
}

/** The link tells no changes any more: everything is to be read again. */
export function isExpired(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "DeltaTokenExpired";
}

/** Only a person can help: `CredentialsMissing`, `CredentialsRejected` or `TokenUrlInvalid`. Nothing was sent. */
export class CredentialsError extends ServiceError {
  override name = "CredentialsError";

  constructor(
    code: "CredentialsMissing" | "CredentialsRejected" | "TokenUrlInvalid",
    message: string,
    details: Pick<ServiceErrorDetails, "status" | "serviceCode" | "cause"> = {},
  ) {
    super(message, { ...details, code, outcome: "NotSent" });
  }
}

/** An error of the services' own documented codes, seen from Dataverse. */
export class DataverseError extends ServiceError {
  override name = "DataverseError";
}

/** The same, seen from Campaign. */
export class CampaignError extends ServiceError {
  override name = "CampaignError";
}

const errorTypes = { Dataverse: DataverseError, Campaign: CampaignError } as const;

/** The error of one service: a DataverseError or a CampaignError. */
export function serviceError(service: ServiceName, message: string, details: ServiceErrorDetails): ServiceError {
  return new errorTypes[service](message, details);
}

/** A signal's end as an error: the deadline of a call (`TimeoutError`) is told from a caller that gave up. */
export function abortedError(service: ServiceName, what: string, signal: AbortSignal, outcome: Outcome): ServiceError {
  const reason: unknown = signal.reason;
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return timedOut
    ? serviceError(service, `${service}: ${what} had no answer in time`, { code: "TimedOut", outcome })
    : serviceError(service, `${service}: ${what} was given up`, { code: "Aborted", outcome, cause: reason });
}
