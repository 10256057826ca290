/** The certificates and kubeconfigs of a node's parts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority, createSigningKey, type Subject } from "../certificates.ts";
import { kubeconfig } from "../kubeconfig.ts";
import { apiServerPort, apiServiceAddress, type NodeLayout, nodeAddress, nodeName } from "./layout.ts";

/** The parts that talk to the API server, and who they are to it (RBAC's built-in users and groups). */
const clients: Readonly<Record<string, Subject>> = {
  "kube-controller-manager": { commonName: "system:kube-controller-manager" },
  "kube-scheduler": { commonName: "system:kube-scheduler" },
  "kube-proxy": { commonName: "system:kube-proxy" },
  kubelet: { commonName: `system:node:${nodeName}`, organizations: ["system:nodes"], hosts: [nodeName, nodeAddress] },
  local: { commonName: "local", organizations: ["system:masters"] },
};

/**
 * Writes certificates, keys and a kubeconfig for every part into the pki folder, and the administrator's kubeconfig,
 * whose server is the relay on 127.0.0.1.
 */
export function writeCredentials(layout: NodeLayout, relayPort: number, now: Date): void {
  mkdirSync(layout.pki, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): void => writeFileSync(join(layout.pki, name), text, { mode: 0o600 });
  const authority = createAuthority(layout.name, now);
  write("ca.crt", authority.certificate);
  const service = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  const server = authority.issue({
    commonName: "kube-apiserver",
    hosts: ["127.0.0.1", "localhost", nodeAddress, apiServiceAddress, ...service],
  });
  write("kube-apiserver.crt", server.certificate);
  write("kube-apiserver.key", server.key);
  const accounts = createSigningKey();
  write("accounts.key", accounts.privateKey);
  write("accounts.pub", accounts.publicKey);
  const direct = `https://127.0.0.1:${apiServerPort}`;
  for (const [name, subject] of Object.entries(clients)) {
    const signed = authority.issue(subject);
    write(`${name}.crt`, signed.certificate);
    write(`${name}.key`, signed.key);
    write(`${name}.kubeconfig`, kubeconfig(direct, authority.certificate, signed));
  }
  const administrator = authority.issue({ commonName: "admin", organizations: ["system:masters"] });
  const relayed = kubeconfig(`https://127.0.0.1:${relayPort}`, authority.certificate, administrator);
  writeFileSync(layout.kubeconfig, relayed, { mode: 0o600 });
}
