import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { FatalError } from "../engine/fatal.ts";

/**
 * The certificates of the ConfigMap that `spec.caBundle` names, mounted at `path`.
 * @throws FatalError `CaBundleMissing`; `CaBundleInvalid`, for TLS itself takes a broken bundle without a word, and then
 * trusts nobody
 */
export function readCaBundle(path: string, configMap: string): string {
  if (!existsSync(path)) {
    throw new FatalError(
      "CaBundleMissing",
      `the ConfigMap "${configMap}" (caBundle.configMapRef) or its key ca.crt is missing: create it, or take caBundle out`,
    );
  }
  const pem = readFileSync(path, "utf8");
  const fault = faultOf(pem);
  if (fault === undefined) return pem;
  throw new FatalError(
    "CaBundleInvalid",
    `the key ca.crt of the ConfigMap "${configMap}" (caBundle.configMapRef) ${fault}: put PEM certificates into it and restart, or take caBundle out`,
  );
}

const begin = "-----BEGIN CERTIFICATE-----";

function faultOf(pem: string): string | undefined {
  const [, ...certificates] = pem.split(begin);
  if (certificates.length === 0) return "holds no certificate in PEM form";
  const broken = certificates.findIndex((certificate) => !isCertificate(begin + certificate));
  return broken < 0
    ? undefined
    : `holds a certificate that cannot be read, number ${broken + 1} of ${certificates.length}`;
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
