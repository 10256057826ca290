/** What is built to get a Kubernetes: the Go modules in cluster/modules, whose go.mod and go.sum pin every version. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One `go build`: packages of one module, with one set of flags. */
export interface BuildJob {
  /** The folder in cluster/modules. */
  readonly module: string;
  /** Binary's name → Go package. */
  readonly packages: Readonly<Record<string, string>>;
  /** Where the binaries go, relative to the set's folder. */
  readonly folder?: string;
  readonly linkerFlags?: readonly string[];
  readonly tags?: string;
  /** The release of Kubernetes that these binaries are of: where it can be reached, they are downloaded instead. */
  readonly release?: string;
}

/**
 * Each set is built, checked and replaced as one: an API server alone (with kubectl, as KUBEBUILDER_ASSETS has it),
 * what a node needs besides, what plays thousands of nodes and pods, what every cluster is used with, kind, what GitOps tools
 * take a resource for, what judges metrics and alerts, what judges network policies, and what the operator is compared with.
 */
export type BinarySet =
  | "control-plane"
  | "node"
  | "fake-nodes"
  | "tools"
  | "kind"
  | "kstatus"
  | "prometheus"
  | "policies"
  | "echo";

const kubernetesVersion = "1.36.3";
const helmVersion = "4.3.1";

function kubernetesJob(...components: readonly string[]): BuildJob {
  const [major, minor] = kubernetesVersion.split(".");
  const version = "k8s.io/component-base/version";
  return {
    module: "kubernetes",
    release: kubernetesVersion,
    packages: Object.fromEntries(components.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
    linkerFlags: [
      `-X ${version}.gitVersion=v${kubernetesVersion}`,
      `-X ${version}.gitMajor=${major}`,
      `-X ${version}.gitMinor=${minor}`,
    ],
  };
}

const containerd = "github.com/containerd/containerd/v2/cmd";
const plugins = "github.com/containernetworking/plugins/plugins";

/** How each set is built. */
export const recipes: Readonly<Record<BinarySet, readonly BuildJob[]>> = {
  "control-plane": [
    kubernetesJob("kube-apiserver", "kube-controller-manager", "kubectl"),
    { module: "kubernetes", packages: { etcd: "go.etcd.io/etcd/server/v3" } },
  ],
  node: [
    kubernetesJob("kube-scheduler", "kubelet", "kube-proxy"),
    {
      module: "containers",
      packages: {
        containerd: `${containerd}/containerd`,
        "containerd-shim-runc-v2": `${containerd}/containerd-shim-runc-v2`,
        ctr: `${containerd}/ctr`,
      },
      tags: "no_btrfs,no_zfs,no_devmapper",
    },
    {
      module: "containers",
      packages: {
        ptp: `${plugins}/main/ptp`,
        loopback: `${plugins}/main/loopback`,
        "host-local": `${plugins}/ipam/host-local`,
      },
      folder: "cni",
    },
    { module: "dns", packages: { coredns: "cluster/dns" } },
    { module: "pause", packages: { pause: "cluster/pause" } },
  ],
  "fake-nodes": [kubernetesJob("kube-scheduler"), { module: "kwok", packages: { kwok: "sigs.k8s.io/kwok/cmd/kwok" } }],
  tools: [
    kubernetesJob("kubectl"),
    {
      module: "helm",
      packages: { helm: "helm.sh/helm/v4/cmd/helm" },
      linkerFlags: [`-X helm.sh/helm/v4/internal/version.version=v${helmVersion}`],
    },
  ],
  kind: [{ module: "kind", packages: { kind: "sigs.k8s.io/kind" } }],
  kstatus: [{ module: "kstatus", packages: { kstatus: "cluster/kstatus" } }],
  // Without the discovery of targets, which no file of rules needs, it is half as much to build.
  prometheus: [
    {
      module: "prometheus",
      packages: { promtool: "github.com/prometheus/prometheus/cmd/promtool" },
      tags: "remove_all_sd",
    },
  ],
  echo: [{ module: "echo", packages: { echo: "cluster/echo" } }],
  policies: [{ module: "policies", packages: { cyclonus: "github.com/mattfenwick/cyclonus/cmd/cyclonus" } }],
};

/** The folder of a Go module of ours. */
export function modulePath(module: string): string {
  return fileURLToPath(new URL(`modules/${module}`, import.meta.url));
}

/** The binaries of a set, as paths relative to its folder. */
export function binariesOf(set: BinarySet): string[] {
  return recipes[set].flatMap((job) => Object.keys(job.packages).map((name) => join(job.folder ?? "", name)));
}

/** A hash of all that a set is made from: any other version, flag or platform gives another. */
export function recipeHash(set: BinarySet): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([process.platform, process.arch, recipes[set]]));
  for (const module of new Set(recipes[set].map((job) => job.module))) {
    for (const file of readdirSync(modulePath(module)).sort())
      hash.update(readFileSync(join(modulePath(module), file)));
  }
  return hash.digest("hex").slice(0, 12);
}
