/**
 * A Kubernetes API without nodes, for integration tests: etcd, kube-apiserver and kube-controller-manager on loopback.
 * Nothing of it outlives the process that started it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BoundProcess, startBound, untilReady } from "./bound-process.ts";
import {
  type CertificateAuthority,
  createAuthority,
  createSigningKey,
  type SignedCertificate,
} from "./certificates.ts";
import { kubeconfig } from "./kubeconfig.ts";
import { freePort } from "./ports.ts";
import { answers } from "./probe.ts";

export interface ControlPlaneOptions {
  /** The folder that holds etcd, kube-apiserver and kube-controller-manager. */
  readonly binaries: string;
  /** More arguments for kube-apiserver, such as a feature gate. */
  readonly apiServerArguments?: readonly string[];
}

export interface ControlPlane {
  /** A kubeconfig file that signs in as system:masters. */
  readonly kubeconfigPath: string;
  /** The API server's URL, https on 127.0.0.1. */
  readonly url: string;
  /** The file with the certificate (PEM) that the API server's certificate is signed by. */
  readonly caPath: string;
  /** The folder with each process's log. */
  readonly logs: string;
  /** Writes a kubeconfig file that signs in as this user, in these groups. @returns its path */
  signIn(user: string, ...groups: readonly string[]): string;
  /** Its API server's process, another one after each start. */
  apiServerPid(): number | undefined;
  /** Kills the API server with SIGKILL: every watch breaks, and connections are refused. */
  killApiServer(): Promise<void>;
  /** Starts the API server again on the same port with the same data, and resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** Has etcd forget every version of every object but the present one, as it does every few minutes. */
  compact(): Promise<void>;
  /** Ends every process and removes the data. */
  stop(): Promise<void>;
}

const startSeconds = 120;

/**
 * Starts a control plane and resolves when its API server is ready and its controllers work.
 * @throws ClusterError when a process ends or is not ready in time, with the end of its log
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), "integration-workflow-control-plane-"));
  const running: BoundProcess[] = [];
  const stop = async (): Promise<void> => {
    // The API server keeps open watches for a while when asked politely; there is nothing here worth waiting for.
    for (const started of running.splice(0).reverse()) await started.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return await startIn(folder, options, running, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startIn(
  folder: string,
  options: ControlPlaneOptions,
  running: BoundProcess[],
  stop: () => Promise<void>,
): Promise<ControlPlane> {
  const [etcdPort, apiPort] = [await freePort(), await freePort()];
  const url = `https://127.0.0.1:${apiPort}`;
  const authority = createAuthority("integration-workflow-tests", new Date());
  const signIn = (user: string, ...groups: readonly string[]): string => {
    const path = join(folder, `as-${user.replaceAll(":", "-")}.kubeconfig`);
    const signed = authority.issue({ commonName: user, organizations: groups });
    writeFileSync(path, kubeconfig(url, authority.certificate, signed), { mode: 0o600 });
    return path;
  };
  const admin = writeCredentials(folder, url, authority);
  const logs = join(folder, "logs");
  mkdirSync(logs);
  const start = (name: string, args: readonly string[]): BoundProcess => {
    const started = startBound(name, [join(options.binaries, name), ...args], join(logs, `${name}.log`));
    running.push(started);
    return started;
  };
  const agent = new Agent({ ca: authority.certificate, cert: admin.certificate, key: admin.key });

  const etcd = start("etcd", etcdArguments(folder, etcdPort));
  // The API server ends when its store is not there soon enough, which on a busy machine happens.
  const isUp = () =>
    fetch(`http://127.0.0.1:${etcdPort}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await untilReady(etcd, isUp, startSeconds);
  const apiArguments = [...apiServerArguments(folder, etcdPort, apiPort), ...(options.apiServerArguments ?? [])];
  let apiServer: BoundProcess | undefined;
  const startApiServer = async (): Promise<void> => {
    if (apiServer?.running() === true) return;
    if (apiServer !== undefined) running.splice(running.indexOf(apiServer), 1);
    apiServer = start("kube-apiserver", apiArguments);
    await untilReady(apiServer, () => answers(`${url}/readyz`, agent), startSeconds);
  };
  await startApiServer();
  const controllers = start("kube-controller-manager", controllerManagerArguments(folder));
  // The account is made by a controller: once it is there, the controllers run.
  const account = `${url}/api/v1/namespaces/default/serviceaccounts/default`;
  await untilReady(controllers, () => answers(account, agent), startSeconds);
  return {
    kubeconfigPath: join(folder, "admin.kubeconfig"),
    url,
    caPath: join(folder, "ca.crt"),
    logs,
    signIn,
    apiServerPid: () => apiServer?.pid,
    killApiServer: async () => apiServer?.kill(),
    startApiServer,
    compact: () => compactEtcd(etcdPort),
    stop,
  };
}

/** By etcd's own HTTP (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). */
async function compactEtcd(port: number): Promise<void> {
  const call = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/kv/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`etcd answered ${path} with ${answer.status}: ${await answer.text()}`);
    return answer.json() as Promise<{ header: { revision: string } }>; // Every answer of etcd has this header.
  };
  const { header } = await call("range", { key: "AA==" });
  await call("compaction", { revision: header.revision, physical: true });
}

function writeCredentials(folder: string, url: string, authority: CertificateAuthority): SignedCertificate {
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
  const server = authority.issue({
    commonName: "kube-apiserver",
    hosts: ["127.0.0.1", "localhost", "kubernetes.default.svc"],
  });
  const admin = authority.issue({ commonName: "admin", organizations: ["system:masters"] });
  const controllers = authority.issue({ commonName: "system:kube-controller-manager" });
  const accounts = createSigningKey();
  write("ca.crt", authority.certificate);
  write("apiserver.crt", server.certificate);
  write("apiserver.key", server.key);
  write("accounts.key", accounts.privateKey);
  write("accounts.pub", accounts.publicKey);
  write("admin.kubeconfig", kubeconfig(url, authority.certificate, admin));
  write("controllers.kubeconfig", kubeconfig(url, authority.certificate, controllers));
  return admin;
}

function etcdArguments(folder: string, port: number): string[] {
  const url = `http://127.0.0.1:${port}`;
  return [
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    "--listen-peer-urls=http://127.0.0.1:0",
    "--unsafe-no-fsync",
  ];
}

function apiServerArguments(folder: string, etcdPort: number, port: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${port}`,
    "--endpoint-reconciler-type=none", // A loopback address may not be an endpoint of the kubernetes Service.
    `--tls-cert-file=${join(folder, "apiserver.crt")}`,
    `--tls-private-key-file=${join(folder, "apiserver.key")}`,
    `--client-ca-file=${join(folder, "ca.crt")}`,
    `--service-account-key-file=${join(folder, "accounts.pub")}`,
    `--service-account-signing-key-file=${join(folder, "accounts.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction", // Beside the defaults: PodSecurity, ResourceQuota, ServiceAccount, ...
    "--allow-privileged",
  ];
}

function controllerManagerArguments(folder: string): string[] {
  return [
    `--kubeconfig=${join(folder, "controllers.kubeconfig")}`,
    `--service-account-private-key-file=${join(folder, "accounts.key")}`,
    `--root-ca-file=${join(folder, "ca.crt")}`,
    "--use-service-account-credentials",
    "--leader-elect=false",
    "--secure-port=0",
    "--kube-api-qps=500", // The default of 20 takes seconds to start all controllers, and holds up tests that make much.
    "--kube-api-burst=1000",
  ];
}
