/** Cookies that belong to this host alone, and hold what only this server can read. */
import type { SerializeOptions } from "@fastify/cookie";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type PendingSignIn, pendingSeconds } from "./oidc/pending.ts";

/** `__Host-`: the browser takes it only with Secure, Path=/ and no Domain. It counts localhost as secure. */
const sessionCookie = "__Host-session";
const pendingCookie = "__Host-sign-in-";

/** A cookie of more than 4,096 bytes is dropped without a word, and a token of a person in many groups is longer. */
const partCharacters = 3800;
const mostParts = 8;
/** Sign-ins begun in several tabs at a time; each cookie more is a header longer. */
const mostPending = 4;

const strict = { path: "/", httpOnly: true, secure: true, sameSite: "strict" } satisfies SerializeOptions;
/**
 * Comes back with the person from the issuer, which is another site: a strict one would not. It names nobody, and is of no
 * use without the answer that it waits for.
 */
const lax = { ...strict, sameSite: "lax" } satisfies SerializeOptions;

export function fitsCookies(sealed: string): boolean {
  return sealed.length <= partCharacters * mostParts;
}

/** @throws RangeError when not even all parts together hold it */
export function setSession(reply: FastifyReply, sealed: string): void {
  if (!fitsCookies(sealed)) throw new RangeError("the token is too long for cookies");
  const parts = sealed.match(new RegExp(`.{1,${partCharacters}}`, "g")) ?? [];
  for (let index = 0; index < mostParts; index += 1) {
    const part = parts[index];
    if (part !== undefined) set(reply, nameOf(index), part, strict);
    else if (reply.request.cookies[nameOf(index)] !== undefined) clear(reply, nameOf(index), strict);
  }
}

export function clearSession(reply: FastifyReply): void {
  for (let index = 0; index < mostParts; index += 1) {
    if (reply.request.cookies[nameOf(index)] !== undefined) clear(reply, nameOf(index), strict);
  }
}

export function sealedSession(request: FastifyRequest): string | undefined {
  const parts: string[] = [];
  for (let index = 0; index < mostParts; index += 1) {
    const part = request.cookies[nameOf(index)];
    if (part === undefined) break;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join("");
}

/** One for each sign-in that was begun, so that two tabs do not take each other's. */
export function setPending(reply: FastifyReply, { state }: PendingSignIn, sealed: string): void {
  const others = Object.keys(reply.request.cookies).filter((name) => name.startsWith(pendingCookie));
  for (const name of others.slice(0, Math.max(0, others.length - mostPending + 1))) clear(reply, name, lax);
  set(reply, pendingNameOf(state), sealed, { ...lax, maxAge: pendingSeconds });
}

/** Takes it away from the browser as well: it is used once. */
export function takePending(request: FastifyRequest, reply: FastifyReply, state: string): string | undefined {
  const name = pendingNameOf(state);
  const sealed = request.cookies[name];
  if (sealed !== undefined) clear(reply, name, lax);
  return sealed;
}

function nameOf(index: number): string {
  return index === 0 ? sessionCookie : `${sessionCookie}-${index}`;
}

/** A few characters tell them apart; the whole state is compared inside. */
function pendingNameOf(state: string): string {
  return `${pendingCookie}${state.replaceAll(/[^\w-]/g, "").slice(0, 12)}`;
}

/** Written at once, not when the answer is sent: a stream of changes sends its own head. */
function set(reply: FastifyReply, name: string, value: string, options: SerializeOptions): void {
  reply.header("set-cookie", reply.server.serializeCookie(name, value, options));
}

function clear(reply: FastifyReply, name: string, options: SerializeOptions): void {
  set(reply, name, "", { ...options, maxAge: 0, expires: new Date(0) });
}
