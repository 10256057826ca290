import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { type DatedClock, systemClock } from "../telemetry/clock.ts";
import { ConfigurationError } from "./errors.ts";
import { type KubeconfigUser, reasonOf } from "./kubeconfig.ts";

/** As whom a call is made. */
export interface Credentials {
  /** Headers of the next call. What has grown old is read, or fetched, again first. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** PEM texts for the next TLS handshake. */
  clientCertificate(): Promise<ClientCertificate | undefined>;
  /** Called on a 401. True when the next headers may differ, so that the call is worth one more try. */
  forget(): boolean;
}

export interface ClientCertificate {
  cert: string;
  key: string;
}

/** The environment as an argument. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The credentials of a kubeconfig user, or of a pod's service account.
 * @param environment is passed on to an exec plugin
 * @throws ConfigurationError for a way to sign in that is not supported
 */
export function credentialsOf(
  user: KubeconfigUser,
  environment: Environment,
  clock: DatedClock = systemClock,
): Credentials {
  const impersonation = impersonationHeaders(user);
  const certificate = (): ClientCertificate | undefined => certificateOf(user);
  const fixed = (authorization: string | undefined): Credentials => ({
    headers: async () => ({ ...impersonation, ...(authorization === undefined ? {} : { authorization }) }),
    clientCertificate: async () => certificate(),
    forget: () => false,
  });
  if (user.tokenFile !== undefined) {
    const token = tokenFileReader(user.tokenFile, clock);
    return {
      headers: async () => ({ ...impersonation, authorization: `Bearer ${token.read()}` }),
      clientCertificate: async () => certificate(),
      forget: token.forget,
    };
  }
  if (user.token) return fixed(`Bearer ${user.token.trim()}`);
  if (user.exec) {
    const plugin = execPlugin(user.name, parseExec(user.name, user.exec), environment, clock);
    return {
      headers: async () => {
        const { token } = await plugin.credential();
        return { ...impersonation, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      },
      clientCertificate: async () => (await plugin.credential()).certificate ?? certificate(),
      forget: plugin.forget,
    };
  }
  if (user.authProvider) {
    throw new ConfigurationError(
      `user "${user.name}" signs in by an auth-provider, which Kubernetes has given up: use an exec plugin, a token or a certificate`,
    );
  }
  if (user.username) {
    return fixed(`Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}`);
  }
  return fixed(undefined);
}

/** How long a token that was read from a file is used, as in client-go: kubelet renews it at 80 per cent of its life. */
const tokenAgeMs = 60_000;

function tokenFileReader(path: string, clock: DatedClock): { read(): string; forget(): boolean } {
  let token: { text: string; readAtMs: number } | undefined;
  return {
    read: () => {
      const nowMs = clock.now();
      if (token === undefined || nowMs - token.readAtMs > tokenAgeMs) {
        try {
          token = { text: readFileSync(path, "utf8").trim(), readAtMs: nowMs };
        } catch (cause) {
          throw new ConfigurationError(`cannot read the token in ${path}: ${reasonOf(cause)}`, { cause });
        }
      }
      return token.text;
    },
    forget: () => {
      token = undefined;
      return true;
    },
  };
}

/** Read at every handshake: connections are few, and a renewed certificate is taken up without a restart. */
function certificateOf(user: KubeconfigUser): ClientCertificate | undefined {
  const cert = pem(user.certFile, user.certData);
  const key = pem(user.keyFile, user.keyData);
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/**
 * A PEM text from a file or from base64, as kubeconfigs hold both. The data wins, as in kubectl.
 * @throws ConfigurationError when the file cannot be read
 */
export function pem(file: string | undefined, data: string | undefined): string | undefined {
  if (data) return Buffer.from(data, "base64").toString("utf8");
  if (!file) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`cannot read ${file}: ${reasonOf(cause)}`, { cause });
  }
}

function impersonationHeaders(user: KubeconfigUser): Readonly<Record<string, string>> {
  if (!user.impersonateUser) return {};
  const groups = user.impersonateGroups ?? [];
  if (groups.length > 1) {
    throw new ConfigurationError(`user "${user.name}" impersonates several groups; one at most is supported`);
  }
  return {
    "impersonate-user": user.impersonateUser,
    ...(groups[0] === undefined ? {} : { "impersonate-group": groups[0] }),
  };
}

interface ExecConfig {
  apiVersion: string;
  command: string;
  args: readonly string[];
  env: readonly { name: string; value: string }[];
  installHint: string | undefined;
}

function parseExec(userName: string, value: unknown): ExecConfig {
  // Every field is checked right here.
  const raw = value as Readonly<Record<string, unknown>>;
  const { apiVersion, command, args, env, installHint } = raw;
  if (typeof command !== "string" || typeof apiVersion !== "string") {
    throw new ConfigurationError(`user "${userName}": exec needs a command and an apiVersion`);
  }
  return {
    apiVersion,
    command,
    args: Array.isArray(args) ? args.map(String) : [],
    env: Array.isArray(env) ? env.map((entry) => ({ name: String(entry?.name), value: String(entry?.value) })) : [],
    installHint: typeof installHint === "string" ? installHint : undefined,
  };
}

interface ExecCredential {
  token: string | undefined;
  certificate: ClientCertificate | undefined;
  /** Unix milliseconds; Infinity when the plugin sets no limit. */
  expiresAtMs: number;
}

const execTimeoutMs = 60_000;
/** A credential is renewed this long before it ends, so that no call is sent with one that ends on the way. */
const renewBeforeMs = 30_000;

/** An exec plugin (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins). */
function execPlugin(userName: string, config: ExecConfig, environment: Environment, clock: DatedClock) {
  let known: ExecCredential | undefined;
  let running: Promise<ExecCredential> | undefined;
  return {
    async credential(): Promise<ExecCredential> {
      if (known !== undefined && known.expiresAtMs - renewBeforeMs > clock.date().getTime()) return known;
      // Calls that come while the plugin runs wait for the same run; a failed run is not kept.
      running ??= runExec(userName, config, environment)
        .then((credential) => {
          known = credential;
          return credential;
        })
        .finally(() => {
          running = undefined;
        });
      return running;
    },
    forget(): boolean {
      known = undefined;
      return true;
    },
  };
}

function runExec(userName: string, config: ExecConfig, environment: Environment): Promise<ExecCredential> {
  const info = { apiVersion: config.apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const env = {
    ...environment,
    ...Object.fromEntries(config.env.map(({ name, value }) => [name, value])),
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
  return new Promise((resolve, reject) => {
    const done = (cause: Error | null, output: string, complaint: string): void => {
      try {
        if (cause !== null) throw new Error(complaint.trim().slice(0, 500) || cause.message, { cause });
        resolve(parseExecCredential(output));
      } catch (error) {
        const hint = config.installHint === undefined ? "" : `\n${config.installHint}`;
        const text = `user "${userName}": ${config.command} gave no credential: ${reasonOf(error)}${hint}`;
        reject(new ConfigurationError(text, { cause: error }));
      }
    };
    const child = execFile(config.command, [...config.args], { env, timeout: execTimeoutMs }, done);
    child.stdin?.end();
  });
}

function parseExecCredential(output: string): ExecCredential {
  // The plugin is a program of somebody else's: every field is checked below.
  const parsed = JSON.parse(output) as { status?: Readonly<Record<string, unknown>> } | null;
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = parsed?.status ?? {};
  const certificate = typeof cert === "string" && typeof key === "string" ? { cert, key } : undefined;
  if (typeof token !== "string" && certificate === undefined) {
    throw new TypeError("its answer holds neither a token nor a certificate with its key");
  }
  const expiresAtMs =
    typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : Number.POSITIVE_INFINITY;
  return { token: typeof token === "string" ? token : undefined, certificate, expiresAtMs };
}
