import { createHash } from "node:crypto";
import { FatalError } from "../engine/fatal.ts";

/** The bytes of a pinned key: `ssh-ed25519 AAAA...`, as ssh-keyscan prints it behind the host. */
export function pinnedKeyBytes(hostKey: string): Buffer {
  return Buffer.from(hostKey.trim().split(/\s+/)[1] ?? "", "base64");
}

/** As OpenSSH shows it: `SHA256:` and unpadded base64. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/**
 * The algorithms to ask for, the pinned key's own first: a server with several keys then shows the pinned one, and a
 * server without it shows another, whose fingerprint can be told. SHA-1 signatures (`ssh-rsa`) are not taken.
 */
export function hostKeyAlgorithms(hostKey: string) {
  const all = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
  ] as const;
  const type = hostKey.trim().split(/\s+/)[0] ?? "";
  const isPinned = (algorithm: string) => (type === "ssh-rsa" ? algorithm.startsWith("rsa-") : algorithm === type);
  return [...all.filter(isPinned), ...all.filter((algorithm) => !isPinned(algorithm))];
}

/** The server is not the one that was pinned. Nothing was sent to it, the user's name included. */
export function hostKeyMismatch(server: string, pinned: Buffer, shown: Buffer): FatalError {
  const type = typeOf(shown);
  return new FatalError(
    "HostKeyMismatch",
    `the SFTP server ${server} shows another host key than campaign.sftp.hostKey: it shows ${fingerprint(shown)} (${type}), ` +
      `pinned is ${fingerprint(pinned)} (${typeOf(pinned)}). Somebody may stand between. If Adobe confirms the new key, write it into ` +
      "campaign.sftp.hostKey (ssh-keyscan prints it), then stop and start the workflow",
  );
}

/** A key begins with its type, as a string with its length before it (RFC 4253 section 6.6). */
function typeOf(key: Buffer): string {
  if (key.length < 4) return "no key";
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? "no key" : key.toString("latin1", 4, 4 + length);
}
