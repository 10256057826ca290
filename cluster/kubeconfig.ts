import type { SignedCertificate } from "./certificates.ts";

/** The text of a kubeconfig with one cluster and one user. It is JSON, which every reader of YAML takes. */
export function kubeconfig(serverUrl: string, authorityCertificate: string, user: SignedCertificate): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "default",
    clusters: [
      {
        name: "default",
        cluster: { server: serverUrl, "certificate-authority-data": base64(authorityCertificate) },
      },
    ],
    users: [
      {
        name: "default",
        user: { "client-certificate-data": base64(user.certificate), "client-key-data": base64(user.key) },
      },
    ],
    contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
