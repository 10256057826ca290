import { once } from "node:events";
import type { Logger } from "../telemetry/log.ts";
import type { SandboxOptions } from "./options.ts";
import { startSandbox } from "./sandbox.ts";

/** Serves until the signal aborts. */
export async function runSandbox(options: Partial<SandboxOptions>, logger: Logger, signal: AbortSignal): Promise<void> {
  const sandbox = await startSandbox(options, logger);
  logger.info("the sandbox is ready", {
    dataverse: sandbox.dataverseUrl,
    campaign: sandbox.campaignUrl,
    sftp:
      sandbox.sftp === undefined ? undefined : `sftp://${sandbox.sftp.host}:${sandbox.sftp.port}/${sandbox.sftp.path}`,
    hostKey: sandbox.sftp?.hostKey,
    control: sandbox.controlUrl,
    contacts: await sandbox.control.countRows({ table: "contact" }),
  });
  if (!signal.aborted) await once(signal, "abort");
  await sandbox.close();
  logger.info("the sandbox has stopped");
}
