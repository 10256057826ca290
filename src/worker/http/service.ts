import type { CallResult, Governor, Grant } from "../governor/governor.ts";
import type { Lane } from "../governor/lanes.ts";
import type { AccessToken } from "./access-tokens.ts";
import { numberHeader, retryAfterSeconds } from "./answer.ts";
import { abortedError, ServiceError, type ServiceName, serviceError } from "./service-error.ts";
import { limitOf } from "./throttling.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";
import { underBoth, withDeadline } from "./until-aborted.ts";

/** What the process counts of its calls. */
export interface CallMetrics {
  /**
   * One call is over.
   * @param result the answer's HTTP status, or the code of what went wrong without one
   * @param answered whether the service spoke at all
   */
  called(service: ServiceName, operation: string, result: string, seconds: number, answered: boolean): void;
}

export const noCallMetrics: CallMetrics = { called: () => {} };

export interface ServiceOptions {
  readonly name: ServiceName;
  readonly transport: Transport;
  readonly tokens: {
    get(signal: AbortSignal): Promise<AccessToken>;
    refused(token: AccessToken): void;
  };
  readonly governor: Governor;
  readonly metrics: CallMetrics;
  /** The headers that carry the token. */
  readonly authorize: (token: AccessToken) => Readonly<Record<string, string>>;
  /** A call's time, its wait for leave included. */
  readonly callTimeoutSeconds: number;
  /** Once it aborts, what was not sent yet is not sent any more; what is under way may end. */
  readonly stop: AbortSignal;
}

export interface ServiceCall extends HttpRequest {
  /** What is done, for messages and metrics: no value of a record. */
  readonly operation: string;
  readonly lane: Lane;
}

/** How long an operation may take at most, whatever it consists of: leases must be longer. */
export const defaultCallTimeoutSeconds = 120;

/**
 * One service behind its governor: every call waits for leave, carries a token, and ends as a 2xx answer or a
 * ServiceError.
 */
export class Service {
  readonly #options: ServiceOptions;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** One operation, of however many calls, under the caller's signal and the operation's deadline. */
  within<T>(signal: AbortSignal, work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(signal, this.#options.callTimeoutSeconds, work);
  }

  /**
   * @returns any answer but 401 and 429
   * @throws ServiceError
   */
  async call(call: ServiceCall, signal: AbortSignal): Promise<HttpResponse> {
    const startedAt = performance.now();
    const count = (result: string, answered: boolean) => {
      const seconds = (performance.now() - startedAt) / 1000;
      this.#options.metrics.called(this.#options.name, call.operation, result, seconds, answered);
    };
    try {
      const response = await this.#withFreshToken(call, signal);
      count(String(response.status), true);
      return response;
    } catch (error) {
      // A status that comes with credentials is the token endpoint's, not the service's.
      if (error instanceof ServiceError) count(error.code, error.status !== undefined && error.outcome === "Refused");
      throw error;
    }
  }

  /** A 401 was definitely not done, so it is safe to ask once more with another token, writes included. */
  async #withFreshToken(call: ServiceCall, signal: AbortSignal): Promise<HttpResponse> {
    const { name, tokens } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const { response, token } = await this.#once(call, signal);
      if (response.status === 429) {
        throw serviceError(name, `${name}: ${call.operation} was throttled (429)`, {
          code: "Throttled",
          outcome: "Refused",
          status: 429,
          retryAfterSeconds: retryAfterSeconds(response.headers),
        });
      }
      if (response.status !== 401) return response;
      tokens.refused(token);
      if (attempt === 2) {
        throw serviceError(
          name,
          `${name}: ${call.operation} was refused (401) with a token just issued: check that the client of the credentials is a user of this organization and is enabled`,
          { code: "Unauthorized", outcome: "Refused", status: 401 },
        );
      }
    }
  }

  async #once(call: ServiceCall, signal: AbortSignal): Promise<{ response: HttpResponse; token: AccessToken }> {
    const { name, transport, authorize, stop } = this.#options;
    const { grant, token } = await underBoth([signal, stop], (unsent) => this.#leave(call, unsent));
    let result = notSent;
    const sentAt = performance.now();
    try {
      const { method, url, headers, body } = call;
      const request = {
        method,
        url,
        headers: { ...headers, ...authorize(token) },
        ...(body === undefined ? {} : { body }),
      };
      const response = await transport.send(name, request, signal);
      result = resultOf(response);
      return { response, token };
    } catch (error) {
      const sent = error instanceof ServiceError && error.outcome !== "NotSent";
      result = { sent, executionSeconds: sent ? (performance.now() - sentAt) / 1000 : 0 };
      throw error;
    } finally {
      grant.release(result);
    }
  }

  /** What a call needs before it is sent: leave under the limits, and a token. */
  async #leave(call: ServiceCall, signal: AbortSignal): Promise<{ grant: Grant; token: AccessToken }> {
    const { name, tokens, governor } = this.#options;
    const grant = await governor.acquire(call.lane, signal).catch(() => {
      throw noGrant(name, call.operation, governor, signal);
    });
    try {
      return { grant, token: await tokens.get(signal) };
    } catch (error) {
      grant.release(notSent);
      throw error;
    }
  }
}

const notSent: CallResult = { sent: false, executionSeconds: 0 };

/** The limits' headers (api-limits.md, send-parallel-requests.md); Campaign sends none of them. */
function resultOf(response: HttpResponse): CallResult {
  const { headers, status } = response;
  const retryAfter = retryAfterSeconds(headers);
  const throttled = status === 429 || (status === 503 && retryAfter !== undefined);
  return {
    sent: true,
    executionSeconds: response.secondsToAnswer,
    ...(throttled ? { throttled: { retryAfterSeconds: retryAfter, limit: limitOf(response) } } : {}),
    recommendedParallelism: numberHeader(headers, "x-ms-dop-hint"),
    remainingCalls: numberHeader(headers, "x-ms-ratelimit-burst-remaining-xrm-requests"),
    remainingExecutionSeconds: numberHeader(headers, "x-ms-ratelimit-time-remaining-xrm-requests"),
  };
}

function noGrant(name: ServiceName, operation: string, governor: Governor, signal: AbortSignal): ServiceError {
  const ended = abortedError(name, operation, signal, "NotSent");
  if (ended.code !== "TimedOut") return ended;
  const { pausedSeconds } = governor.state();
  return serviceError(name, `${name}: ${operation} waited in vain for room under the service's limits`, {
    code: "NoGrant",
    outcome: "NotSent",
    ...(pausedSeconds > 0 ? { retryAfterSeconds: pausedSeconds } : {}),
  });
}
