/** Sign-ins that were begun here and that the issuer has not answered yet. */
import { randomNonce, randomPKCECodeVerifier, randomState } from "openid-client";
import { seal, unseal } from "../sealed.ts";

export interface PendingSignIn {
  /** Comes back with the answer, and names the cookie that this is kept in. */
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The page that was asked for. */
  readonly to: string;
  /** Milliseconds since 1970. */
  readonly endsAtMs: number;
}

export const pendingSeconds = 600;

/**
 * Begins sign-ins and takes each answer once. What belongs to one is sealed in a cookie of the browser that began it.
 *
 * Guarantee: an answer is taken once, also from somebody who has copied the cookie. That is remembered by this process; the
 * issuer, too, takes a code once.
 */
export class PendingSignIns {
  readonly #key: Uint8Array;
  readonly #now: () => number;
  readonly #answered = new Map<string, number>();

  constructor(key: Uint8Array, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  begin(to: string): PendingSignIn {
    return {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      to,
      endsAtMs: this.#now() + pendingSeconds * 1000,
    };
  }

  seal(pending: PendingSignIn): Promise<string> {
    return seal(pending, "sign-in", this.#key);
  }

  /** @returns undefined when it is not the one that began with this state, is too old, or was answered before */
  async answer(sealed: string, state: string): Promise<PendingSignIn | undefined> {
    const found = await unseal(sealed, "sign-in", this.#key);
    if (found === undefined) return undefined;
    // Only seal() above seals for this purpose.
    const pending = found as PendingSignIn;
    if (pending.state !== state || pending.endsAtMs <= this.#now() || this.#answered.has(state)) return undefined;
    for (const [old, endsAtMs] of this.#answered) if (endsAtMs <= this.#now()) this.#answered.delete(old);
    this.#answered.set(state, pending.endsAtMs);
    return pending;
  }
}
