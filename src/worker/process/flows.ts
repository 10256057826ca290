import { join } from "node:path";
import { ConfigurationError, type WorkflowConfiguration } from "../../api/configuration.ts";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { systemClock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { EgressEngine } from "../engine/egress/engine.ts";
import { IngressEngine } from "../engine/engine.ts";
import { auditInStore, auditOnVolume } from "../engine/opt-in-out/audit-sinks.ts";
import { OptInOutEngine } from "../engine/opt-in-out/engine.ts";
import { type EngineSettings, engineSettings, type SettingsInput } from "../engine/settings.ts";
import type { Connections } from "../http/connect.ts";
import type { Queue } from "../queue/interface.ts";
import type { RecordDesk } from "../records/desk.ts";
import { SftpServer } from "../sftp/client.ts";

/** What moves the records of a workflow, of whichever type it is. */
export interface Engine {
  run(stop: AbortSignal, giveUp: AbortSignal): Promise<void>;
  status(): Promise<WorkerStatus>;
  notReady(): WorkerStatus["notReady"];
  readonly records: RecordDesk | undefined;
}

export interface Parts {
  readonly queue: Queue;
  readonly connections: Connections;
  readonly credentialsDirectory: string;
  readonly stateDirectory: string;
  readonly share: Omit<SettingsInput, "mappings">;
  /** Departures from the engine's own figures. */
  readonly settings: Partial<EngineSettings>;
  readonly stillSeconds: number | undefined;
  readonly logger: Logger;
}

/** A file comes once a day or once an hour: so often the folder is listed. */
const listFilesEveryMs = 30_000;

/**
 * Dataverse gives four seconds of execution time a second: as many calls at once, and as many again for what a call waits
 * on its way.
 */
const mostBatches = 8;

/**
 * What makes a workflow's engine.
 * @throws ConfigurationError when what its type needs is not there
 */
export function flowOf(configuration: WorkflowConfiguration): (parts: Parts) => Engine {
  const { type, ingress, egress, optInOut, campaign } = configuration.spec;
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
  if (type === "OptInOut" && optInOut !== undefined) return (parts) => optInOutOf(configuration, optInOut, parts);
  const needed = { Ingress: "ingress", Egress: "egress and campaign.sftp", OptInOut: "optInOut" }[type];
  throw new ConfigurationError(`a workflow of type ${type} needs ${needed}, and the configuration does not have it`);
}

const outside = { clock: systemClock, now: Date.now, random: Math.random };

function egressOf(
  configuration: WorkflowConfiguration,
  egress: NonNullable<WorkflowConfiguration["spec"]["egress"]>,
  exports: NonNullable<WorkflowConfiguration["spec"]["campaign"]["sftp"]>,
  { queue, connections, credentialsDirectory, share, settings, stillSeconds, logger }: Parts,
): Engine {
  const sftp = sftpOf(exports, { credentialsDirectory, share, logger });
  const { dataverse } = connections;
  return new EgressEngine({
    ...outside,
    configuration,
    egress,
    exports,
    queue,
    dataverse,
    rows: dataverse.rows,
    lookups: dataverse.lookups,
    sftp,
    settings: { ...engineSettings({ ...share, mappings: 4 }), pollIntervalMs: listFilesEveryMs, ...settings },
    batchesAtOnce: Math.max(1, Math.ceil((mostBatches * share.sharePercent) / 100)),
    ...(stillSeconds === undefined ? {} : { stillSeconds }),
    logger,
  });
}

function optInOutOf(
  configuration: WorkflowConfiguration,
  optInOut: NonNullable<WorkflowConfiguration["spec"]["optInOut"]>,
  parts: Parts,
): Engine {
  const { queue, connections, stateDirectory, share, settings, stillSeconds, logger } = parts;
  const { dataverse, campaign } = connections;
  const { sftp: place } = configuration.spec.campaign;
  const { auditRetentionDays, direction, source } = optInOut;
  const { engineCallsPerSecond } = share;
  const readsFiles = source === "Export" && (direction === "CampaignToDynamics" || direction === "Bidirectional");
  const { audit } = queue.contacts;
  return new OptInOutEngine({
    ...outside,
    configuration,
    optInOut,
    queue,
    dataverse,
    updates: dataverse.updates,
    campaign,
    modified: campaign.modified,
    ...(readsFiles && place !== undefined
      ? {
          exports: {
            place,
            sftp: sftpOf(place, parts),
            listEveryMs: settings.pollIntervalMs ?? listFilesEveryMs,
            ...(stillSeconds === undefined ? {} : { stillSeconds }),
          },
        }
      : {}),
    // Two calls a question: a twentieth of Campaign's calls at most, and as much again for contacts without a profile.
    askProfilesEveryMs: settings.pollIntervalMs ?? Math.max(10_000, 40_000 / engineCallsPerSecond),
    profileLooksPerSecond: engineCallsPerSecond / 20,
    audit:
      audit === undefined
        ? auditOnVolume(join(stateDirectory, auditFolder), auditRetentionDays)
        : auditInStore(audit, auditRetentionDays),
    settings: { ...engineSettings({ ...share, mappings: 1 }), ...settings },
    logger,
  });
}

const auditFolder = "opt-out-audit";

function sftpOf(
  {
    host,
    port,
    username,
    hostKey,
    credentialsSecretRef,
  }: NonNullable<WorkflowConfiguration["spec"]["campaign"]["sftp"]>,
  { credentialsDirectory, share, logger }: Pick<Parts, "credentialsDirectory" | "share" | "logger">,
): SftpServer {
  return new SftpServer({
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
}
