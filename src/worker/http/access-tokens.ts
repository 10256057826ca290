import type { Clock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { abortedError, CredentialsError, type ServiceName, serviceError } from "./service-error.ts";
import type { IssuedToken } from "./token-endpoint.ts";
import { untilAborted } from "./until-aborted.ts";

/** A token in use, and the client id that it was issued to (Campaign wants it beside the token). */
export interface AccessToken {
  readonly value: string;
  readonly clientId: string;
}

export interface AccessTokensOptions<Credentials extends { readonly clientId: string }> {
  readonly service: ServiceName;
  /** Reads the mounted credentials anew. @throws CredentialsError */
  readonly read: () => Promise<Credentials>;
  /** Signs in. @throws CredentialsError `CredentialsRejected`, or ServiceError for an outage */
  readonly signIn: (credentials: Credentials, signal: AbortSignal) => Promise<IssuedToken>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

interface Held {
  readonly token: AccessToken;
  /** The credentials that it was issued for, as text to compare by. */
  readonly credentials: string;
  readonly refreshAt: number;
  readonly expiresAt: number;
}

const signInTimeoutMs = 30_000;
const lookAtFilesEveryMs = 10_000;
const firstRetryMs = 1000;
const longestRetryMs = 30_000;

/**
 * The token of one service: cached, refreshed in the background ahead of its expiry, at another moment in every
 * process; asked for once at a time, whoever waits; asked for anew when it was refused or the mounted credentials
 * changed. A sign-in that failed is repeated by whoever asks next, but not before a pause that grows from 1 s to 30 s.
 */
export class AccessTokens<Credentials extends { readonly clientId: string }> {
  readonly #options: AccessTokensOptions<Credentials>;
  #held: Held | undefined;
  #flight: Promise<Held> | undefined;
  #lookAt = 0;
  #failed: { readonly error: unknown; readonly until: number; readonly pauseMs: number } | undefined;

  constructor(options: AccessTokensOptions<Credentials>) {
    this.#options = options;
  }

  /**
   * @throws CredentialsError when only a person can help; ServiceError for an outage of the token endpoint.
   * Nothing was sent to the service in either case
   */
  async get(signal: AbortSignal): Promise<AccessToken> {
    await this.#noticeChangedFiles();
    const now = this.#options.clock.now();
    const held = this.#held;
    if (held !== undefined && now < held.expiresAt) {
      if (now >= held.refreshAt) this.#refreshBehind();
      return held.token;
    }
    if (this.#failed !== undefined && now < this.#failed.until) throw this.#failed.error;
    const givenUp = () => abortedError(this.#options.service, "the sign-in", signal, "NotSent");
    return (await untilAborted(this.#refresh(), signal, givenUp)).token;
  }

  /** The service answered 401 to this token: whoever asks next gets another one. */
  refused(token: AccessToken): void {
    if (this.#held?.token === token) this.#held = undefined;
  }

  #refreshBehind(): void {
    const now = this.#options.clock.now();
    if (this.#flight !== undefined || (this.#failed !== undefined && now < this.#failed.until)) return;
    this.#refresh().catch((error: unknown) => {
      // The token in hand is still good: nobody else hears of this failure.
      this.#options.logger.warn("token.refresh-failed", { service: this.#options.service, error });
    });
  }

  #refresh(): Promise<Held> {
    this.#flight ??= this.#signIn().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #signIn(): Promise<Held> {
    try {
      const held = await this.#signInReadingTwice();
      this.#held = held;
      this.#failed = undefined;
      this.#options.logger.debug("token.issued", { service: this.#options.service });
      return held;
    } catch (error) {
      const pauseMs = this.#failed === undefined ? firstRetryMs : Math.min(this.#failed.pauseMs * 2, longestRetryMs);
      this.#failed = { error, pauseMs, until: this.#options.clock.now() + pauseMs };
      throw error;
    }
  }

  /** A rejection counts only for the credentials that are mounted now: a rotation may have passed by. */
  async #signInReadingTwice(): Promise<Held> {
    const credentials = await this.#options.read();
    try {
      return await this.#issue(credentials);
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      const again = await this.#options.read();
      if (textOf(again) === textOf(credentials)) throw error;
      return await this.#issue(again);
    }
  }

  async #issue(credentials: Credentials): Promise<Held> {
    const { clock, random, service, signIn } = this.#options;
    const askedAt = clock.now();
    const deadline = new AbortController();
    const cancel = clock.schedule(signInTimeoutMs, () => deadline.abort(new DOMException("timed out", "TimeoutError")));
    try {
      const issued = await signIn(credentials, deadline.signal);
      const lifeMs = issued.lifeSeconds * 1000;
      return {
        token: { value: issued.accessToken, clientId: credentials.clientId },
        credentials: textOf(credentials),
        refreshAt: askedAt + lifeMs * (0.75 + 0.1 * random()),
        expiresAt: askedAt + lifeMs - Math.min(lifeMs * 0.05, 10_000),
      };
    } catch (error) {
      // A call that failed at the token endpoint was, for the service itself, never sent.
      if (error instanceof CredentialsError || !(error instanceof Error) || !("outcome" in error)) throw error;
      if (error.outcome === "NotSent") throw error;
      throw serviceError(service, `${service}: no token: ${error.message}`, {
        code: "Outage",
        outcome: "NotSent",
        cause: error,
      });
    } finally {
      cancel();
    }
  }

  async #noticeChangedFiles(): Promise<void> {
    const { clock, read } = this.#options;
    if (this.#held === undefined || clock.now() < this.#lookAt) return;
    this.#lookAt = clock.now() + lookAtFilesEveryMs;
    const mounted = await read().catch(() => undefined); // a token in hand outlives its Secret; the next sign-in tells
    if (mounted === undefined || textOf(mounted) === this.#held?.credentials) return;
    this.#options.logger.info("credentials.changed", { service: this.#options.service });
    this.#held = undefined;
  }
}

function textOf(credentials: object): string {
  return JSON.stringify(Object.entries(credentials).sort(([a], [b]) => (a < b ? -1 : 1)));
}
