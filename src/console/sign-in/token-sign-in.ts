/** Signing in with a token that a person enters. */
import type { FastifyInstance } from "fastify";
import type { Html } from "../html.ts";
import { signInLimit } from "../limits.ts";
import { signInPage } from "../pages/sign-in.ts";
import { whoIs } from "../person.ts";
import { texts } from "../texts.ts";
import { fitsCookies, sealedSession, setSession } from "./cookies.ts";
import { ownPath } from "./own-path.ts";
import { tokenEnd } from "./token-end.ts";
import type { SignInParts } from "./ways.ts";

/** @returns the page to sign in at, for somebody who is led back to the list */
export function addTokenSignIn(
  server: FastifyInstance,
  { people, sessions, clock, logger, send }: SignInParts,
): () => Html {
  server.get<{ Querystring: { to?: unknown } }>("/sign-in", (request, reply) =>
    send(reply, signInPage(undefined, ownPath(request.query.to))),
  );
  server.post<{ Body: { token?: unknown; to?: unknown } | null }>(
    "/sign-in",
    { config: signInLimit },
    async (request, reply) => {
      const { token, to } = request.body ?? {};
      const path = ownPath(to);
      const given = typeof token === "string" ? token.trim() : "";
      if (given === "") return send(reply.code(422), signInPage(texts.tokenMissing, path));
      const user = /^[\x21-\x7e]+$/.test(given) ? await whoIs(people.as(given)) : undefined;
      if (user === undefined) {
        logger.warn("sign-in.refused");
        return send(reply.code(401), signInPage(texts.tokenRefused, path));
      }
      const session = sessions.make(user, { token: given, endsAtMs: tokenEnd(given) });
      if (session.endsAtMs <= clock.date().getTime())
        return send(reply.code(401), signInPage(texts.tokenRefused, path));
      const sealed = await sessions.seal(session);
      if (!fitsCookies(sealed)) return send(reply.code(422), signInPage(texts.tokenTooLong, path));
      // Whoever was signed in here before has left.
      const former = await sessions.open(sealedSession(request) ?? "");
      if (former !== undefined) sessions.end(former);
      setSession(reply, sealed);
      logger.info("sign-in.done", { user });
      return reply.redirect(path, 303);
    },
  );
  return () => signInPage(undefined, ownPath(undefined));
}
