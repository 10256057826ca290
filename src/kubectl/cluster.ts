/** Which cluster, as whom, in which namespace: as kubectl would. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { refusalOf } from "../kubernetes/call.ts";
import { Client } from "../kubernetes/client.ts";
import { type Connection, findConnection } from "../kubernetes/connection.ts";
import { ConfigurationError } from "../kubernetes/errors.ts";
import { createTransport } from "../kubernetes/transport.ts";
import { stateManager } from "../steering/switch.ts";

export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** Owner of every field that this program edits, but for whether to run. */
const editManager = "kubectl-integrationworkflow";

/** Two clients of one pool: each writes under its own name. */
export interface Cluster {
  readonly namespace: string;
  readonly reader: Client;
  readonly editor: Client;
  readonly switcher: Client;
  /** Where this leads, for messages: `context crm-prod`. */
  readonly origin: string;
  /** A command of this program that leads to the same place, for a person to copy. @param words `status contacts` */
  hint(words: string): string;
  /** What kubectl needs to reach the same place. */
  readonly kubectlArguments: readonly string[];
  /** A GET whose answer goes on. @throws ApiError, ConnectionError, or the signal's reason */
  stream(path: string, signal: AbortSignal): Promise<Readable>;
  close(): Promise<void>;
}

/** @throws ConfigurationError that says what is missing */
export function openCluster({ kubeconfig, context, namespace }: ClusterFlags): Cluster {
  const connection = connect(kubeconfig, context);
  const transport = createTransport({ connection, userAgent: "kubectl-integrationworkflow" });
  const client = (fieldManager: string) => new Client({ transport, server: connection.server, fieldManager });
  const editor = client(editManager);
  const chosen = namespace ?? connection.namespace ?? "default";
  return {
    namespace: chosen,
    origin: connection.origin,
    hint: (words) => {
      const elsewhere = chosen === (connection.namespace ?? "default") ? "" : ` -n ${chosen}`;
      return `kubectl iw ${words}${elsewhere}${context === undefined ? "" : ` --context ${context}`}`;
    },
    reader: editor,
    editor,
    switcher: client(stateManager),
    kubectlArguments: [
      ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig]),
      ...(context === undefined ? [] : ["--context", context]),
      "--namespace",
      chosen,
    ],
    stream: async (path, signal) => {
      const answer = await transport.send({ method: "GET", path, signal });
      if (answer.status !== 200) throw await refusalOf({ method: "GET", path }, answer);
      return answer.body;
    },
    close: () => transport.close(),
  };
}

function connect(kubeconfig: string | undefined, context: string | undefined): Connection {
  const environment = process.env;
  // A person's own kubectl looks there, and so does this; an operator never does.
  const usual = join(homedir(), ".kube", "config");
  const file = kubeconfig ?? (presentOf(environment["KUBECONFIG"]) || (existsSync(usual) ? usual : undefined));
  if (file === undefined && environment["KUBERNETES_SERVICE_HOST"] === undefined) {
    throw new ConfigurationError(
      `there is no kubeconfig: KUBECONFIG is not set, and ${usual} is not there. Give --kubeconfig FILE`,
    );
  }
  return findConnection({ kubeconfig: file, context, environment });
}

/** As kubectl, which passes by files of KUBECONFIG that are not there; when none is, they are named. */
function presentOf(paths: string | undefined): string | undefined {
  const present = paths?.split(delimiter).filter((path) => path !== "" && existsSync(path));
  return present?.length ? present.join(delimiter) : paths;
}
