/** The next token of a session whose token has ended, or is about to. */
import type { Logger } from "../../../telemetry/log.ts";
import type { Session, Sessions } from "../session.ts";
import { SignInError } from "./failure.ts";
import type { Issuer } from "./issuer.ts";

export interface RenewalsParts {
  readonly issuer: Pick<Issuer, "renew" | "revoke">;
  readonly sessions: Sessions;
  readonly now: () => number;
  readonly logger: Logger;
}

/** As long an issuer that did not answer is not asked again for the same session. */
const pauseMs = 5000;

/**
 * Renews sessions.
 *
 * Guarantee: one refresh token is sent once by this process, however many requests of the session come at a time: issuers that
 * rotate them take a second use for theft. So the newest session is kept until its token ends, for requests that were sent
 * before the browser had its cookie.
 */
export class Renewals {
  readonly #parts: RenewalsParts;
  readonly #newest = new Map<string, Session>();
  readonly #running = new Map<string, Promise<Session | undefined>>();
  readonly #failed = new Map<string, { readonly atMs: number; readonly error: SignInError }>();

  constructor(parts: RenewalsParts) {
    this.#parts = parts;
  }

  /**
   * @returns the session with a token that is good now; undefined when there is none any more
   * @throws SignInError while the token has ended and the issuer does not answer
   */
  async current(session: Session): Promise<Session | undefined> {
    const newest = this.newest(session);
    const { id, endsAtMs, renewal } = newest;
    const now = this.#parts.now();
    if (renewal === undefined) return endsAtMs > now ? newest : undefined;
    if (renewal.fromMs > now) return newest;
    const running = this.#running.get(id) ?? this.#renew(newest, renewal).finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  /** Also where the browser has sent an older cookie of the session. */
  newest(session: Session): Session {
    return this.#newest.get(session.id) ?? session;
  }

  /** After the session was ended: nothing of it is kept, here or at the issuer. */
  forget(session: Session): void {
    const { renewal } = this.newest(session);
    this.#newest.delete(session.id);
    this.#failed.delete(session.id);
    if (renewal === undefined) return;
    this.#parts.issuer.revoke(renewal.refreshToken).catch((error: unknown) => {
      this.#parts.logger.warn("sign-out.not-told", { user: session.user, error });
    });
  }

  async #renew(session: Session, renewal: NonNullable<Session["renewal"]>): Promise<Session | undefined> {
    const { issuer, sessions, now, logger } = this.#parts;
    const { id, user } = session;
    const isGood = () => session.endsAtMs > now();
    const failed = this.#failed.get(id);
    if (failed !== undefined && now() - failed.atMs < pauseMs) {
      if (isGood()) return session;
      throw failed.error;
    }
    try {
      const grant = await issuer.renew(renewal.refreshToken, renewal.subject);
      const renewed = sessions.renew(session, renewal, grant);
      this.#failed.delete(id);
      this.#keep(renewed);
      logger.debug("sign-in.renewed", { user });
      // Signed out meanwhile: the token that has just come is nobody's.
      if (!sessions.isOver(renewed)) return renewed;
      this.forget(renewed);
      return undefined;
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      logger.warn("sign-in.not-renewed", { user, code: error.code, why: error.message });
      if (error.code === "AnswerRefused") {
        const { renewal: _refused, ...last } = session;
        this.#keep(last);
        return isGood() ? last : undefined;
      }
      this.#failed.set(id, { atMs: now(), error });
      if (isGood()) return session;
      throw error;
    }
  }

  #keep(session: Session): void {
    const now = this.#parts.now();
    for (const [id, { endsAtMs }] of this.#newest) if (endsAtMs <= now) this.#newest.delete(id);
    for (const [id, { atMs }] of this.#failed) if (now - atMs >= pauseMs) this.#failed.delete(id);
    this.#newest.set(session.id, session);
  }
}
