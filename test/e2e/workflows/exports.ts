/** Campaign's exports for the tests: text files on a real SSH server that pods reach. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { nodeAddress } from "../../../cluster/node/layout.ts";
import { findNode } from "../../../cluster/node.ts";
import { startSftpServer } from "../../integration/sftp/sshd.ts";
import type { Kubectl } from "./kubectl.ts";

const folder = "d365_loads/exports";

interface Exports {
  /** `spec.campaign.sftp` of a workflow that reads them; times in the files are UTC. */
  readonly sftp: object;
  put(name: string, lines: readonly string[]): void;
  stop(): Promise<void>;
}

/** Starts OpenSSH in the node's network, and makes the Secret that lets a workflow of this namespace in. */
export async function startExports(kubectl: Kubectl): Promise<Exports> {
  const node = findNode(inject("node"));
  if (node === undefined) throw new Error("the node is gone");
  const { hostKey, home, port, privateKey, stop, username } = await startSftpServer({
    address: nodeAddress,
    networkOf: node.pid,
  });
  mkdirSync(join(home, folder), { recursive: true });
  const credentialsSecretRef = { name: "campaign-sftp" };
  await kubectl.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: credentialsSecretRef,
    stringData: { privateKey },
  });
  const format = { timeZone: "UTC" };
  return {
    sftp: { host: nodeAddress, port, username, path: folder, hostKey, credentialsSecretRef, format },
    put: (name, lines) => writeFileSync(join(home, folder, name), lines.map((line) => `${line}\n`).join("")),
    stop,
  };
}

/** Files are listed every second, and read when they stood still for one: a minute is for Campaign's slow writes. */
export const hurried = [
  { name: "INTEGRATION_WORKFLOW_POLL_SECONDS", value: "1" },
  { name: "INTEGRATION_WORKFLOW_STILL_SECONDS", value: "1" },
];
