/** The ways to sign in, of which a server has one. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { DatedClock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Html } from "../html.ts";
import { problemPage } from "../pages/problem.ts";
import type { People } from "../person.ts";
import type { ConsoleSettings } from "../settings.ts";
import { texts } from "../texts.ts";
import { clearSession, sealedSession } from "./cookies.ts";
import { addOidcSignIn } from "./oidc/routes.ts";
import type { Sessions } from "./session.ts";
import { byProxy, bySession, type SignedIn } from "./signed-in.ts";
import { addTokenSignIn } from "./token-sign-in.ts";

export interface SignInParts {
  readonly settings: Pick<ConsoleSettings, "publicOrigin" | "signIn" | "sessionKey">;
  readonly people: People;
  readonly sessions: Sessions;
  readonly clock: DatedClock;
  readonly logger: Logger;
  readonly send: (reply: FastifyReply, content: Html) => FastifyReply;
}

/** One way to sign in, as the rest of the server sees it. */
export interface SignInWay {
  /** @returns undefined when nobody is signed in @throws SignInError while that cannot be known */
  readonly who: (request: FastifyRequest, reply: FastifyReply) => Promise<SignedIn | undefined>;
  /** What somebody sees who is not signed in, and who was nowhere that a link could lead back to. */
  readonly page: () => Html;
  /** Whether there is a page to sign in at. */
  readonly isHere: boolean;
}

export function addSignIn(server: FastifyInstance, parts: SignInParts): SignInWay {
  const { settings, people, sessions } = parts;
  const { signIn } = settings;
  switch (signIn.by) {
    case "proxy":
      return {
        who: (request) => byProxy(request, signIn.header, { people, sessions }),
        page: () => problemPage(texts.signIn, texts.tokenRefused, undefined),
        isHere: false,
      };
    case "token": {
      const page = addTokenSignIn(server, parts);
      server.post("/sign-out", async (request, reply) => {
        const session = await sessions.open(sealedSession(request) ?? "");
        if (session !== undefined) sessions.end(session);
        clearSession(reply);
        return reply.redirect("/sign-in", 303);
      });
      return {
        who: (request, reply) => bySession(request, reply, { people, sessions, renewals: undefined }),
        page,
        isHere: true,
      };
    }
    case "oidc":
      return addOidcSignIn(server, parts, signIn.oidc);
  }
}
