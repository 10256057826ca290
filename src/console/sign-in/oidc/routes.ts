/** Signing in at an issuer, and out. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { headOf, isLedByAnother } from "../../guard.ts";
import { oidcSignInPage, signedOutPage } from "../../pages/oidc.ts";
import { whoIs } from "../../person.ts";
import type { OidcSettings } from "../../settings.ts";
import { texts } from "../../texts.ts";
import { clearSession, fitsCookies, sealedSession, setPending, setSession, takePending } from "../cookies.ts";
import { goOn } from "../go-on.ts";
import { ownPath } from "../own-path.ts";
import { bySession } from "../signed-in.ts";
import type { SignInParts, SignInWay } from "../ways.ts";
import { SignInError } from "./failure.ts";
import { Issuer } from "./issuer.ts";
import { PendingSignIns } from "./pending.ts";
import { Renewals } from "./renewals.ts";

type Query = Readonly<Record<string, unknown>>;

export function addOidcSignIn(server: FastifyInstance, parts: SignInParts, oidc: OidcSettings): SignInWay {
  const { settings, people, sessions, clock, logger, send } = parts;
  const now = () => clock.date().getTime();
  const issuer = new Issuer({ settings: oidc, publicOrigin: settings.publicOrigin, now });
  const renewals = new Renewals({ issuer, sessions, now, logger });
  const pending = new PendingSignIns(settings.sessionKey, now);
  server.addHook("onClose", () => issuer.close());
  // Nobody waits for it: the page is there without its issuer, too.
  server.addHook("onListen", () => void lookAhead(issuer, logger));

  const page = (to: string, problem?: string) => oidcSignInPage(issuer.url, to, problem);
  const fail = (reply: FastifyReply, to: string, error: unknown) => {
    if (!(error instanceof SignInError)) throw error;
    logger.warn("sign-in.refused", { code: error.code, why: error.message });
    return send(reply.code(error.status), page(to, error.message));
  };
  // Without HEAD: whoever asks for one of these does something.
  const acting = { exposeHeadRoute: false };

  server.get<{ Querystring: Query }>("/sign-in", (request, reply) => send(reply, page(ownPath(request.query["to"]))));

  // A link and not a form: the policy of this page lets forms go nowhere else, not even by a redirect.
  server.get<{ Querystring: Query }>("/sign-in/start", acting, async (request, reply) => {
    const to = ownPath(request.query["to"]);
    // It may lead here, but not have somebody signed in without a look at this page.
    if (isLedByAnother(headOf(request))) return send(reply, page(to));
    try {
      const begun = pending.begin(to);
      const url = await issuer.authorizationUrl(begun);
      setPending(reply, begun, await pending.seal(begun));
      return reply.redirect(url.href, 303);
    } catch (error) {
      return fail(reply, to, error);
    }
  });

  server.get<{ Querystring: Query }>("/sign-in/callback", acting, async (request, reply) => {
    // The address of this page holds the code: nobody is told of it.
    reply.header("referrer-policy", "no-referrer");
    const { state } = request.query;
    const sealed = typeof state === "string" ? takePending(request, reply, state) : undefined;
    const begun = sealed === undefined || typeof state !== "string" ? undefined : await pending.answer(sealed, state);
    // Nothing but what was begun here is looked at: not even an error that somebody has made up.
    if (begun === undefined)
      return fail(reply, ownPath(undefined), new SignInError("NotBegunHere", texts.oidc.notBegunHere));
    try {
      const grant = await issuer.redeem(request.url.slice(request.url.indexOf("?")), begun);
      const user = await whoIs(people.as(grant.token));
      if (user === undefined)
        throw new SignInError("TokenNotTaken", texts.oidc.notTaken(issuer.url, issuer.clientId, oidc.token));
      const session = sessions.make(user, grant, grant.subject);
      const whole = await sessions.seal(session);
      if (!fitsCookies(whole)) throw new SignInError("TokenTooLong", texts.oidc.tooLong);
      setSession(reply, whole);
      logger.info("sign-in.done", { user });
      return goOn(reply, texts.oidc.signedIn, begun.to);
    } catch (error) {
      return fail(reply, begun.to, error);
    }
  });

  server.post("/sign-out", async (request, reply) => {
    const session = await sessions.open(sealedSession(request) ?? "");
    if (session !== undefined) {
      sessions.end(session);
      renewals.forget(session);
    }
    clearSession(reply);
    return reply.redirect("/signed-out", 303);
  });

  server.get("/signed-out", async (_request, reply) => {
    const there = await issuer.signOutUrl().catch((error: unknown) => {
      if (error instanceof SignInError) return undefined;
      throw error;
    });
    return send(reply, signedOutPage(issuer.url, there?.href));
  });

  return {
    who: (request, reply) => bySession(request, reply, { people, sessions, renewals }),
    page: () => page(ownPath(undefined)),
    isHere: true,
  };
}

async function lookAhead(issuer: Issuer, logger: SignInParts["logger"]): Promise<void> {
  try {
    await issuer.find();
    logger.info("issuer.found", { issuer: issuer.url });
  } catch (error) {
    const why = error instanceof SignInError ? { code: error.code, why: error.message } : { error };
    logger.warn("issuer.not-found", { issuer: issuer.url, ...why });
  }
}
