import type { CampaignInstance } from "../campaign/instance.ts";
import type { SandboxClock } from "../clock.ts";
import type { Traffic } from "../counters.ts";
import type { Organization } from "../dataverse/organization.ts";
import type { ServiceProtection } from "../dataverse/service-protection.ts";
import type { Faults, Gate } from "../faults.ts";
import type { AccessTokens, Application } from "../identity.ts";

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
  readonly faults: Faults;
  readonly dataverse: SideState;
  readonly campaign: SideState;
}
