/**
 * The node itself: runs in mount, network and PID namespaces of its own (node/keeper.ts makes them), gives itself a
 * network, and starts every part. When any part ends, the node ends.
 * Arguments: the node's name, the folders of the control plane's and of the node's binaries.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { join } from "node:path";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { type BoundProcess, startBound, untilReady } from "../bound-process.ts";
import { answers } from "../probe.ts";
import { type DaemonName, daemonArguments } from "./daemons.ts";
import { apiServerPort, type NodeLayout, nodeAddress, nodeLayout, nodeName, pauseImage } from "./layout.ts";
import { writePauseImage } from "./pause-image.ts";
import { createRelay } from "./relay.ts";
import { createStorageClass, provisionVolumes } from "./volumes.ts";

const startSeconds = 120;
const [name = "", controlPlaneBinaries = "", nodeBinaries = ""] = process.argv.slice(2);
await runNode(nodeLayout(name));

async function runNode(layout: NodeLayout): Promise<void> {
  hideHostFolders(layout);
  bringUpNetwork();
  const start = starter(layout);

  start("etcd");
  const containerd = start("containerd");
  const apiServer = start("kube-apiserver");
  createRelay({ host: "127.0.0.1", port: apiServerPort }).listen(layout.apiSocket);
  await untilReady(apiServer, apiServerProbe(layout), startSeconds);
  log("the API server is ready");
  start("kube-controller-manager");
  start("kube-scheduler");
  const proxy = start("kube-proxy");
  const dns = start("coredns");
  importPauseImage(layout, await readyContainerd(containerd, layout));
  const kubelet = start("kubelet");

  const config = new KubeConfig();
  config.loadFromFile(join(layout.pki, "local.kubeconfig"));
  await createStorageClass(config);
  void provisionVolumes(config, layout.volumes, (error) => log("volumes:", error), new AbortController().signal);
  await untilReady(kubelet, () => nodeIsReady(config), startSeconds);
  await untilReady(dns, () => answersHttp("http://127.0.0.1:8181/ready"), startSeconds);
  await untilReady(proxy, () => answersHttp("http://127.0.0.1:10256/healthz"), startSeconds);
  writeFileSync(join(layout.state, "ready"), "");
  log("the node is ready");
}

function log(...parts: readonly unknown[]): void {
  console.log(new Date().toISOString(), ...parts);
}

/** Starts parts by name, each with a log of its own; the node does not outlive any of them. */
function starter(layout: NodeLayout): (name: DaemonName) => BoundProcess {
  const args = daemonArguments(layout);
  return (name) => {
    const folder = [controlPlaneBinaries, nodeBinaries].find((each) => existsSync(join(each, name))) ?? nodeBinaries;
    const daemon = startBound(name, [join(folder, name), ...args[name]], join(layout.logs, `${name}.log`));
    void daemon.ended.then(() => {
      log(`${name} ended, and the node with it; see ${daemon.logPath}`);
      process.exit(1);
    });
    return daemon;
  };
}

/**
 * Puts folders of the node's own in place of the host's where kubelet, containerd and CNI write to fixed paths,
 * so that nothing of them is left on the host. Seen in this mount namespace only.
 */
function hideHostFolders(layout: NodeLayout): void {
  const mount = (...args: readonly string[]): void => void execFileSync("mount", args);
  mount("--make-rshared", "/"); // containerd passes mounts on to pods only from a shared tree.
  const library = join(layout.state, "var-lib");
  const stateInside = join(library, layout.state.slice("/var/lib".length));
  mkdirSync(stateInside, { recursive: true });
  mount("--bind", layout.state, stateInside);
  mount("--rbind", library, "/var/lib");
  mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run");
  mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/log");
}

/** Loopback with the node's address on it; pods are linked and routed one by one (CNI's ptp). */
function bringUpNetwork(): void {
  const ip = (...args: readonly string[]): void => void execFileSync("ip", args);
  ip("link", "set", "lo", "up");
  ip("address", "add", `${nodeAddress}/32`, "dev", "lo");
  ip("route", "add", "default", "dev", "lo"); // Service addresses need a route before kube-proxy rewrites them.
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

function apiServerProbe(layout: NodeLayout): () => Promise<boolean> {
  const read = (file: string): string => readFileSync(join(layout.pki, file), "utf8");
  const agent = new Agent({ ca: read("ca.crt"), cert: read("local.crt"), key: read("local.key") });
  return () => answers(`https://127.0.0.1:${apiServerPort}/readyz`, agent);
}

/** Waits for containerd and gives the command line of its client. */
async function readyContainerd(containerd: BoundProcess, layout: NodeLayout): Promise<readonly string[]> {
  const client = [join(nodeBinaries, "ctr"), "--address", layout.containerdSocket, "--namespace", "k8s.io"];
  const responds = (): boolean => {
    try {
      execFileSync(client[0] ?? "", [...client.slice(1), "version"], { stdio: "ignore" });
      return true;
    } catch {
      return false; // Not yet: untilReady sees when it has ended.
    }
  };
  await untilReady(containerd, async () => responds(), startSeconds);
  return client;
}

function importPauseImage(layout: NodeLayout, [client = "", ...args]: readonly string[]): void {
  const archive = writePauseImage(join(nodeBinaries, "pause"), layout.state, pauseImage);
  execFileSync(client, [...args, "images", "import", archive], { stdio: "ignore" });
}

async function nodeIsReady(config: KubeConfig): Promise<boolean> {
  try {
    const node = await config.makeApiClient(CoreV1Api).readNode({ name: nodeName });
    return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  } catch {
    return false; // The kubelet has not registered it yet.
  }
}

async function answersHttp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // Not listening yet.
  }
}
