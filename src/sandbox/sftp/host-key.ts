import { createHash, createPrivateKey, createPublicKey } from "node:crypto";

/** What an SSH server proves itself with. */
export interface HostKey {
  /** In OpenSSH's own form, without passphrase. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...`, as `campaign.sftp.hostKey` pins it. */
  readonly publicKey: string;
}

const type = "ssh-ed25519";
/** PKCS #8 of an Ed25519 key, up to its 32 bytes (RFC 8410, section 7). */
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** The same Ed25519 key for the same text. It is no secret: whoever has the source has it. */
export function hostKeyOf(text: string): HostKey {
  const seed = createHash("sha256").update(text).digest();
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const point = spki.subarray(-32);
  const shown = Buffer.concat([field(type), field(point)]);
  return { privateKey: openSsh(seed, point, shown), publicKey: `${type} ${shown.toString("base64")}` };
}

/** Source: OpenSSH, PROTOCOL.key. Nothing is encrypted. */
function openSsh(seed: Buffer, point: Buffer, shown: Buffer): string {
  const check = Buffer.alloc(8);
  const key = Buffer.concat([check, shown, field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (key.length % 8)) % 8 }, (_, n) => n + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    field("none"),
    field("none"),
    field(""),
    one,
    field(shown),
    field(Buffer.concat([key, padding])),
  ]);
  const lines = whole.toString("base64").match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A length of four bytes, and so many bytes. */
function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
