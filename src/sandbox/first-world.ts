import type { Logger } from "../telemetry/log.ts";
import { CampaignInstance } from "./campaign/instance.ts";
import { standardResources } from "./campaign/standard-resources.ts";
import { SandboxClock } from "./clock.ts";
import { readContactsFile } from "./contacts-file.ts";
import type { SandboxWorld, SideState } from "./control/world.ts";
import { Traffic } from "./counters.ts";
import { activityTables } from "./dataverse/activity-tables.ts";
import { generatedRows } from "./dataverse/generated-rows.ts";
import { Organization } from "./dataverse/organization.ts";
import { listedRows, noRows } from "./dataverse/row-source.ts";
import { defaultProtection, ServiceProtection } from "./dataverse/service-protection.ts";
import { accountTable, contactTable, systemUserTable } from "./dataverse/standard-tables.ts";
import { ExportWorkflows } from "./exports/export-workflows.ts";
import { Schedule } from "./exports/schedule.ts";
import { type DeliveryOrder, DeliverySender } from "./exports/sender.ts";
import { Faults, Gate } from "./faults.ts";
import { AccessTokens } from "./identity.ts";
import type { SandboxOptions } from "./options.ts";
import { guidOf } from "./random.ts";
import { SftpConnections } from "./sftp/connections.ts";
import { FileTree } from "./sftp/file-tree.ts";
import type { SftpParts } from "./sftp/server.ts";
import { WriteLog, WriteSequence } from "./write-log.ts";

/** All that a sandbox holds at its start. @throws ContactsFileError */
export async function createWorld(settings: SandboxOptions, logger: Logger): Promise<SandboxWorld> {
  const { seed, now, contacts } = settings;
  const identity = (n: number) => guidOf(seed ^ 0x0196, n);
  const clock = new SandboxClock(now);
  const sequence = new WriteSequence(() => performance.now());
  const organization = new Organization(
    { organizationId: identity(1), businessUnitId: identity(2), userId: identity(3) },
    { now, expiryNow: () => clock.now() },
    new WriteLog(sequence, false),
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
  for (const table of activityTables) organization.addTable(table, noRows);
  const resources = standardResources(settings.keyField, settings.optOutNames);
  const instance = new CampaignInstance(resources, now, new WriteLog(sequence, true));
  const sftp = sftpParts(settings);
  const exports = new ExportWorkflows(instance, sftp.tree, settings.exportFolder, now);
  const sender = new DeliverySender(instance, exports, now, seed);
  return {
    organization,
    clock,
    protection: new ServiceProtection(defaultProtection, clock),
    instance,
    sftp,
    exportFolder: settings.exportFolder,
    exports,
    sender,
    schedules: {
      exports: new Schedule("exporting", () => exports.run(), logger),
      deliveries: new Schedule("sending", async (everySeconds) => sender.send(smallDelivery(everySeconds)), logger),
    },
    faults: new Faults(),
    dataverse: sideState("dataverse", settings),
    campaign: sideState("campaign", settings),
  };
}

function sftpParts({ sftpAccount, sftpHostKey, exportFolder, now }: SandboxOptions): SftpParts {
  const tree = new FileTree(now);
  tree.makeFolder(exportFolder);
  return { account: sftpAccount, hostKey: sftpHostKey, tree, connections: new SftpConnections() };
}

function sideState(name: string, settings: SandboxOptions): SideState {
  return {
    traffic: new Traffic(),
    gate: new Gate(),
    application: { clientId: settings.clientId, clientSecret: settings.clientSecret },
    tokens: new AccessTokens(name, settings.tokenLifetimeSeconds, settings.now),
  };
}

/** Enough for a demonstration to move, whatever its pace. */
function smallDelivery(everySeconds: number): DeliveryOrder {
  return { count: 5, openRate: 0.6, clickRate: 0.5, hardBounceRate: 0.05, spreadSeconds: everySeconds };
}
