import type { ListenAddress } from "../telemetry/address.ts";
import type { OptOutNames } from "./campaign/standard-resources.ts";
import { type HostKey, hostKeyOf } from "./sftp/host-key.ts";
import type { SftpAccount } from "./sftp/server.ts";

/** How a sandbox is set up. */
export interface SandboxOptions {
  readonly dataverseAddress: ListenAddress;
  readonly campaignAddress: ListenAddress;
  /** Where Campaign's SFTP server listens; undefined: nowhere, and its files are seen through the control API alone. */
  readonly sftpAddress: ListenAddress | undefined;
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
  /** What the profile's opt-out fields are called, but `ccpaOptOut`. */
  readonly optOutNames: OptOutNames;
  readonly sftpAccount: SftpAccount;
  readonly sftpHostKey: HostKey;
  /** Where Campaign's workflows export to, from the SFTP user's home. */
  readonly exportFolder: string;
  /** How often Campaign's export workflows run; 0: only when the control API says so. */
  readonly exportEverySeconds: number;
  /** How often a small delivery is sent to some of the profiles; 0: never. */
  readonly deliveryEverySeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Ports of the system's choice on loopback: what tests want. */
export const defaultOptions: SandboxOptions = {
  dataverseAddress: { host: "127.0.0.1", port: 0 },
  campaignAddress: { host: "127.0.0.1", port: 0 },
  sftpAddress: undefined,
  controlAddress: undefined,
  contacts: 5000,
  seed: 1,
  tenantId: "sandbox",
  clientId: "sandbox-client",
  clientSecret: "sandbox-secret",
  tokenLifetimeSeconds: 3599,
  campaignOrganization: "contoso",
  keyField: "externalId",
  optOutNames: "denyList",
  sftpAccount: { username: "contoso", password: "sandbox-secret", publicKey: undefined },
  sftpHostKey: hostKeyOf("sandbox"),
  exportFolder: "d365_loads/exports",
  exportEverySeconds: 0,
  deliveryEverySeconds: 0,
  now: Date.now,
};
