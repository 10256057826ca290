import type { CampaignInstance } from "../campaign/instance.ts";
import type { SandboxClock } from "../clock.ts";
import type { Traffic } from "../counters.ts";
import type { Organization } from "../dataverse/organization.ts";
import type { ServiceProtection } from "../dataverse/service-protection.ts";
import type { ExportWorkflows } from "../exports/export-workflows.ts";
import type { Schedule } from "../exports/schedule.ts";
import type { DeliverySender } from "../exports/sender.ts";
import type { Faults, Gate } from "../faults.ts";
import type { AccessTokens, Application } from "../identity.ts";
import type { SftpParts } from "../sftp/server.ts";

/** What one side consists of, beside its data. */
export interface SideState {
  readonly traffic: Traffic;
  readonly gate: Gate;
  readonly application: Application;
  readonly tokens: AccessTokens;
}

/** All that the sandbox holds. */
export interface SandboxWorld {
  readonly clock: SandboxClock;
  readonly organization: Organization;
  readonly protection: ServiceProtection;
  readonly instance: CampaignInstance;
  readonly sftp: SftpParts;
  /** Where Campaign's workflows export to, from the SFTP user's home. */
  readonly exportFolder: string;
  readonly exports: ExportWorkflows;
  readonly sender: DeliverySender;
  readonly schedules: { readonly exports: Schedule; readonly deliveries: Schedule };
  readonly faults: Faults;
  readonly dataverse: SideState;
  readonly campaign: SideState;
}
