import type { Connection } from "../kubernetes/connection.ts";
import type { ListenAddress } from "../telemetry/address.ts";

/** How people sign in. */
export type SignIn =
  /** They enter a token of theirs. */
  | { readonly by: "token" }
  /** An issuer of OpenID Connect signs them in. */
  | { readonly by: "oidc"; readonly oidc: OidcSettings }
  /** A proxy in front has signed them in and passes a token of theirs in this header with every request. */
  | { readonly by: "proxy"; readonly header: string };

export interface OidcSettings {
  /** An https URL, as the issuer writes itself in its tokens. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client, which PKCE alone protects. Read at each use. */
  readonly clientSecretFile: string | undefined;
  /** PEM; absent: the public authorities. Read at each connection. */
  readonly caFile: string | undefined;
  /** Separated by spaces; openid is one of them. */
  readonly scopes: string;
  /** Which token the API server is shown. */
  readonly token: "id_token" | "access_token";
  /** What else the issuer is asked with, such as prompt. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ConsoleSettings {
  readonly address: ListenAddress;
  /** Where /metrics is; absent: nowhere. */
  readonly metricsAddress: ListenAddress | undefined;
  /** Where people reach the page, without a slash at the end: changes have to come from there. */
  readonly publicOrigin: string;
  readonly signIn: SignIn;
  /** Addresses and ranges whose X-Forwarded-For is believed. Requests without a session are counted by address. */
  readonly trustedProxies: readonly string[];
  /** The API server, without any identity. */
  readonly connection: Connection;
  /** 32 bytes. */
  readonly sessionKey: Uint8Array;
  /** The image of workers that name none. Absent: nobody is offered a pod that asks both systems. */
  readonly workerImage: string | undefined;
  /** The folder of console.css and console.js. */
  readonly assetsDirectory: string;
}
