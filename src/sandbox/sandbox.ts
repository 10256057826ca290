import type { Logger } from "../telemetry/log.ts";
import { CampaignService } from "./campaign/service.ts";
import { sandboxControl } from "./control/control.ts";
import type { SandboxControl } from "./control/interface.ts";
import { listenControl } from "./control/server.ts";
import { DataverseService } from "./dataverse/service.ts";
import { createWorld } from "./first-world.ts";
import { listenSide } from "./listener.ts";
import { defaultOptions, type SandboxOptions } from "./options.ts";
import { listenSftp, type SftpListener } from "./sftp/server.ts";

/** Where Campaign's exports lie. */
interface SftpAccess {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly path: string;
  readonly hostKey: string;
}

/** A sandbox that answers. */
export interface RunningSandbox {
  /** The organisation's URL: `spec.dynamics.url`. */
  readonly dataverseUrl: string;
  /** Where Dataverse's tokens come from, whole. */
  readonly dataverseTokenUrl: string;
  /** The instance's URL, organisation included: `spec.campaign.url`. */
  readonly campaignUrl: string;
  /** Where Campaign's tokens come from, whole. */
  readonly campaignTokenUrl: string;
  /** What `spec.campaign.sftp` and its Secret take; undefined: no SFTP server. */
  readonly sftp: SftpAccess | undefined;
  /** undefined: no control API over HTTP. */
  readonly controlUrl: string | undefined;
  readonly credentials: { readonly tenantId: string; readonly clientId: string; readonly clientSecret: string };
  readonly control: SandboxControl;
  /** Ends all connections; resolves when the ports are free. */
  close(): Promise<void>;
}

/**
 * Starts stand-ins of Dataverse and Adobe Campaign. What is left out of the options is as in `defaultOptions`.
 * @throws ContactsFileError; an Error of the system's when a port is taken
 */
export async function startSandbox(options: Partial<SandboxOptions>, logger: Logger): Promise<RunningSandbox> {
  const settings = { ...defaultOptions, ...options };
  const world = await createWorld(settings, logger);
  const { tenantId, clientId, clientSecret, campaignOrganization } = settings;
  const dataverse = new DataverseService(world.organization, { tenantId, ...world.dataverse }, world.protection);
  const campaign = new CampaignService(world.instance, { organization: campaignOrganization, ...world.campaign });
  const control = sandboxControl(world);
  const { faults } = world;
  const dataverseListener = await listenSide(
    { side: "dataverse", handle: (request) => dataverse.handle(request), faults, logger, ...world.dataverse },
    settings.dataverseAddress,
  );
  const campaignListener = await listenSide(
    { side: "campaign", handle: (request) => campaign.handle(request), faults, logger, ...world.campaign },
    settings.campaignAddress,
  );
  const sftpListener =
    settings.sftpAddress === undefined ? undefined : await listenSftp(world.sftp, settings.sftpAddress, logger);
  const controlListener =
    settings.controlAddress === undefined ? undefined : await listenControl(control, settings.controlAddress, logger);
  world.schedules.exports.set(settings.exportEverySeconds);
  world.schedules.deliveries.set(settings.deliveryEverySeconds);
  return {
    dataverseUrl: dataverseListener.url,
    dataverseTokenUrl: `${dataverseListener.url}/${tenantId}/oauth2/v2.0/token`,
    campaignUrl: `${campaignListener.url}/${campaignOrganization}/campaign`,
    campaignTokenUrl: `${campaignListener.url}/ims/token/v3`,
    sftp: sftpListener === undefined ? undefined : sftpAccess(settings, sftpListener),
    controlUrl: controlListener?.url,
    credentials: { tenantId, clientId, clientSecret },
    control,
    close: async () => {
      for (const schedule of Object.values(world.schedules)) schedule.set(0);
      world.dataverse.gate.set("unreachable");
      world.campaign.gate.set("unreachable");
      const listeners = [dataverseListener, campaignListener, sftpListener, controlListener];
      await Promise.all(listeners.map((listener) => listener?.close()));
    },
  };
}

function sftpAccess(settings: SandboxOptions, { host, port }: SftpListener): SftpAccess {
  const { sftpAccount, sftpHostKey, exportFolder } = settings;
  const { username, password } = sftpAccount;
  return { host, port, username, password, path: exportFolder, hostKey: sftpHostKey.publicKey };
}
