import { readFileSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import {
  type Cluster,
  type Context,
  newClusters,
  newContexts,
  newUsers,
  type User,
} from "@kubernetes/client-node/dist/config_types.js";
import { load, YAMLException } from "js-yaml";
import { ConfigurationError } from "./errors.ts";

/*
 * Only the reader of entries is taken from @kubernetes/client-node: importing it costs 5 MB of memory,
 * its KubeConfig class 82 MB (it pulls in every generated API).
 */

/** One cluster and one user, picked by a context. Paths are absolute. */
export interface KubeconfigEntry {
  contextName: string;
  cluster: Cluster;
  user: KubeconfigUser;
  namespace: string | undefined;
}

export interface KubeconfigUser extends User {
  /** Read again while the process runs. client-node knows this key only as `token-file`, which kubectl does not write. */
  tokenFile?: string;
  impersonateGroups?: readonly string[];
}

/**
 * Reads one kubeconfig, or several joined as in KUBECONFIG, where the first file that has a name wins.
 * @param context by name; absent: the current context of the first file that has one
 * @throws ConfigurationError that names the file and what is missing in it
 */
export function readKubeconfig(paths: string, context: string | undefined): KubeconfigEntry {
  const files = paths.split(delimiter).filter((path) => path !== "");
  const parts = files.map(readFile);
  const contextName = context ?? parts.find((part) => part.currentContext !== undefined)?.currentContext;
  const contexts = parts.flatMap((part) => part.contexts);
  const known = contexts.map((entry) => entry.name).join(", ") || "none";
  if (contextName === undefined) {
    throw new ConfigurationError(`${paths} has no current-context: name one (it has: ${known})`);
  }
  const chosen = contexts.find((entry) => entry.name === contextName);
  if (chosen === undefined) {
    throw new ConfigurationError(`${paths} has no context "${contextName}" (it has: ${known})`);
  }
  const cluster = parts.flatMap((part) => part.clusters).find((entry) => entry.name === chosen.cluster);
  if (cluster === undefined) {
    throw new ConfigurationError(
      `${paths}: context "${contextName}" names cluster "${chosen.cluster}", which is not there`,
    );
  }
  const user = parts.flatMap((part) => part.users).find((entry) => entry.name === chosen.user);
  if (user === undefined && chosen.user !== undefined) {
    throw new ConfigurationError(`${paths}: context "${contextName}" names user "${chosen.user}", which is not there`);
  }
  return { contextName, cluster, user: user ?? { name: "" }, namespace: chosen.namespace };
}

interface KubeconfigPart {
  clusters: Cluster[];
  contexts: Context[];
  users: KubeconfigUser[];
  currentContext: string | undefined;
}

function readFile(path: string): KubeconfigPart {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`cannot read kubeconfig ${path}: ${reasonOf(cause)}`, { cause });
  }
  try {
    const document = record(load(text));
    if (document === undefined) throw new TypeError("it is not a kubeconfig");
    const absolute = (file: string): string => (isAbsolute(file) ? file : join(dirname(path), file));
    const currentContext = document["current-context"];
    return {
      clusters: newClusters(document["clusters"]).map((cluster) => ({
        ...cluster,
        ...(cluster.caFile ? { caFile: absolute(cluster.caFile) } : {}),
      })),
      contexts: newContexts(document["contexts"]),
      users: usersOf(document["users"], absolute),
      currentContext: typeof currentContext === "string" && currentContext !== "" ? currentContext : undefined,
    };
  } catch (cause) {
    throw new ConfigurationError(`cannot use kubeconfig ${path}: ${withoutContent(cause)}`, { cause });
  }
}

/** A YAML error quotes the lines around it, and a kubeconfig's lines hold secrets. */
function withoutContent(error: unknown): string {
  if (!(error instanceof YAMLException)) return reasonOf(error);
  const { reason, mark } = error;
  return mark === undefined ? `it is not YAML: ${reason}` : `line ${mark.line + 1} is not YAML: ${reason}`;
}

function usersOf(entries: unknown, absolute: (file: string) => string): KubeconfigUser[] {
  const raw = Array.isArray(entries) ? entries.map((entry: unknown) => record(record(entry)?.["user"]) ?? {}) : [];
  return newUsers(entries).map((user, index) => {
    const tokenFile = raw[index]?.["tokenFile"];
    const groups = raw[index]?.["as-groups"];
    return {
      ...user,
      ...(user.certFile ? { certFile: absolute(user.certFile) } : {}),
      ...(user.keyFile ? { keyFile: absolute(user.keyFile) } : {}),
      ...(typeof tokenFile === "string" ? { tokenFile: absolute(tokenFile) } : {}),
      ...(user.exec ? { exec: withCommand(user.exec, absolute) } : {}),
      ...(Array.isArray(groups) ? { impersonateGroups: groups.map(String) } : {}),
    };
  });
}

/** A plugin's path is relative to the kubeconfig, too; a plain name is looked for in PATH. */
function withCommand(exec: unknown, absolute: (file: string) => string): unknown {
  const command = record(exec)?.["command"];
  return typeof command === "string" && command.includes("/") ? { ...record(exec), command: absolute(command) } : exec;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // Any object can be read by string keys; what is found is checked where it is used.
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
