/** Where somebody is led after signing in. */

const home = "/workflows";
/** It waits in a cookie meanwhile, and a browser drops one of more than 4,096 bytes without a word. */
const mostCharacters = 1024;

/**
 * Only a page of this server: whatever else a link says, nobody is led away, nor round in a circle.
 * @returns path and query, in characters that may stand in a header
 */
export function ownPath(to: unknown): string {
  if (typeof to !== "string" || !/^\/[^/\\]/.test(to)) return home;
  const base = "http://own.invalid";
  const url = URL.parse(to, base);
  if (url === null || url.origin !== base || url.pathname.startsWith("//")) return home;
  const path = `${url.pathname}${url.search}`;
  return path.length > mostCharacters || /^\/(sign-in|sign-out|signed-out|live)([/?]|$)/.test(path) ? home : path;
}
