/** The parts of a `Status` object that callers act on. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: readonly { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

interface ApiErrorFields {
  status: number;
  reason: string;
  message: string;
  call: string;
  retryAfterSeconds?: number | undefined;
  details?: StatusDetails | undefined;
}

/** The API server answered, and the answer is no. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code = "KubernetesApiError";
  /** HTTP status; for an ERROR event of a watch, the status inside. */
  readonly status: number;
  /** `Status.reason`, for instance NotFound, AlreadyExists, Conflict, Expired; "" when the answer was no Status. */
  readonly reason: string;
  /** The server's own sentence, without the call that it answers: it names the person, the verb and the resource, or the field. */
  readonly said: string;
  /** From the Retry-After header, else from the Status. */
  readonly retryAfterSeconds: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(fields: ApiErrorFields) {
    const remedy = fields.status === 401 ? " (check the token or the client certificate that it was called with)" : "";
    const said = `${fields.message}${remedy}`;
    super(`${fields.call}: ${fields.status} ${fields.reason}: ${said}`);
    this.said = said;
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.details = fields.details;
  }
}

/** No answer came: refused, reset, timed out, not trusted. Whether a write took effect is unknown. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code = "KubernetesConnectionError";
}

/** There is no usable way to a cluster: nothing configured, a file that cannot be read, a context that does not exist. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "KubernetesConfigurationError";
}

export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 404;
}

/**
 * A precondition failed: the object is another, or was changed meanwhile, or a field is owned by another manager.
 * A patch or apply with another object's uid is refused as an invalid change of metadata.uid (seen on 1.36), not with 409.
 */
export function isConflict(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  if (error.status === 409) return error.reason !== "AlreadyExists";
  return error.status === 422 && error.details?.causes?.some(({ field }) => field === "metadata.uid") === true;
}

export function isAlreadyExists(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 409 && error.reason === "AlreadyExists";
}

/** A resourceVersion or a continue token is too old: list again. */
export function isGone(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 410;
}

/** The API server does not know who asks. */
export function isUnauthorized(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 401;
}

export function isForbidden(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 403;
}

/** The object breaks its schema, a CEL rule or an admission policy: writing it again cannot help. */
export function isInvalid(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 422 || error.status === 400) && !isConflict(error);
}

/** A webhook that has to be asked about the write does not answer, so that the API server says no in its place. */
export function isWebhookAway(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 500 && /failed calling webhook/.test(error.said);
}

/** Reads a refusal. `body` is a `Status` object as text, or whatever a proxy in between said. */
export function apiErrorFrom(call: string, status: number, body: string, retryAfterHeader?: string): ApiError {
  const parsed = parseStatus(body);
  return statusError(call, parsed ?? { message: body.trim().slice(0, 500) || "no message" }, status, retryAfterHeader);
}

/** Reads the `Status` inside an ERROR event of a watch. */
export function statusError(
  call: string,
  status: StatusBody,
  httpStatus: number = status.code ?? 500,
  retryAfterHeader?: string,
): ApiError {
  return new ApiError({
    call,
    status: httpStatus,
    reason: status.reason ?? "",
    message: status.message ?? "no message",
    details: status.details,
    retryAfterSeconds: retryAfterOf(retryAfterHeader) ?? status.details?.retryAfterSeconds,
  });
}

/** A `Status` object (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). */
export interface StatusBody {
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

function parseStatus(body: string): StatusBody | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && "kind" in value && value.kind === "Status") {
      // The API server's own type; every field of StatusBody is optional.
      return value as StatusBody;
    }
  } catch {
    // Not JSON: a load balancer's page, or a plain word. The caller shows it as text.
  }
  return undefined;
}

/** The API server sends whole seconds; the HTTP-date form is a proxy's and is ignored. */
function retryAfterOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
