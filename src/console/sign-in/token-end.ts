/** When a token ends by its own word; the API server says whether it is any good. @returns undefined when it does not say */
export function tokenEnd(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    if (typeof claims !== "object" || claims === null || !("exp" in claims)) return undefined;
    return typeof claims.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    // Not a JWT: some tokens are plain words.
    return undefined;
  }
}
