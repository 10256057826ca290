/** The API server, asked plainly: what it answers is what is tested, so no client of ours stands between. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { Agent, fetch } from "undici";
import { vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { apiGroup, apiVersion, kind, plural } from "../../../src/api/group.ts";
import type { Manifest } from "./manifests.ts";

/** One reason why a write was refused. */
export interface Cause {
  readonly field?: string;
  readonly message?: string;
}

interface Answer {
  readonly status: number;
  readonly body: Manifest & {
    readonly message?: string;
    readonly details?: { readonly causes?: readonly Cause[] };
  };
}

interface Kubeconfig {
  clusters: [{ cluster: { server: string; "certificate-authority-data": string } }];
  users: [{ user: { "client-certificate-data": string; "client-key-data": string } }];
}

export interface ApiServer {
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
  /** kubectl with this API server, its standard output. Rejects with the standard error when it fails. */
  kubectl(args: readonly string[], input?: unknown): Promise<string>;
  close(): Promise<void>;
}

/** @param kubeconfigPath a kubeconfig with one cluster and a client certificate, as cluster/control-plane.ts writes it */
export async function apiServer(kubeconfigPath: string): Promise<ApiServer> {
  const config = load(readFileSync(kubeconfigPath, "utf8")) as Kubeconfig;
  const [{ cluster }] = config.clusters;
  const [{ user }] = config.users;
  const decode = (text: string): string => Buffer.from(text, "base64").toString("utf8");
  const dispatcher = new Agent({
    connect: {
      ca: decode(cluster["certificate-authority-data"]),
      cert: decode(user["client-certificate-data"]),
      key: decode(user["client-key-data"]),
    },
  });
  const kubectlPath = join(await controlPlaneBinaries(process.env, console.error), "kubectl");
  return {
    async request(method, path, body, contentType = "application/json") {
      const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": contentType } };
      const response = await fetch(`${cluster.server}${path}`, { method, dispatcher, ...init });
      return { status: response.status, body: (await response.json()) as Answer["body"] };
    },
    async kubectl(args, input) {
      const running = promisify(execFile)(kubectlPath, ["--kubeconfig", kubeconfigPath, ...args], {
        maxBuffer: 16_000_000,
      });
      // Nothing is written to one that reads nothing: it may have ended.
      running.child.stdin?.end(input === undefined ? undefined : JSON.stringify(input));
      return (await running).stdout;
    },
    close: () => dispatcher.close(),
  };
}

/** The path of the workflows of a namespace, or of one of them. */
export function workflowsPath(namespace: string, name?: string): string {
  const list = `/apis/${apiGroup}/${apiVersion}/namespaces/${namespace}/${plural}`;
  return name === undefined ? list : `${list}/${name}`;
}

/** Applies the CRD of crds/ as a person would, and waits until the API server serves it and describes it. */
export async function installCrd(server: ApiServer): Promise<void> {
  await server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "crds/integrationworkflows.yaml"]);
  // `kubectl wait` would fail before the CRD has its first condition.
  await vi.waitFor(
    async () => {
      for (const path of [workflowsPath("default"), `/openapi/v3/apis/${apiGroup}/${apiVersion}`]) {
        const { status } = await server.request("GET", path);
        if (status !== 200)
          throw new Error(`the CRD of ${kind} is applied, and GET ${path} is still answered ${status}`);
      }
    },
    { timeout: 60_000, interval: 50 },
  );
}

/** Makes a namespace of its own for a test file, and returns its name. */
export async function makeNamespace(server: ApiServer, prefix: string): Promise<string> {
  const { body } = await server.request("POST", "/api/v1/namespaces", { metadata: { generateName: `${prefix}-` } });
  return body.metadata.name;
}
