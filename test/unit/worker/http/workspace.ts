import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { type Connections, type ConnectOptions, connect } from "../../../../src/worker/http/connect.ts";
import { noCallMetrics } from "../../../../src/worker/http/service.ts";

/** Where the services are, and what the test wants otherwise than usual. */
export interface WorkspaceOptions {
  readonly dataverseUrl?: string;
  readonly campaignUrl?: string;
  readonly dynamics: Readonly<Record<string, string>>;
  readonly campaign: Readonly<Record<string, string>>;
  readonly connect?: Partial<ConnectOptions>;
}

export interface Workspace extends Connections {
  readonly credentialsDirectory: string;
}

/** Clients as a worker has them, with credentials in files. `close` ends the clients and removes the files. */
export async function workspace(options: WorkspaceOptions): Promise<Workspace> {
  const credentialsDirectory = await mkdtemp(join(tmpdir(), "worker-"));
  for (const side of ["dynamics", "campaign"] as const)
    await writeCredentials(credentialsDirectory, side, options[side]);
  const nowhere = "http://127.0.0.1:1";
  const connections = connect({
    dynamics: { url: options.dataverseUrl ?? nowhere, sharePercent: 100, secretName: "dynamics" },
    campaign: {
      url: options.campaignUrl ?? `${nowhere}/contoso/campaign`,
      engineCallsPerSecond: 2000,
      secretName: "campaign",
    },
    credentialsDirectory,
    logger: silentLogger,
    metrics: noCallMetrics,
    stop: new AbortController().signal,
    ...options.connect,
  });
  return {
    ...connections,
    credentialsDirectory,
    close: async () => {
      await connections.close();
      await rm(credentialsDirectory, { recursive: true });
    },
  };
}

export async function writeCredentials(
  root: string,
  side: string,
  keys: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(join(root, side), { recursive: true });
  for (const [key, value] of Object.entries(keys)) await writeFile(join(root, side, key), `${value}\n`);
}
