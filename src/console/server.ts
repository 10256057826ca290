/** The Workflows page: HTML that reads without JavaScript, over the API server as the person who is signed in. */
import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import files from "@fastify/static";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { ApiError, ConnectionError } from "../kubernetes/errors.ts";
import type { DatedClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { EditDesk } from "./edit-desk.ts";
import { addEditRoutes } from "./edit-routes.ts";
import { headOf, isLedByAnother, refusalOf } from "./guard.ts";
import type { Html } from "./html.ts";
import { requestLimit, sizeLimits } from "./limits.ts";
import { addListRoutes } from "./list-routes.ts";
import { measureRequests } from "./metrics.ts";
import { addNewRoutes } from "./new-routes.ts";
import { problemPage } from "./pages/problem.ts";
import type { People } from "./person.ts";
import type { ConsoleSettings } from "./settings.ts";
import { clearSession } from "./sign-in/cookies.ts";
import { goOn } from "./sign-in/go-on.ts";
import { SignInError } from "./sign-in/oidc/failure.ts";
import type { Sessions } from "./sign-in/session.ts";
import { addSignIn } from "./sign-in/ways.ts";
import { texts } from "./texts.ts";
import { addWorkflowRoutes, problemOf } from "./workflow-routes.ts";

export interface ServerParts {
  readonly settings: Omit<ConsoleSettings, "address" | "metricsAddress" | "connection">;
  readonly people: People;
  readonly sessions: Sessions;
  readonly registry: Registry;
  readonly clock: DatedClock;
  readonly logger: Logger;
}

/** Nobody is signed in; the answer leads there. */
class NotSignedIn extends Error {}

export async function consoleServer({
  settings,
  people,
  sessions,
  registry,
  clock,
  logger,
}: ServerParts): Promise<FastifyInstance> {
  const { publicOrigin, assetsDirectory, trustedProxies } = settings;
  const server = fastify({
    logger: false,
    ...sizeLimits,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    forceCloseConnections: true,
    frameworkErrors: (_error, _request, reply) => notUnderstood(reply),
  });
  measureRequests(server, registry);
  await server.register(helmet, securityHeaders(publicOrigin));
  await server.register(rateLimit, requestLimit(settings.signIn, sessions));
  await server.register(cookie);
  await server.register(formbody);
  await server.register(files, { root: assetsDirectory, prefix: "/assets/", index: false, maxAge: 0 });

  server.addHook("onRequest", async (request, reply) => {
    const why = refusalOf(headOf(request), publicOrigin);
    if (why === undefined) return;
    logger.warn("request.refused", { why, path: pathOnly(request) });
    await send(reply.code(403), problemPage("Refused", why, undefined));
  });
  server.addHook("onSend", async (request, reply) => {
    if (!pathOnly(request).startsWith("/assets/")) reply.header("cache-control", "no-store");
  });

  const way = addSignIn(server, { settings, people, sessions, clock, logger, send });
  const who = async (request: FastifyRequest, reply: FastifyReply) => {
    const found = await way.who(request, reply);
    if (found === undefined) throw new NotSignedIn();
    return found;
  };

  server.get("/", (_request, reply) => reply.redirect("/workflows", 303));
  // Not counted: where an ingress and the kubelet share an address, strangers could have the pod killed.
  server.get("/livez", { config: { rateLimit: false } }, (_request, reply) => reply.send("ok\n"));
  const parts = { sessions, clock, now: () => clock.date().getTime(), logger, who, send };
  addListRoutes(server, parts);
  addWorkflowRoutes(server, parts);
  const editParts = { ...parts, workerImage: settings.workerImage };
  const desk = new EditDesk(editParts);
  addEditRoutes(server, editParts, desk);
  addNewRoutes(server, editParts, desk);

  server.setNotFoundHandler((_request, reply) =>
    send(reply.code(404), problemPage("It is not there", "There is no such page.", undefined)),
  );
  server.setErrorHandler(async (error, request, reply) => {
    const isLost = error instanceof NotSignedIn || (error instanceof ApiError && error.status === 401);
    if (isLost && !way.isHere) return send(reply.code(401), way.page());
    if (isLost) {
      // Who is signed in is seen as soon as this server's own page asks: a browser keeps strict cookies back from a link elsewhere.
      if (request.method === "GET" && isLedByAnother(headOf(request))) return goOn(reply, texts.oneMoment, request.url);
      clearSession(reply);
      if (request.method !== "GET" || pathOnly(request).startsWith("/live/")) return send(reply.code(401), way.page());
      return reply.redirect(`/sign-in?to=${encodeURIComponent(request.url)}`, 303);
    }
    const problem = problemOf(error) ?? failureOf(error);
    // What became of a sign-in is logged where it is known.
    if (problem.status >= 500 && !(error instanceof SignInError))
      logger.error("request.failed", { path: pathOnly(request), error });
    return send(reply.code(problem.status), problemPage(problem.title, problem.message, undefined));
  });
  return server;
}

function send(reply: FastifyReply, content: Html): FastifyReply {
  return reply.type("text/html; charset=utf-8").send(content.toString());
}

/** Of an address that is none: no route and none of their headers stand behind it. */
function notUnderstood(reply: FastifyReply): void {
  void reply
    .code(400)
    .headers({ "content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff" })
    .type("text/plain; charset=utf-8")
    .send("That address is not understood.\n");
}

/** Without its query, which may hold anything. */
function pathOnly(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? "";
}

function failureOf(error: unknown): { readonly status: number; readonly title: string; readonly message: string } {
  if (error instanceof SignInError) return { status: error.status, title: texts.signIn, message: error.message };
  if (error instanceof ConnectionError) {
    return {
      status: 502,
      title: "The cluster does not answer",
      message: "Its API server could not be asked. Try again.",
    };
  }
  const status =
    error instanceof Error && "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : 500;
  if (status === 429) return { status, title: "Too many requests", message: "Wait a minute, then try again." };
  if (status < 500) return { status, title: "That request is not understood", message: "Go back and try again." };
  return { status, title: "Something went wrong here", message: "It is in the log of the page's server." };
}

/** Scripts and styles come from this server's files alone; nobody frames the page; nothing is sent elsewhere. */
function securityHeaders(publicOrigin: string) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    strictTransportSecurity: publicOrigin.startsWith("https:") ? { maxAge: 31_536_000 } : false,
    // Not no-referrer: with it, a form's Origin is "null" and no change could be told from another site's.
    referrerPolicy: { policy: "same-origin" as const },
    crossOriginOpenerPolicy: { policy: "same-origin" as const },
    crossOriginResourcePolicy: { policy: "same-origin" as const },
  };
}
