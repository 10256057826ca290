/** Who makes a request. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { People, Person } from "../person.ts";
import { whoIs } from "../person.ts";
import { clearSession, fitsCookies, sealedSession, setSession } from "./cookies.ts";
import type { Renewals } from "./oidc/renewals.ts";
import type { Session, Sessions } from "./session.ts";
import { tokenEnd } from "./token-end.ts";

export interface SignedIn {
  readonly session: Session;
  readonly person: Person;
  /** A proxy's sign-in is ended at the proxy. */
  readonly canSignOut: boolean;
}

export interface SignedInParts {
  readonly people: People;
  readonly sessions: Sessions;
  /** Where tokens are renewed. */
  readonly renewals: Renewals | undefined;
}

/**
 * @returns undefined when nobody is signed in: never somebody without a name
 * @throws SignInError while a token has ended and its issuer does not answer
 */
export async function bySession(
  request: FastifyRequest,
  reply: FastifyReply,
  { people, sessions, renewals }: SignedInParts,
): Promise<SignedIn | undefined> {
  const sealed = sealedSession(request);
  if (sealed === undefined) return undefined;
  const opened = await sessions.open(sealed);
  const session = opened === undefined || renewals === undefined ? opened : await renewals.current(opened);
  if (session === undefined || sessions.isOver(session)) {
    clearSession(reply);
    return undefined;
  }
  if (session !== opened) {
    const renewed = await sessions.seal(session);
    if (fitsCookies(renewed)) setSession(reply, renewed);
  }
  return { session, person: people.as(session.token), canSignOut: true };
}

/** Each request stands for itself; whose token it is, the API server says. */
export async function byProxy(
  request: FastifyRequest,
  header: string,
  { people, sessions }: Pick<SignedInParts, "people" | "sessions">,
): Promise<SignedIn | undefined> {
  const token = proxiedToken(request, header);
  if (token === undefined) return undefined;
  const person = people.as(token);
  const user = await whoIs(person);
  return user === undefined
    ? undefined
    : { session: sessions.make(user, { token, endsAtMs: tokenEnd(token) }), person, canSignOut: false };
}

export function proxiedToken(request: FastifyRequest, header: string): string | undefined {
  const value = request.headers[header];
  // Two headers of one name: somebody has added theirs to the proxy's.
  if (
    typeof value !== "string" ||
    request.raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === header).length !== 1
  )
    return undefined;
  const token = value.replace(/^Bearer /i, "").trim();
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(token) ? token : undefined;
}
