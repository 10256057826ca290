/** What some users ask of an API server, from its own audit log: exact, and written before the answer is out. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One request that was answered; a watch, when it has ended. */
export interface AuditedRequest {
  readonly user: string;
  /** As RBAC names it: get, list, watch, create, update, patch, delete. */
  readonly verb: string;
  /** `deployments`, `integrationworkflows/status`; a path where there is no resource. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** Of a list or a watch. */
  readonly labelSelector: string | undefined;
  /** The HTTP status of the answer. */
  readonly code: number;
  /** When the API server got it, epoch milliseconds. */
  readonly atMs: number;
}

export interface AuditLog {
  /** For kube-apiserver. */
  readonly apiServerArguments: readonly string[];
  /** What was answered since the last call. */
  read(): readonly AuditedRequest[];
  remove(): void;
}

/** @param users by the names that they sign in with; nobody else is written down */
export function createAuditLog(users: readonly string[]): AuditLog {
  const folder = mkdtempSync(join(tmpdir(), "integration-workflow-audit-"));
  const [policyPath, logPath] = [join(folder, "policy.yaml"), join(folder, "audit.log")];
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived", "ResponseStarted"],
    rules: [{ level: "Metadata", users }, { level: "None" }],
  };
  writeFileSync(policyPath, JSON.stringify(policy));
  writeFileSync(logPath, "");
  let readTo = 0;
  return {
    apiServerArguments: [
      `--audit-policy-file=${policyPath}`,
      `--audit-log-path=${logPath}`,
      // In megabytes: after 100, as it would be otherwise, there would be another file, and this one would begin anew.
      "--audit-log-maxsize=10000",
    ],
    read() {
      const text = textFrom(logPath, readTo);
      const end = text.lastIndexOf("\n") + 1;
      readTo += Buffer.byteLength(text.slice(0, end));
      return text.slice(0, end).split("\n").filter(Boolean).map(parse);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function textFrom(path: string, from: number): string {
  const bytes = Buffer.alloc(statSync(path).size - from);
  const file = openSync(path, "r");
  try {
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, from));
  } finally {
    closeSync(file);
  }
}

/** The fields of an audit.k8s.io/v1 Event that are read. */
interface AuditEvent {
  readonly user?: { readonly username?: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

function parse(line: string): AuditedRequest {
  const { user, verb, requestURI, requestReceivedTimestamp, objectRef, responseStatus } = JSON.parse(
    line,
  ) as AuditEvent; // The API server wrote it.
  const { resource, subresource, namespace, name } = objectRef ?? {};
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return {
    user: user?.username ?? "",
    verb,
    resource: whole ?? requestURI.split("?", 1)[0] ?? "",
    namespace,
    name,
    labelSelector: new URL(requestURI, "https://any").searchParams.get("labelSelector") ?? undefined,
    code: responseStatus?.code ?? 0,
    atMs: Date.parse(requestReceivedTimestamp),
  };
}
