import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { packToken, seal, unpackToken, unseal } from "../../../../src/console/sign-in/sealed.ts";

const key = randomBytes(32);
const base64url = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("base64url"));

/** Halves of characters, too. */
const anything = fc.array(fc.nat(0xffff), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));

test("whatever a token is, it comes out as it went in", () => {
  const jwts = fc.array(fc.oneof(base64url, fc.string()), { maxLength: 5 }).map((parts) => parts.join("."));
  fc.assert(fc.property(fc.oneof(jwts, anything), (token) => unpackToken(packToken(token)) === token));
});

test("what a token says is packed as it says it, so that it deflates", () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "RS256" })}.${part({ groups: ["a", "b"] })}.c2lnbmF0dXJl`;
  expect(packToken(token)).toEqual(['{"alg":"RS256"}', '{"groups":["a","b"]}', "c2lnbmF0dXJl"]);
});

test("only this key opens it, only for its purpose, and not when a character is another", async () => {
  const sealed = await seal({ who: "alice" }, "session", key);
  expect(await unseal(sealed, "session", key)).toEqual({ who: "alice" });
  expect(await unseal(sealed, "sign-in", key)).toBeUndefined();
  expect(await unseal(sealed, "session", randomBytes(32))).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom("A", "b", "_", ".", " "), async (at, sign) => {
      const other = `${sealed.slice(0, at)}${sign}${sealed.slice(at + 1)}`;
      // The last character of a part has bits that mean nothing.
      const same = Buffer.from(other.replaceAll(".", ""), "base64url").equals(
        Buffer.from(sealed.replaceAll(".", ""), "base64url"),
      );
      expect(same || (await unseal(other, "session", key)) === undefined).toBe(true);
    }),
  );
  await fc.assert(fc.asyncProperty(fc.string(), async (text) => (await unseal(text, "session", key)) === undefined));
});
