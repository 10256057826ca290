import { join } from "node:path";
import type { Throttling } from "../../api/integration-workflow.ts";
import { type Clock, systemClock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { CampaignClient } from "../campaign/client.ts";
import type { DialectName } from "../campaign/dialect.ts";
import { DataverseClient } from "../dataverse/client.ts";
import { Governor, type GovernorState } from "../governor/governor.ts";
import { campaignLimits, dataverseLimits } from "../governor/limits.ts";
import { AccessTokens } from "./access-tokens.ts";
import { readCredentials, secretInWords } from "./credentials.ts";
import { type CallMetrics, defaultCallTimeoutSeconds } from "./service.ts";
import type { ServiceName } from "./service-error.ts";
import { ThrottlingTold } from "./throttling.ts";
import { requestToken } from "./token-endpoint.ts";
import { Transport, type TransportOptions } from "./transport.ts";

export interface ConnectOptions {
  readonly dynamics: {
    /** `https://contoso.crm.dynamics.com` */
    readonly url: string;
    /** Per cent of one user's service limits that this process may use: with several replicas, its part of the share. */
    readonly sharePercent: number;
    /** The Secret's name, for messages. */
    readonly secretName: string;
  };
  readonly campaign: {
    /** `https://mc.adobe.io/contoso/campaign` */
    readonly url: string;
    readonly engineCallsPerSecond: number;
    readonly secretName: string;
    /** `Standard` unless told. */
    readonly dialect?: DialectName;
  };
  /** Holds `dynamics/<key>` and `campaign/<key>`. */
  readonly credentialsDirectory: string;
  /** PEM certificates to be trusted beside the system's own. */
  readonly caBundle?: string;
  readonly logger: Logger;
  readonly metrics: CallMetrics;
  /** How long one operation of a client may take, its waits included. 120 unless told. */
  readonly callTimeoutSeconds?: number;
  /** Once it aborts, what was not sent yet is not sent any more; what is under way may end. */
  readonly stop: AbortSignal;
  readonly transport?: Omit<TransportOptions, "caBundle">;
  readonly clock?: Clock;
  /** Over how long calls that are held back are summed up. */
  readonly strainWindowMs?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface Connections {
  readonly dataverse: DataverseClient;
  readonly campaign: CampaignClient;
  /** For metrics and status. */
  governorState(service: ServiceName): GovernorState;
  /** Services that hold calls back, for status. */
  throttling(): readonly Throttling[];
  /** Ends every connection, calls in flight included: their outcome is unknown then. */
  close(): Promise<void>;
}

/** api: authenticate-oauth.md; setting-up-api-access.md */
const adobeTokenUrl = "https://ims-na1.adobelogin.com/ims/token/v3";
const entraTokenUrl = (tenantId: string) =>
  `https://login.microsoftonline.com/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`;

/**
 * Both clients of one workflow, each behind its own governor: one set a process, shared by all who read and write.
 * Nothing is sent until the first call.
 */
export function connect(options: ConnectOptions): Connections {
  const { dynamics, campaign, credentialsDirectory, logger, metrics, stop } = options;
  const { clock = systemClock, now = Date.now, random = Math.random } = options;
  const callTimeoutSeconds = options.callTimeoutSeconds ?? defaultCallTimeoutSeconds;
  const ca = options.caBundle === undefined ? {} : { caBundle: options.caBundle };
  const transport = new Transport({ ...options.transport, ...ca });
  const governors = {
    Dataverse: new Governor(dataverseLimits(dynamics.sharePercent), clock, options.strainWindowMs),
    Campaign: new Governor(campaignLimits(campaign.engineCallsPerSecond), clock, options.strainWindowMs),
  };
  const told = new ThrottlingTold({ governors, clock, now, logger });
  const source = (side: "dynamics" | "campaign", secretName: string) => ({
    side,
    directory: join(credentialsDirectory, side),
    secretName,
  });
  const sources = {
    dynamics: source("dynamics", dynamics.secretName),
    campaign: source("campaign", campaign.secretName),
  };
  const organization = new URL(dynamics.url).origin;
  const dynamicsTokens = new AccessTokens({
    service: "Dataverse",
    read: () => readCredentials(sources.dynamics, ["tenantId", "clientId", "clientSecret"], ["tokenUrl"]),
    signIn: ({ tenantId, clientId, clientSecret, tokenUrl }, signal) => {
      const form = { client_id: clientId, client_secret: clientSecret, scope: `${organization}/.default` };
      return requestToken(
        transport,
        { service: "Dataverse", url: tokenUrl ?? entraTokenUrl(tenantId), secret: secretInWords(sources.dynamics) },
        form,
        signal,
      );
    },
    clock,
    random,
    logger,
  });
  const campaignTokens = new AccessTokens({
    service: "Campaign",
    read: () => readCredentials(sources.campaign, ["clientId", "clientSecret", "scopes"], ["tokenUrl"]),
    signIn: ({ clientId, clientSecret, scopes, tokenUrl }, signal) => {
      const form = { client_id: clientId, client_secret: clientSecret, scope: scopes.split(/[\s,]+/).join(",") };
      return requestToken(
        transport,
        { service: "Campaign", url: tokenUrl ?? adobeTokenUrl, secret: secretInWords(sources.campaign) },
        form,
        signal,
      );
    },
    clock,
    random,
    logger,
  });
  const shared = { transport, metrics, callTimeoutSeconds, stop };
  const dataverseService = { ...shared, tokens: dynamicsTokens, governor: governors.Dataverse };
  const campaignService = { ...shared, tokens: campaignTokens, governor: governors.Campaign };
  return {
    dataverse: new DataverseClient(dynamics.url, dataverseService),
    campaign: new CampaignClient(
      { url: campaign.url, dialect: campaign.dialect ?? "Standard" },
      campaignService,
      clock,
      logger,
    ),
    governorState: (service) => governors[service].state(),
    throttling: () => told.now(),
    close: () => transport.close(),
  };
}
