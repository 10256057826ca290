import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { type Credentials, credentialsOf, type Environment, pem } from "./credentials.ts";
import { ConfigurationError } from "./errors.ts";
import { type KubeconfigEntry, readKubeconfig, reasonOf } from "./kubeconfig.ts";

/** A way to one cluster. */
export interface Connection {
  /** Without a slash at the end; may hold a path prefix. */
  server: string;
  /** The namespace of the context or of the pod; absent when neither names one. */
  namespace: string | undefined;
  /** Where this comes from, for the log: a context's name, or "in cluster". */
  origin: string;
  credentials: Credentials;
  /** For the next TLS handshake: files are read again. */
  trust(): ServerTrust;
}

export interface ServerTrust {
  /** PEM; absent: the public authorities. */
  ca: string | undefined;
  serverName: string | undefined;
  /** `insecure-skip-tls-verify` of the kubeconfig. */
  skipVerification: boolean;
}

export interface ConnectionOptions {
  /** Path of a kubeconfig; wins over KUBECONFIG. */
  kubeconfig?: string | undefined;
  /** A context by name, so that nobody's current context is used by accident. */
  context?: string | undefined;
  environment: Environment;
}

/** Where the kubelet puts a pod's identity. */
const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds the cluster: `kubeconfig`, else KUBECONFIG, else the one this pod runs in. `~/.kube/config` is not looked for:
 * an operator must not write to whatever cluster somebody used last.
 * @throws ConfigurationError when nothing is configured, or what is configured cannot be used
 */
export function findConnection(options: ConnectionOptions): Connection {
  const { environment } = options;
  const paths = options.kubeconfig ?? environment["KUBECONFIG"];
  if (paths) return fromKubeconfig(readKubeconfig(paths, options.context), environment);
  if (options.context !== undefined) {
    throw new ConfigurationError(
      `context "${options.context}" is asked for, but no kubeconfig: give --kubeconfig or set KUBECONFIG`,
    );
  }
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) {
    throw new ConfigurationError(
      "no cluster is configured: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account token",
    );
  }
  return inCluster(host, port, serviceAccountFolder);
}

function fromKubeconfig(entry: KubeconfigEntry, environment: Environment): Connection {
  const { cluster, user } = entry;
  const url = URL.parse(cluster.server);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new ConfigurationError(`cluster "${cluster.name}": server "${cluster.server}" is not an http or https URL`);
  }
  if (cluster.proxyUrl) {
    throw new ConfigurationError(`cluster "${cluster.name}" is reached through proxy-url, which is not supported`);
  }
  const connection: Connection = {
    server: cluster.server,
    namespace: entry.namespace,
    origin: `context ${entry.contextName}`,
    credentials: credentialsOf(user, environment),
    trust: () => ({
      ca: pem(cluster.caFile, cluster.caData),
      serverName: cluster.tlsServerName,
      skipVerification: cluster.skipTLSVerify,
    }),
  };
  connection.trust();
  return connection;
}

/**
 * The service account of a pod. Its token and CA are read again while the process runs: the kubelet renews them in place.
 * @param folder holds token, ca.crt and namespace
 * @throws ConfigurationError when a file is missing, as with automountServiceAccountToken: false
 */
export function inCluster(host: string, port: string, folder: string): Connection {
  const credentials = credentialsOf({ name: "service account", tokenFile: `${folder}/token` }, {});
  let namespace: string;
  try {
    readFileSync(`${folder}/token`);
    namespace = readFileSync(`${folder}/namespace`, "utf8").trim();
  } catch (cause) {
    throw new ConfigurationError(
      `this pod has no service account token (automountServiceAccountToken?): ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace,
    origin: "in cluster",
    credentials,
    trust: () => ({ ca: pem(`${folder}/ca.crt`, undefined), serverName: undefined, skipVerification: false }),
  };
}
