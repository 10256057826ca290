/** What a file of end-to-end tests stands on: the chart's operator, a namespace of its own, and a sandbox in it. */
import { createInterface } from "node:readline";
import { inject } from "vitest";
import { runTool } from "../../../cluster/tool.ts";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import { controlClient } from "../../sandbox/control-client.ts";
import { Kubectl } from "./kubectl.ts";

export const operatorNamespace = "integration-workflow";
export const release = "integration-workflow-operator";
export const chart = "charts/integration-workflow-operator";
const sandboxName = "integration-workflow-sandbox";

export interface Ground {
  readonly kubectl: Kubectl;
  readonly sandbox: SandboxControl;
  readonly dynamicsUrl: string;
  readonly campaignUrl: string;
  /** Makes the two Secrets right, or wrong. */
  credentials(overrides?: { dynamicsName?: string; clientSecret?: string }): Promise<void>;
  close(): void;
}

function imageValues(): string[] {
  const { repository, tag } = inject("image");
  return ["--set", `image.repository=${repository}`, "--set", `image.tag=${tag}`];
}

function helm(...args: string[]): Promise<string> {
  return runTool([inject("helm"), "--kubeconfig", inject("kubeconfig"), ...args]);
}

/** Installs the chart, or brings it to these values; resolves when the operator is ready. */
export async function installOperator(...values: string[]): Promise<void> {
  const named = ["upgrade", "--install", release, chart, "--namespace", operatorNamespace, "--create-namespace"];
  await helm(...named, ...imageValues(), ...values, "--wait", "--timeout", "3m");
}

export function operatorKubectl(): Kubectl {
  return new Kubectl(inject("kubectl"), inject("kubeconfig"), operatorNamespace);
}

/**
 * A namespace with a sandbox in it, empty unless it is told otherwise, and an operator that looks after it.
 * @param operatorValues of the chart
 */
export async function prepareGround(
  namespace: string,
  sandboxArguments = ["--contacts=0"],
  operatorValues: readonly string[] = [],
): Promise<Ground> {
  const kubectl = new Kubectl(inject("kubectl"), inject("kubeconfig"), namespace);
  await installOperator(...operatorValues);
  const enforced = { "pod-security.kubernetes.io/enforce": "restricted" };
  await kubectl.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: enforced } });
  const extra = `sandbox.extraArgs={${sandboxArguments.join(",")}}`;
  const values = ["--set", "sandbox.enabled=true", "--set", extra, ...imageValues()];
  const manifests = await helm("template", release, chart, "-n", namespace, "-s", "templates/sandbox.yaml", ...values);
  await kubectl.run(["apply", "-f", "-"], manifests);
  await kubectl.run(["rollout", "status", `deployment/${sandboxName}`, "--timeout=120s"]);

  const host = `http://${sandboxName}.${namespace}.svc`;
  const forward = await forwardPort(kubectl, `deployment/${sandboxName}`, 8083);
  const ground: Ground = {
    kubectl,
    sandbox: controlClient(`http://127.0.0.1:${forward.port}`),
    dynamicsUrl: `${host}:8081`,
    campaignUrl: `${host}:8082/contoso/campaign`,
    credentials: ({ dynamicsName = "dynamics", clientSecret = "sandbox-secret" } = {}) =>
      kubectl.apply(
        secret(dynamicsName, {
          tenantId: "sandbox",
          clientId: "sandbox-client",
          clientSecret,
          tokenUrl: `${host}:8081/sandbox/oauth2/v2.0/token`,
        }),
        secret("campaign", {
          clientId: "sandbox-client",
          clientSecret: "sandbox-secret",
          scopes: "openid,AdobeID,campaign_sdk",
          tokenUrl: `${host}:8082/ims/token/v3`,
        }),
      ),
    close: forward.close,
  };
  await ground.credentials();
  return ground;
}

function secret(name: string, stringData: Record<string, string>): object {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData };
}

export interface Forward {
  readonly port: number;
  close(): void;
}

/** @param local the port here; any free one where it is left out */
export function forwardPort(kubectl: Kubectl, target: string, port: number, local: number | "" = ""): Promise<Forward> {
  const child = kubectl.start(["port-forward", "--address", "127.0.0.1", target, `${local}:${port}`]);
  return new Promise((resolve, reject) => {
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`kubectl port-forward ended (${code}): ${err}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const local = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (local !== undefined) resolve({ port: Number(local), close: () => child.kill() });
    });
  });
}
