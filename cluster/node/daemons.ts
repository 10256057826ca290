/** The arguments and files by which each part of a node runs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  apiServerPort,
  firstPodAddress,
  type NodeLayout,
  nodeAddress,
  nodeName,
  pauseImage,
  podNetwork,
  serviceNetwork,
} from "./layout.ts";

export type DaemonName =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "containerd"
  | "kubelet"
  | "kube-proxy"
  | "coredns";

const etcdUrl = "http://127.0.0.1:2379";

/** What each part is started with. The files it names are written by `writeConfiguration`. */
export function daemonArguments(layout: NodeLayout): Readonly<Record<DaemonName, readonly string[]>> {
  const pki = (name: string): string => join(layout.pki, name);
  const file = (name: string): string => join(layout.state, name);
  return {
    etcd: [
      `--data-dir=${file("etcd")}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--unsafe-no-fsync",
    ],
    "kube-apiserver": [
      `--etcd-servers=${etcdUrl}`,
      `--secure-port=${apiServerPort}`,
      `--advertise-address=${nodeAddress}`,
      `--tls-cert-file=${pki("kube-apiserver.crt")}`,
      `--tls-private-key-file=${pki("kube-apiserver.key")}`,
      `--client-ca-file=${pki("ca.crt")}`,
      `--service-account-key-file=${pki("accounts.pub")}`,
      `--service-account-signing-key-file=${pki("accounts.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-cluster-ip-range=${serviceNetwork}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      `--kubelet-client-certificate=${pki("local.crt")}`,
      `--kubelet-client-key=${pki("local.key")}`,
      `--kubelet-certificate-authority=${pki("ca.crt")}`,
      "--kubelet-preferred-address-types=InternalIP",
      "--allow-privileged",
    ],
    "kube-controller-manager": [
      `--kubeconfig=${pki("kube-controller-manager.kubeconfig")}`,
      `--service-account-private-key-file=${pki("accounts.key")}`,
      `--root-ca-file=${pki("ca.crt")}`,
      "--use-service-account-credentials",
      "--leader-elect=false",
      "--kube-api-qps=500", // The default of 20 takes seconds to start all controllers.
      "--kube-api-burst=1000",
    ],
    "kube-scheduler": [`--kubeconfig=${pki("kube-scheduler.kubeconfig")}`, "--leader-elect=false"],
    containerd: ["-c", file("containerd.toml")],
    kubelet: [
      `--config=${file("kubelet.json")}`,
      `--kubeconfig=${pki("kubelet.kubeconfig")}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${nodeAddress}`,
      `--root-dir=${file("kubelet")}`,
      `--cert-dir=${layout.pki}`,
    ],
    "kube-proxy": [
      `--kubeconfig=${pki("kube-proxy.kubeconfig")}`,
      "--proxy-mode=nftables",
      `--hostname-override=${nodeName}`,
      `--cluster-cidr=${podNetwork}`,
      "--conntrack-max-per-core=0", // The limit is the host's to set.
    ],
    coredns: ["-conf", file("Corefile")],
  };
}

/** Writes the files that `daemonArguments` names. `nodeBinaries` holds the CNI plugins. */
export function writeConfiguration(layout: NodeLayout, nodeBinaries: string): void {
  const write = (name: string, text: string): void => writeFileSync(join(layout.state, name), text);
  mkdirSync(join(layout.state, "cni"), { recursive: true });
  write("containerd.toml", containerdConfiguration(layout, nodeBinaries));
  write("cni/10-pods.conflist", JSON.stringify(podNetworkConfiguration(layout)));
  write("kubelet.json", JSON.stringify(kubeletConfiguration(layout)));
  write("Corefile", corefile(layout));
}

function containerdConfiguration(layout: NodeLayout, nodeBinaries: string): string {
  const file = (name: string): string => JSON.stringify(join(layout.state, name));
  return `version = 3
root = ${file("containerd")}
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = ${JSON.stringify(layout.containerdSocket)}
[plugins.'io.containerd.internal.v1.opt']
  path = ${file("containerd/opt")}
# No registry can be reached: the image that holds a pod's namespaces is imported, and must stay.
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = ${JSON.stringify(pauseImage)}
[plugins.'io.containerd.cri.v1.runtime']
  # Hosts without CAP_SYS_RESOURCE: "failed to update /proc/self/oom_score_adj" otherwise.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [${JSON.stringify(join(nodeBinaries, "cni"))}]
    conf_dir = ${file("cni")}
`;
}

/** Each pod is at the end of its own link, so that all its traffic is routed: no bridge, no br_netfilter module. */
function podNetworkConfiguration(layout: NodeLayout): unknown {
  const ranges = [[{ subnet: podNetwork, rangeStart: firstPodAddress, gateway: nodeAddress }]];
  const ipam = { type: "host-local", dataDir: join(layout.state, "ipam"), ranges, routes: [{ dst: "0.0.0.0/0" }] };
  return { cniVersion: "1.0.0", name: "pods", plugins: [{ type: "ptp", ipam }] };
}

function kubeletConfiguration(layout: NodeLayout): unknown {
  const pki = (name: string): string => join(layout.pki, name);
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki("ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: pki("kubelet.crt"),
    tlsPrivateKeyFile: pki("kubelet.key"),
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: layout.cgroup,
    failCgroupV1: false, // Hosts with cgroup version 1, or with both.
    failSwapOn: false,
    localStorageCapacityIsolation: false, // Hosts whose root device cAdvisor cannot map.
    clusterDNS: [nodeAddress],
    clusterDomain: "cluster.local",
    resolvConf: "", // The host's name servers are out of reach.
    podLogsDir: join(layout.state, "pod-logs"),
    volumePluginDir: join(layout.state, "volume-plugins"),
    // The host's disk is shared with everything else on it: its filling up must not evict pods.
    imageGCHighThresholdPercent: 100,
    evictionHard: { "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%" },
  };
}

function corefile(layout: NodeLayout): string {
  return `.:53 {
  ready 127.0.0.1:8181
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${join(layout.pki, "local.kubeconfig")}
  }
  cache 5
}
`;
}
