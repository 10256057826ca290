/** Credentials that end, and an authority that is replaced, while the operator runs: taken up from their files. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { createAuthority, type SignedCertificate } from "../../../cluster/certificates.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { type CountingRelay, startCountingRelay } from "../kubernetes/counting-relay.ts";
import { connectionTo } from "../kubernetes/ground.ts";
import { Ground, patience } from "./ground.ts";
import { startOperator } from "./operator-process.ts";

/** Each waits for leases, pauses and caches, beside the others. */
vi.setConfig({ testTimeout: 300_000 });

let controlPlane: ControlPlane;
let relay: CountingRelay;
let ground: Ground;
const folder = mkdtempSync(join(tmpdir(), "credentials-"));
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
  relay = await startCountingRelay("127.0.0.1", Number(new URL(controlPlane.url).port));
  ground = await Ground.make(controlPlane.kubeconfigPath);
  writeFileSync(file("ca.pem"), readFileSync(controlPlane.caPath));
});
afterAll(async () => {
  await ground?.end();
  await relay?.stop();
  await controlPlane?.stop();
  rmSync(folder, { recursive: true });
});

/** A leader through the relay, which keeps its connections in use all the time. */
async function leaderAs(name: string, user: object) {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "own",
    clusters: [
      {
        name: "own",
        cluster: { server: `https://127.0.0.1:${relay.port}`, "certificate-authority": file("ca.pem") },
      },
    ],
    users: [{ name: "own", user }],
    contexts: [{ name: "own", context: { cluster: "own", user: "own" } }],
  };
  writeFileSync(file(`${name}.kubeconfig`), JSON.stringify(config));
  const { namespace } = ground;
  const operator = await startOperator(file(`${name}.kubeconfig`), [
    "--watch-namespaces",
    namespace,
    "--leader-elect",
    "--leader-election-namespace",
    namespace,
  ]);
  ground.operators.push(operator);
  return operator;
}

function writeCertificate({ certificate, key }: SignedCertificate): void {
  writeFileSync(file("client.pem"), certificate);
  writeFileSync(file("client.key"), key);
}

const told = async (operator: Awaited<ReturnType<typeof leaderAs>>, text: string): Promise<void> =>
  vi.waitFor(() => expect(JSON.stringify(operator.lines)).toContain(text), { ...patience, timeout: 120_000 });

test("a client certificate that has ended is replaced by the renewed one from its file, without a restart", async () => {
  const validMs = 3650 * 86_400_000;
  // An authority of ten years that is ten years old in a minute, and all that it signs with it: by then one must run.
  const old = createAuthority("nearly-over", new Date(Date.now() - validMs + 60_000));
  appendFileSync(controlPlane.caPath, old.certificate);
  writeCertificate(old.issue({ commonName: "operator", organizations: ["system:masters"] }));
  const certificate = { "client-certificate": file("client.pem"), "client-key": file("client.key") };
  // The API server reads its authorities anew when their file changes.
  const operator = await leaderAs("certificate", certificate);
  await operator.said("leading");
  await ground.apply("certificate", { state: "Running" });
  await ground.until("certificate", { state: "RUNNING" });
  await told(operator, "401 Unauthorized");
  await ground.patch("certificate", { campaign: { engineCallsPerSecond: 25 } });

  const { credentials } = connectionTo(controlPlane.signIn("operator", "system:masters"));
  const renewed = await credentials.clientCertificate();
  writeCertificate({ certificate: renewed?.cert ?? "", key: renewed?.key ?? "" });
  await ground.until("certificate", { pendingRestart: true, state: "RUNNING" });
  expect(await operator.stop()).toBe(0);
});

test("a token that is no longer valid is replaced by the renewed one from its file, without a restart", async () => {
  const secret = async (name: string): Promise<string> => {
    await ground.server.kubectl(["apply", "-f", "-"], {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/service-account-token",
      metadata: {
        name,
        namespace: ground.namespace,
        annotations: { "kubernetes.io/service-account.name": "operator" },
      },
    });
    return vi.waitFor(async () => {
      const token = await ground.kubectl("get", "secret", name, "-o", "jsonpath={.data.token}");
      expect(token).not.toBe("");
      return Buffer.from(token, "base64").toString("utf8");
    }, patience);
  };
  await ground.kubectl("create", "serviceaccount", "operator");
  const subject = `--serviceaccount=${ground.namespace}:operator`;
  await ground.server.kubectl(["create", "clusterrolebinding", "operator", "--clusterrole=cluster-admin", subject]);
  writeFileSync(file("token"), await secret("first"));
  const operator = await leaderAs("token", { tokenFile: file("token") });
  await operator.said("leading");
  await ground.apply("token", { state: "Running" });
  await ground.until("token", { state: "RUNNING" });
  await ground.kubectl("delete", "secret", "first");
  await told(operator, "401 Unauthorized");
  await ground.patch("token", { campaign: { engineCallsPerSecond: 25 } });

  writeFileSync(file("token"), await secret("second"));
  await ground.until("token", { pendingRestart: true, state: "RUNNING" });
  expect(await operator.stop()).toBe(0);
});

test("a new authority of the API server is taken up from its file, without a restart", async () => {
  const { credentials } = connectionTo(controlPlane.signIn("operator", "system:masters"));
  const signedIn = await credentials.clientCertificate();
  writeCertificate({ certificate: signedIn?.cert ?? "", key: signedIn?.key ?? "" });
  const operator = await leaderAs("authority", {
    "client-certificate": file("client.pem"),
    "client-key": file("client.key"),
  });
  await operator.said("leading");
  await ground.apply("authority", { state: "Running" });
  await ground.until("authority", { state: "RUNNING" });

  const next = createAuthority("next", new Date());
  const server = next.issue({ commonName: "kube-apiserver", hosts: ["127.0.0.1"] });
  // The API server reads its own certificate anew when the files change.
  const served = dirname(controlPlane.caPath);
  writeFileSync(join(served, "apiserver.key"), server.key);
  writeFileSync(join(served, "apiserver.crt"), server.certificate);
  await vi.waitFor(() => {
    relay.cut();
    expect(JSON.stringify(operator.lines)).toContain("is not trusted");
  }, patience);
  writeFileSync(file("ca.pem"), next.certificate);
  relay.cut();
  // kubectl is told too.
  const config = JSON.parse(readFileSync(controlPlane.kubeconfigPath, "utf8"));
  config.clusters[0].cluster["certificate-authority-data"] = Buffer.from(next.certificate).toString("base64");
  writeFileSync(controlPlane.kubeconfigPath, JSON.stringify(config));
  await ground.patch("authority", { campaign: { engineCallsPerSecond: 25 } });
  const isPending = (): Promise<string> =>
    ground.kubectl("get", "iw", "authority", "-o", "jsonpath={.status.pendingRestart}");
  await vi.waitFor(async () => expect(await isPending()).toBe("true"), patience);
  expect(await operator.stop()).toBe(0);
});
