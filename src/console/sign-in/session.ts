/** Who is signed in, in a cookie that only this server can read. */
import { randomUUID } from "node:crypto";
import { type PackedToken, packToken, seal, unpackToken, unseal } from "./sealed.ts";

/** A person and the token that stands for them at the API server. It is in this cookie, and nowhere else. */
export interface Session {
  /** Tells this session from the same person's next one. */
  readonly id: string;
  readonly user: string;
  readonly token: string;
  /** When the token is worth nothing more. Milliseconds since 1970. */
  readonly endsAtMs: number;
  /** Absent: with the token the session ends. */
  readonly renewal?: Renewal;
}

/** What the next token of the session is asked for with. */
export interface Renewal {
  readonly refreshToken: string;
  /** Whom the issuer has signed in: it must be the same afterwards. */
  readonly subject: string;
  /** From when on the next one is asked for. Milliseconds since 1970. */
  readonly fromMs: number;
  /** However often it is renewed. Milliseconds since 1970. */
  readonly untilMs: number;
}

/** A token as an issuer gives it. */
export interface Token {
  readonly token: string;
  /** Absent: nobody says. Milliseconds since 1970. */
  readonly endsAtMs: number | undefined;
  /** Absent: it is not renewed. */
  readonly refreshToken?: string | undefined;
}

export interface SessionsOptions {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly now: () => number;
}

/** So long before its end a token is replaced, or a quarter of its life: a call takes time, and clocks differ. */
const earlyMs = 30_000;
/** However long the token lives. */
const longestSessionMs = 12 * 3_600_000;

interface SealedSession extends Omit<Session, "token"> {
  readonly packed: PackedToken;
}

/**
 * Makes and opens sessions.
 *
 * Guarantee: a session that was ended here opens no more, also for somebody who has copied its cookie. That is remembered by
 * this process: with a key that outlives it, a copy opens again after a restart until the session's own end. So the key is
 * made anew at each start unless several replicas need a common one.
 */
export class Sessions {
  readonly #key: Uint8Array;
  readonly #now: () => number;
  readonly #ended = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor({ key, now }: SessionsOptions) {
    this.#key = key;
    this.#now = now;
  }

  make(user: string, given: Token, subject = user): Session {
    const untilMs = this.#now() + longestSessionMs;
    return this.#with({ id: randomUUID(), user }, given, subject, untilMs);
  }

  /** The same session with its next token. */
  renew({ id, user }: Session, { subject, untilMs }: Renewal, given: Token): Session {
    return this.#with({ id, user }, given, subject, untilMs);
  }

  #with(
    person: Pick<Session, "id" | "user">,
    { token, refreshToken, ...given }: Token,
    subject: string,
    untilMs: number,
  ): Session {
    const endsAtMs = Math.min(untilMs, given.endsAtMs ?? untilMs);
    const session = { ...person, token, endsAtMs };
    if (refreshToken === undefined) return session;
    const fromMs = endsAtMs - Math.min(earlyMs, (endsAtMs - this.#now()) / 4);
    return { ...session, renewal: { refreshToken, subject, fromMs, untilMs } };
  }

  seal({ token, ...session }: Session): Promise<string> {
    const sealed: SealedSession = { ...session, packed: packToken(token) };
    return seal(sealed, "session", this.#key);
  }

  /** @returns undefined for what is no session of this server's, is over, or was ended */
  async open(sealed: string): Promise<Session | undefined> {
    const found = await unseal(sealed, "session", this.#key);
    if (found === undefined) return undefined;
    // Only seal() above seals for this purpose.
    const { packed, ...rest } = found as SealedSession;
    const session = { ...rest, token: unpackToken(packed) };
    return this.isOver(session) ? undefined : session;
  }

  end(session: Session): void {
    const { id } = session;
    for (const [old, overAtMs] of this.#ended) if (overAtMs < this.#now()) this.#ended.delete(old);
    this.#ended.set(id, lastMomentMs(session));
    for (const callback of this.#waiting.get(id) ?? []) callback();
  }

  /** Calls back when the session is ended here; not when its time is up. @returns what takes the call back */
  onEnd({ id }: Session, callback: () => void): () => void {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(callback));
    return () => {
      waiting.delete(callback);
      if (waiting.size === 0) this.#waiting.delete(id);
    };
  }

  /** A session whose token is worth nothing more is not over while it can be renewed. */
  isOver(session: Session): boolean {
    return this.#ended.has(session.id) || lastMomentMs(session) <= this.#now();
  }
}

function lastMomentMs({ endsAtMs, renewal }: Session): number {
  return renewal?.untilMs ?? endsAtMs;
}
