import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { findConnection } from "../kubernetes/connection.ts";
import { ConfigurationError } from "../kubernetes/errors.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { withoutIdentity } from "./person.ts";
import { runConsole } from "./process.ts";
import type { ConsoleSettings, OidcSettings, SignIn } from "./settings.ts";

interface Flags {
  readonly address: AddressFlag;
  readonly metricsAddress: AddressFlag;
  readonly publicUrl: string;
  readonly apiServer?: string;
  readonly apiServerCa?: string;
  readonly kubeconfig?: string;
  readonly signIn: SignIn["by"];
  readonly proxyHeader: string;
  readonly oidcIssuer?: string;
  readonly oidcClientId?: string;
  readonly oidcClientSecretFile?: string;
  readonly oidcCaFile?: string;
  readonly oidcScopes: string;
  readonly oidcToken: OidcSettings["token"];
  readonly oidcParameters: Readonly<Record<string, string>>;
  readonly trustedProxies: readonly string[];
  readonly sessionKeyFile?: string;
  readonly workerImage?: string;
  readonly assets: string;
  readonly logLevel: LogLevel;
}

const keyBytes = 32;

/**
 * `integration-workflow console`. Every flag can also be set as INTEGRATION_WORKFLOW_<FLAG>.
 * @param stop aborts when the process is to end
 */
export function consoleCommand(stop: AbortSignal): Command {
  return new Command("console")
    .description("the Workflows page: what workflows do, and start, stop and edit, as the person who is signed in")
    .addOption(addressFlag("--address <address>", "where it listens", 8090))
    .addOption(addressFlag("--metrics-address <address>", "where /metrics listens; 0 for nowhere", undefined))
    .addOption(
      flag("--public-url <url>", "where people reach it, such as https://workflows.example.com")
        .argParser(origin)
        .makeOptionMandatory(),
    )
    .addOption(
      flag("--api-server <url>", "the cluster's API server; else that of the kubeconfig, else of this pod's cluster"),
    )
    .addOption(
      flag("--api-server-ca <file>", "the certificates that it is trusted by; else the kubeconfig's or the pod's"),
    )
    .addOption(flag("--kubeconfig <file>", "which cluster; whoever it names as user is not used"))
    .addOption(flag("--sign-in <way>", "how people sign in").choices(["token", "oidc", "proxy"]).default("token"))
    .addOption(
      flag("--proxy-header <name>", "with --sign-in proxy: the header with the person's token")
        .argParser(headerName)
        .default("authorization"),
    )
    .addOption(
      flag(
        "--oidc-issuer <url>",
        "with --sign-in oidc: who signs people in, as it writes itself in its tokens",
      ).argParser(issuer),
    )
    .addOption(flag("--oidc-client-id <id>", "with --sign-in oidc: what the issuer knows this page as"))
    .addOption(
      flag("--oidc-client-secret-file <file>", "with --sign-in oidc: the client's secret; none: a public client"),
    )
    .addOption(flag("--oidc-ca-file <file>", "the certificates that the issuer is trusted by; else the public ones"))
    .addOption(
      flag("--oidc-scopes <scopes>", "what the issuer is asked for, by spaces")
        .argParser(scopes)
        .default("openid profile email"),
    )
    .addOption(
      flag("--oidc-token <token>", "which token of the issuer the API server is shown")
        .choices(["id_token", "access_token"])
        .default("id_token"),
    )
    .addOption(
      flag(
        "--oidc-parameters <query>",
        "what else the issuer is asked with, such as prompt=consent&domain_hint=example.com",
      )
        .argParser(parameters)
        .default({}, "nothing"),
    )
    .addOption(
      flag("--trusted-proxies <addresses>", "addresses and ranges, by commas, whose X-Forwarded-For is believed")
        .argParser(addresses)
        .default([], "none"),
    )
    .addOption(
      flag("--session-key-file <file>", "32 bytes, as base64: only for several replicas; else made anew at each start"),
    )
    .addOption(
      flag(
        "--worker-image <image>",
        "the operator's own --worker-image, for whoever edits a workflow that does not run",
      ),
    )
    .addOption(flag("--assets <directory>", "its scripts and styles").default(join(import.meta.dirname, "console")))
    .addOption(logLevelFlag())
    .action(async (flags: Flags) => {
      await runConsole(settingsOf(flags), createLogger("console", flags.logLevel), stop);
    });
}

function settingsOf(flags: Flags): ConsoleSettings {
  const address = listenAddress(flags.address);
  if (address === undefined) throw new ConfigurationError("a page that listens nowhere is of no use: give --address");
  if (!existsSync(join(flags.assets, "console.js"))) {
    throw new ConfigurationError(
      `${flags.assets} has no console.js: run npm run build, or name its folder by --assets`,
    );
  }
  return {
    address,
    metricsAddress: listenAddress(flags.metricsAddress),
    publicOrigin: flags.publicUrl,
    signIn: signInOf(flags),
    trustedProxies: flags.trustedProxies,
    connection: connectionOf(flags),
    sessionKey: flags.sessionKeyFile === undefined ? randomBytes(keyBytes) : keyIn(flags.sessionKeyFile),
    workerImage: flags.workerImage,
    assetsDirectory: flags.assets,
  };
}

function signInOf({ signIn, proxyHeader, oidcIssuer, oidcClientId, ...flags }: Flags): SignIn {
  if (signIn === "proxy") return { by: "proxy", header: proxyHeader };
  if (signIn === "token") return { by: "token" };
  if (oidcIssuer === undefined || oidcClientId === undefined)
    throw new ConfigurationError("--sign-in oidc needs --oidc-issuer and --oidc-client-id");
  return {
    by: "oidc",
    oidc: {
      issuer: oidcIssuer,
      clientId: oidcClientId,
      clientSecretFile: flags.oidcClientSecretFile,
      caFile: flags.oidcCaFile,
      scopes: flags.oidcScopes,
      token: flags.oidcToken,
      parameters: flags.oidcParameters,
    },
  };
}

function connectionOf({ apiServer, apiServerCa, kubeconfig }: Flags) {
  if (apiServer === undefined) return withoutIdentity(findConnection({ kubeconfig, environment: process.env }));
  const trust = () => ({
    ca: apiServerCa === undefined ? undefined : readFileSync(apiServerCa, "utf8"),
    serverName: undefined,
    skipVerification: false,
  });
  return withoutIdentity({ server: apiServer, origin: apiServer, trust });
}

function keyIn(file: string): Uint8Array {
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64");
  if (key.length === keyBytes) return key;
  throw new ConfigurationError(
    `${file} holds ${key.length} bytes: a session key has ${keyBytes} (openssl rand -base64 ${keyBytes})`,
  );
}

function origin(text: string): string {
  const url = URL.parse(text);
  const isLocal = url?.hostname === "localhost" || url?.hostname === "127.0.0.1";
  if (
    url === null ||
    url.pathname !== "/" ||
    url.search !== "" ||
    !(url.protocol === "https:" || (url.protocol === "http:" && isLocal))
  ) {
    throw new InvalidArgumentError(
      "give an https address without a path; http only for localhost, where browsers keep the cookie",
    );
  }
  return url.origin;
}

function headerName(text: string): string {
  if (/^[A-Za-z0-9-]+$/.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError(`"${text}" is no name of a header`);
}

/** As it is: issuers compare it character by character. */
function issuer(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "https:" && url.search === "" && url.hash === "" && url.username === "") return text;
  throw new InvalidArgumentError("give the issuer's https address, as it stands in its tokens");
}

function scopes(text: string): string {
  const all = text.split(/[\s,]+/).filter((scope) => scope !== "");
  if (all.includes("openid")) return all.join(" ");
  throw new InvalidArgumentError("openid must be one of them");
}

/** What makes a sign-in safe is this page's own to say. */
const own = /^(client_id|redirect_uri|response_(type|mode)|scope|state|nonce|code_challenge(_method)?|request(_uri)?)$/;

function parameters(text: string): Readonly<Record<string, string>> {
  const all = [...new URLSearchParams(text)];
  const wrong = all.find(([name]) => name === "" || own.test(name));
  if (wrong === undefined) return Object.fromEntries(all);
  throw new InvalidArgumentError(`"${wrong[0]}" is the page's own to say`);
}

function addresses(text: string): readonly string[] {
  const all = text.split(",").map((address) => address.trim());
  const wrong = all.find((address) => !isRange(address));
  if (wrong === undefined) return all;
  throw new InvalidArgumentError(`"${wrong}" is neither an address nor a range such as 10.0.0.0/8`);
}

function isRange(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}
