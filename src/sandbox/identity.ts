import { createHash, timingSafeEqual } from "node:crypto";

/** One application that may sign in to one of the two sides. */
export interface Application {
  readonly clientId: string;
  clientSecret: string;
}

/** The access tokens that one identity provider has given out. */
export class AccessTokens {
  lifetimeSeconds: number;
  readonly #expiries = new Map<string, number>();
  readonly #now: () => number;
  readonly #name: string;
  #issued = 0;

  constructor(name: string, lifetimeSeconds: number, now: () => number) {
    this.#name = name;
    this.lifetimeSeconds = lifetimeSeconds;
    this.#now = now;
  }

  /** A new token in the form of a JWT; nothing in it means anything. */
  issue(): string {
    this.#issued += 1;
    const digest = createHash("sha256").update(`${this.#name} ${this.#issued} ${this.#now()}`).digest("base64url");
    const token = `eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.${Buffer.from(`{"n":${this.#issued}}`).toString("base64url")}.${digest}`;
    this.#expiries.set(token, this.#now() + this.lifetimeSeconds * 1000);
    return token;
  }

  state(token: string): "valid" | "expired" | "unknown" {
    const expiry = this.#expiries.get(token);
    if (expiry === undefined) return "unknown";
    return expiry > this.#now() ? "valid" : "expired";
  }

  /** From now on every token given out so far has expired. */
  expireAll(): void {
    for (const token of this.#expiries.keys()) this.#expiries.set(token, 0);
  }
}

/** The token in `Authorization: Bearer ...`. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1];
}

export function secretMatches(application: Application, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(application.clientSecret), digest(secret));
}
