/** The client of Campaign against the sandbox. */
import { afterEach, beforeEach } from "vitest";
import type { SandboxControl } from "../../../../src/sandbox/control/interface.ts";
import { type RunningSandbox, startSandbox } from "../../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { Campaign, CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import { type Workspace, workspace } from "../http/workspace.ts";

export const never = new AbortController().signal;
export const id = "60c4e274-0d87-e711-80e5-00155db19e6d";
export const byKey = (value: string): CampaignKey => ({ resource: "profile", field: "externalId", value });
export const byAccount = (value: string): CampaignKey => ({ resource: "profile", field: "accountNumber", value });

export class CampaignGround {
  sandbox!: RunningSandbox;
  #clients!: Workspace;

  async begin(): Promise<void> {
    this.sandbox = await startSandbox({ contacts: 0 }, silentLogger);
    await this.#connect();
  }

  async end(): Promise<void> {
    await this.#clients.close();
    await this.sandbox.close();
  }

  get control(): SandboxControl {
    return this.sandbox.control;
  }

  get campaign(): Campaign {
    return this.#clients.campaign;
  }

  /** As another process, which has learned nothing. */
  async reconnect(engineCallsPerSecond?: number): Promise<void> {
    await this.#clients.close();
    await this.#connect(engineCallsPerSecond);
  }

  insertProfiles(...records: Record<string, unknown>[]) {
    return this.control.insertRecords({ resource: "profile", records });
  }

  async profile(key = id) {
    return (await this.control.findRecords({ resource: "profile", key }))[0]?.values;
  }

  /** What Campaign was asked for meanwhile. */
  async engineCalls(work: () => Promise<unknown>): Promise<number> {
    await this.control.resetCounters();
    await work();
    return (await this.control.counters()).campaign.engineCalls;
  }

  async #connect(engineCallsPerSecond?: number): Promise<void> {
    const { campaignUrl, campaignTokenUrl, credentials } = this.sandbox;
    const { clientId, clientSecret } = credentials;
    this.#clients = await workspace({
      campaignUrl,
      dynamics: {},
      campaign: { clientId, clientSecret, scopes: "openid, AdobeID", tokenUrl: campaignTokenUrl },
      ...(engineCallsPerSecond === undefined
        ? {}
        : { connect: { campaign: { url: campaignUrl, engineCallsPerSecond, secretName: "campaign" } } }),
    });
  }
}

/** One for each test of the file. */
export function campaignGround(): CampaignGround {
  const ground = new CampaignGround();
  beforeEach(() => ground.begin());
  afterEach(() => ground.end());
  return ground;
}
