import type { Logger } from "../telemetry/log.ts";
import { CampaignInstance } from "./campaign/instance.ts";
import { CampaignService } from "./campaign/service.ts";
import { standardResources } from "./campaign/standard-resources.ts";
import { SandboxClock } from "./clock.ts";
import { readContactsFile } from "./contacts-file.ts";
import { sandboxControl } from "./control/control.ts";
import type { SandboxControl } from "./control/interface.ts";
import { listenControl } from "./control/server.ts";
import type { SandboxWorld, SideState } from "./control/world.ts";
import { Traffic } from "./counters.ts";
import { generatedRows } from "./dataverse/generated-rows.ts";
import { Organization } from "./dataverse/organization.ts";
import { listedRows, noRows } from "./dataverse/row-source.ts";
import { DataverseService } from "./dataverse/service.ts";
import { defaultProtection, ServiceProtection } from "./dataverse/service-protection.ts";
import { accountTable, contactTable, systemUserTable } from "./dataverse/standard-tables.ts";
import { Faults, Gate } from "./faults.ts";
import { AccessTokens } from "./identity.ts";
import { listenSide } from "./listener.ts";
import { defaultOptions, type SandboxOptions } from "./options.ts";
import { guidOf } from "./random.ts";

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
  const world = await createWorld(settings);
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
  const controlListener =
    settings.controlAddress === undefined ? undefined : await listenControl(control, settings.controlAddress, logger);
  return {
    dataverseUrl: dataverseListener.url,
    dataverseTokenUrl: `${dataverseListener.url}/${tenantId}/oauth2/v2.0/token`,
    campaignUrl: `${campaignListener.url}/${campaignOrganization}/campaign`,
    campaignTokenUrl: `${campaignListener.url}/ims/token/v3`,
    controlUrl: controlListener?.url,
    credentials: { tenantId, clientId, clientSecret },
    control,
    close: async () => {
      world.dataverse.gate.set("unreachable");
      world.campaign.gate.set("unreachable");
      await Promise.all([dataverseListener.close(), campaignListener.close(), controlListener?.close()]);
    },
  };
}

async function createWorld(settings: SandboxOptions): Promise<SandboxWorld> {
  const { seed, now, contacts } = settings;
  const identity = (n: number) => guidOf(seed ^ 0x0196, n);
  const clock = new SandboxClock(now);
  const organization = new Organization(
    { organizationId: identity(1), businessUnitId: identity(2), userId: identity(3) },
    now,
    () => clock.now(),
  );
  const user = { id: organization.userId, cells: { fullname: "# Sandbox", domainname: "sandbox@example.com" } };
  organization.addTable(systemUserTable, listedRows([user]));
  if (typeof contacts === "number") {
    const generated = generatedRows(contacts, seed);
    organization.addTable(accountTable, generated.accounts);
    organization.addTable(contactTable, generated.contacts);
  } else {
    organization.addTable(accountTable, noRows);
    organization.addTable(contactTable, await readContactsFile(contacts.file, contactTable, seed));
  }
  return {
    organization,
    clock,
    protection: new ServiceProtection(defaultProtection, clock),
    instance: new CampaignInstance(standardResources(settings.keyField), now),
    faults: new Faults(),
    dataverse: sideState("dataverse", settings),
    campaign: sideState("campaign", settings),
  };
}

function sideState(name: string, settings: SandboxOptions): SideState {
  return {
    traffic: new Traffic(),
    gate: new Gate(),
    application: { clientId: settings.clientId, clientSecret: settings.clientSecret },
    tokens: new AccessTokens(name, settings.tokenLifetimeSeconds, settings.now),
  };
}
