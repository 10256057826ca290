/** What this server hands to a browser and takes back: encrypted, and good for one purpose alone. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { CompactEncrypt, compactDecrypt, errors } from "jose";

/** Stands, authenticated, in the head of what is sealed: one kind is never taken for the other. */
export type Purpose = "session" | "sign-in";

/** Deflated first: the groups in a token are much alike, and cookies are short. Nobody else chooses what stands beside them. */
export function seal(value: unknown, purpose: Purpose, key: Uint8Array): Promise<string> {
  return new CompactEncrypt(deflateRawSync(JSON.stringify(value)))
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", typ: purpose })
    .encrypt(key);
}

/** @returns undefined for whatever was not sealed with this key for this purpose */
export async function unseal(sealed: string, purpose: Purpose, key: Uint8Array): Promise<unknown> {
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ["dir"],
      contentEncryptionAlgorithms: ["A256GCM"],
    });
    if (protectedHeader["typ"] !== purpose) return undefined;
    return JSON.parse(inflateRawSync(plaintext).toString("utf8"));
  } catch (error) {
    // Whatever is wrong with it, whoever sent it has nothing of this server's.
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** A JWT's first two parts as what they say, which deflates; as one text where writing them again would not give the same. */
export type PackedToken = string | readonly [header: string, claims: string, signature: string];

export function packToken(token: string): PackedToken {
  const parts = token.split(".");
  const [header = "", claims = "", signature = ""] = parts;
  const packed = [decoded(header), decoded(claims), signature] as const;
  return parts.length === 3 && unpackToken(packed) === token ? packed : token;
}

export function unpackToken(packed: PackedToken): string {
  if (typeof packed === "string") return packed;
  const [header, claims, signature] = packed;
  return [encoded(header), encoded(claims), signature].join(".");
}

const decoded = (text: string): string => Buffer.from(text, "base64url").toString("utf8");
const encoded = (text: string): string => Buffer.from(text, "utf8").toString("base64url");
