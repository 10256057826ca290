import { join } from "node:path";
import type { WorkflowConfiguration } from "../../api/configuration.ts";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { systemClock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { EgressEngine } from "../engine/egress/engine.ts";
import { IngressEngine } from "../engine/engine.ts";
import { FatalError } from "../engine/fatal.ts";
import { type EngineSettings, engineSettings, type SettingsInput } from "../engine/settings.ts";
import type { Connections } from "../http/connect.ts";
import type { Queue } from "../queue/interface.ts";
import type { Records } from "../records/records.ts";
import { SftpServer } from "../sftp/client.ts";

/** What moves the records of a workflow, of whichever type it is. */
export interface Engine {
  run(stop: AbortSignal, giveUp: AbortSignal): Promise<void>;
  status(): Promise<WorkerStatus>;
  notReady(): WorkerStatus["notReady"];
  readonly records: Records | undefined;
}

export interface Parts {
  readonly queue: Queue;
  readonly connections: Connections;
  readonly credentialsDirectory: string;
  readonly share: Omit<SettingsInput, "mappings">;
  /** Departures from the engine's own figures. */
  readonly settings: Partial<EngineSettings>;
  readonly stillSeconds: number | undefined;
  readonly logger: Logger;
}

/** A file comes once a day or once an hour: so often the folder is listed. */
const listFilesEveryMs = 30_000;

/**
 * What makes a workflow's engine.
 * @throws FatalError `NotSupportedYet` for what this version cannot run
 */
export function flowOf(configuration: WorkflowConfiguration): (parts: Parts) => Engine {
  const { type, ingress, egress, campaign } = configuration.spec;
  if (type === "Ingress" && ingress !== undefined) {
    const { mappings } = ingress;
    return ({ queue, connections, settings, share, logger }) =>
      new IngressEngine({
        ...outside,
        configuration,
        mappings,
        queue,
        logger,
        dataverse: connections.dataverse,
        campaign: connections.campaign,
        settings: { ...engineSettings({ ...share, mappings: mappings.length }), ...settings },
      });
  }
  const { sftp } = campaign;
  if (type === "Egress" && egress !== undefined && sftp !== undefined) {
    return (parts) => egressOf(configuration, egress, sftp, parts);
  }
  throw new FatalError(
    "NotSupportedYet",
    `this version of the worker cannot run a workflow of type ${type} yet: remove it, or use a newer one`,
  );
}

const outside = { clock: systemClock, now: Date.now, random: Math.random };

function egressOf(
  configuration: WorkflowConfiguration,
  egress: NonNullable<WorkflowConfiguration["spec"]["egress"]>,
  exports: NonNullable<WorkflowConfiguration["spec"]["campaign"]["sftp"]>,
  { queue, connections, credentialsDirectory, share, settings, stillSeconds, logger }: Parts,
): Engine {
  const { host, port, username, hostKey, credentialsSecretRef } = exports;
  const sftp = new SftpServer({
    address: { host, port, username, hostKey },
    credentials: {
      side: "campaign.sftp",
      directory: join(credentialsDirectory, "sftp"),
      secretName: credentialsSecretRef.name,
    },
    timeoutSeconds: share.callTimeoutSeconds,
    clock: systemClock,
    random: Math.random,
    logger,
  });
  const { dataverse } = connections;
  return new EgressEngine({
    ...outside,
    configuration,
    egress,
    exports,
    queue,
    dataverse,
    rows: dataverse.rows,
    sftp,
    settings: { ...engineSettings({ ...share, mappings: 4 }), pollIntervalMs: listFilesEveryMs, ...settings },
    ...(stillSeconds === undefined ? {} : { stillSeconds }),
    logger,
  });
}
