/** How much anybody may ask of this server. */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { SignIn } from "./settings.ts";
import { sealedSession } from "./sign-in/cookies.ts";
import type { Sessions } from "./sign-in/session.ts";
import { proxiedToken } from "./sign-in/signed-in.ts";

const minute = 60_000;
const requestsAMinute = 600;
const signInsAMinute = 60;

export const sizeLimits = {
  bodyLimit: 1024 * 1024,
  requestTimeout: 60_000,
  // Node's own is 16 KiB, less than the cookies of somebody whose token is long: nothing would be answered any more.
  http: { maxHeaderSize: 64 * 1024 },
  // A name has up to 253 characters, and what is none is for the API server to say.
  routerOptions: { maxParamLength: 64 * 1024 },
} as const;

/** Of guesses at a token: each is a question to the API server. */
export const signInLimit = { rateLimit: { max: signInsAMinute, timeWindow: minute } };

/** Everybody for themselves: behind an ingress or a proxy, all have its address. */
export function requestLimit(signIn: SignIn, sessions: Sessions) {
  return {
    max: requestsAMinute,
    timeWindow: minute,
    keyGenerator: async (request: FastifyRequest): Promise<string> => {
      if (signIn.by === "proxy") {
        const token = proxiedToken(request, signIn.header);
        return token === undefined ? request.ip : createHash("sha256").update(token).digest("base64");
      }
      return (await sessions.open(sealedSession(request) ?? ""))?.id ?? request.ip;
    },
  };
}
