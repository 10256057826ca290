/**
 * Nodes and pods that are played, for thousands of them: kube-scheduler binds pods, and KWOK says at once that they are
 * ready, and at once that they are gone. Nothing runs in them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BoundProcess, startBound } from "./bound-process.ts";

export interface FakeNodesOptions {
  /** The folder that holds kube-scheduler and kwok. */
  readonly binaries: string;
  /** Signs in as system:masters: flow control holds nothing up then. */
  readonly kubeconfigPath: string;
}

export interface FakeNodes {
  stop(): Promise<void>;
}

/** Default: 4. With it, KWOK would be slower than the rest of the control plane. */
const stagesAtOnce = 64;

/** Plays every Node that there is, or will be. Whoever wants nodes makes their Node objects. */
export function startFakeNodes({ binaries, kubeconfigPath }: FakeNodesOptions): FakeNodes {
  const folder = mkdtempSync(join(tmpdir(), "integration-workflow-fake-nodes-"));
  const configuration = join(folder, "kwok.yaml");
  // JSON is YAML.
  writeFileSync(
    configuration,
    [options, nodeReady, podReady, podGone].map((each) => JSON.stringify(each)).join("\n---\n"),
  );
  mkdirSync(join(folder, "logs"));
  const start = (name: string, ...args: readonly string[]): BoundProcess =>
    startBound(name, [join(binaries, name), ...args], join(folder, "logs", `${name}.log`));
  const running = [
    start(
      "kube-scheduler",
      `--kubeconfig=${kubeconfigPath}`,
      "--leader-elect=false",
      "--secure-port=0",
      "--kube-api-qps=1000",
      "--kube-api-burst=2000",
    ),
    start("kwok", `--kubeconfig=${kubeconfigPath}`, `--config=${configuration}`),
  ];
  return {
    stop: async () => {
      for (const started of running) await started.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const options = {
  apiVersion: "config.kwok.x-k8s.io/v1alpha1",
  kind: "KwokConfiguration",
  options: {
    manageAllNodes: true,
    // With leases, no node is taken for dead.
    nodeLeaseDurationSeconds: 40,
    podPlayStageParallelism: stagesAtOnce,
    nodePlayStageParallelism: stagesAtOnce,
    nodeLeaseParallelism: 4,
  },
};

/** What happens to an object that `matches`. Source: https://kwok.sigs.k8s.io/docs/user/stages-configuration/ */
function stage(name: string, kind: "Node" | "Pod", matches: readonly object[], next: object) {
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: { resourceRef: { apiGroup: "v1", kind }, selector: { matchExpressions: matches }, next },
  };
}

const isReady = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const isEnding = ".metadata.deletionTimestamp";

const nodeReady = stage("node-ready", "Node", [{ key: isReady, operator: "NotIn", values: ["True"] }], {
  statusTemplate: `
conditions:
- {type: Ready, status: "True", reason: KubeletReady, message: played, lastTransitionTime: {{ Now | Quote }}, lastHeartbeatTime: {{ Now | Quote }}}
phase: Running
`,
});

const podReady = stage(
  "pod-ready",
  "Pod",
  [
    { key: isEnding, operator: "DoesNotExist" },
    { key: ".status.phase", operator: "In", values: ["Pending"] },
    { key: isReady, operator: "NotIn", values: ["True"] },
  ],
  {
    statusTemplate: `
{{ $now := Now | Quote }}
phase: Running
startTime: {{ $now }}
podIP: 192.0.2.1
podIPs: [{ip: 192.0.2.1}]
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
- {type: Ready, status: "True", lastTransitionTime: {{ $now }}}
- {type: ContainersReady, status: "True", lastTransitionTime: {{ $now }}}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: {running: {startedAt: {{ $now }}}}}
{{ end }}
`,
  },
);

const podGone = stage("pod-gone", "Pod", [{ key: isEnding, operator: "Exists" }], { delete: true });
