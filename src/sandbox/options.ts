import type { ListenAddress } from "../telemetry/address.ts";

/** How a sandbox is set up. */
export interface SandboxOptions {
  readonly dataverseAddress: ListenAddress;
  readonly campaignAddress: ListenAddress;
  /** undefined: no control API over HTTP. */
  readonly controlAddress: ListenAddress | undefined;
  /** How many contacts are made, or a CSV file of them by Dataverse column names. */
  readonly contacts: number | { readonly file: string };
  /** The same seed makes the same contacts. */
  readonly seed: number;
  /** One application signs in to both sides; the control API can change each side's secret. */
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenLifetimeSeconds: number;
  /** The `<ORG>` of Campaign's URLs. */
  readonly campaignOrganization: string;
  /** The profile's identification key, an extended field. */
  readonly keyField: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Ports of the system's choice on loopback: what tests want. */
export const defaultOptions: SandboxOptions = {
  dataverseAddress: { host: "127.0.0.1", port: 0 },
  campaignAddress: { host: "127.0.0.1", port: 0 },
  controlAddress: undefined,
  contacts: 5000,
  seed: 1,
  tenantId: "sandbox",
  clientId: "sandbox-client",
  clientSecret: "sandbox-secret",
  tokenLifetimeSeconds: 3599,
  campaignOrganization: "contoso",
  keyField: "externalId",
  now: Date.now,
};
