/**
 * X.509 certificates for clusters that live on one machine: an authority, and what it signs.
 * Node can read certificates but not write them, so the few ASN.1 structures of RFC 5280 are encoded here (DER, ITU-T X.690).
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";

/** A certificate and its private key, both PEM. */
export interface SignedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Who a certificate names. Kubernetes reads the common name as the user and each organization as a group. */
export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** DNS names and IPv4 addresses that a server with this certificate may be reached by. */
  readonly hosts?: readonly string[];
}

export interface CertificateAuthority {
  /** The authority's own certificate, PEM. */
  readonly certificate: string;
  /** Signs a new key (P-256) for `subject`, for a server and a client alike. */
  issue(subject: Subject): SignedCertificate;
}

const validityDays = 3650;
const millisecondsPerDay = 86_400_000;

/** Makes an authority with a new key, valid from an hour before `now` (clocks differ) for ten years. */
export function createAuthority(commonName: string, now: Date): CertificateAuthority {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const issuer = encodeName({ commonName });
  const sealed = (subject: Buffer, subjectKey: KeyObject, extensions: readonly Buffer[]): string => {
    const body = sequence(
      tlv(0xa0, integer(Buffer.from([2]))), // version 3
      integer(serialNumber()),
      ecdsaWithSha256,
      issuer,
      sequence(
        time(new Date(now.getTime() - 3_600_000)),
        time(new Date(now.getTime() + validityDays * millisecondsPerDay)),
      ),
      subject,
      subjectKey.export({ type: "spki", format: "der" }),
      tlv(0xa3, sequence(...extensions)),
    );
    return pem("CERTIFICATE", sequence(body, ecdsaWithSha256, bitString(sign("sha256", body, privateKey))));
  };
  return {
    certificate: sealed(issuer, publicKey, [
      extension("2.5.29.19", true, sequence(boolean(true))), // basicConstraints: an authority
      extension("2.5.29.15", true, tlv(0x03, Buffer.from([1, 0x06]))), // keyUsage: keyCertSign, cRLSign
    ]),
    issue: (subject) => {
      const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
      const usages = sequence(objectIdentifier("1.3.6.1.5.5.7.3.1"), objectIdentifier("1.3.6.1.5.5.7.3.2"));
      const extensions = [
        extension("2.5.29.15", true, tlv(0x03, Buffer.from([7, 0x80]))), // keyUsage: digitalSignature
        extension("2.5.29.37", false, usages), // extKeyUsage: serverAuth, clientAuth
      ];
      const hosts = subject.hosts ?? [];
      if (hosts.length > 0) extensions.push(extension("2.5.29.17", false, sequence(...hosts.map(alternativeName))));
      return {
        certificate: sealed(encodeName(subject), pair.publicKey, extensions),
        key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
  };
}

/** A key pair, PEM, by which service account tokens are signed (ES256) and checked. */
export function createSigningKey(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    privateKey: privateKey.export({ type: "sec1", format: "pem" }).toString(),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

function tlv(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

const sequence = (...contents: readonly Buffer[]): Buffer => tlv(0x30, ...contents);
const integer = (bigEndian: Buffer): Buffer => tlv(0x02, bigEndian);
const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.from([value ? 0xff : 0]));
const bitString = (bytes: Buffer): Buffer => tlv(0x03, Buffer.from([0]), bytes);

/** Positive and never starting with a zero octet, as DER wants integers. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** UTCTime, which RFC 5280 prescribes until 2049. */
function time(at: Date): Buffer {
  return tlv(0x17, Buffer.from(`${at.toISOString().slice(2, 19).replaceAll(/[-:T]/g, "")}Z`));
}

function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    octets.push(...groups);
  }
  return tlv(0x06, Buffer.from(octets));
}

const ecdsaWithSha256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));

function encodeName(subject: Subject): Buffer {
  const attribute = (oid: string, value: string): Buffer =>
    tlv(0x31, sequence(objectIdentifier(oid), tlv(0x0c, Buffer.from(value))));
  return sequence(
    ...(subject.organizations ?? []).map((organization) => attribute("2.5.4.10", organization)),
    attribute("2.5.4.3", subject.commonName),
  );
}

function alternativeName(host: string): Buffer {
  return isIP(host) === 4 ? tlv(0x87, Buffer.from(host.split(".").map(Number))) : tlv(0x82, Buffer.from(host));
}

function extension(oid: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), tlv(0x04, value));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
