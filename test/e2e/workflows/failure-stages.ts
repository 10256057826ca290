/** How each failure of test/failures/on-node.ts is brought about on a real node. */
import type { onNode } from "../../failures/on-node.ts";

export type OnNode = keyof typeof onNode;

/** Where one is staged: a namespace to itself where it is the namespace that ails. */
export const failuresNamespace = "failures";
const lone: Partial<Record<OnNode, string>> = {
  quota: "failures-quota",
  "claim-refused": "failures-claims",
  "limit-range": "failures-limits",
  "pod-security": "failures-mesh",
  "image-never": "failures-never",
  "deployment-refused": "failures-policy",
};
export const loneNamespaces = Object.values(lone);

export function namespaceOf(name: OnNode): string {
  return lone[name] ?? failuresNamespace;
}

/** Answered by the registry that the tests play on the node. */
const registry = "localhost:5000";
export const unrunnable = {
  otherArchitecture: "localhost/failures/other-architecture:1",
  noProgram: "localhost/failures/no-program:1",
} as const;
/** Of the operator, as values of its chart. */
export const permitted = [
  "operator.allowedWorkerImages={Failures.invalid/*,localhost:5000/*,localhost/failures/*,registry.invalid/*}",
  "operator.allowedServiceAccounts={nobody}",
] as const;

interface Parts {
  readonly worker?: object;
  readonly queue?: object;
  readonly dynamics?: { readonly credentialsSecretRef: { readonly name: string } };
  readonly caBundle?: object;
}

/** The product's own image with another program in it. */
function program(code: string, resources?: object): Parts {
  const env = [{ name: "NODE_OPTIONS", value: `--import=data:text/javascript,${encodeURIComponent(code)}` }];
  return { worker: { template: { env }, terminationGracePeriodSeconds: 5, ...(resources && { resources }) } };
}

/** Answers the probes, each by an expression: `asked` is how often it was asked whether it lives. */
function server(live: string, ready: string): string {
  return `import { createServer } from "node:http";
    let asked = 0;
    createServer(({ url }, answer) => {
      if (url === "/livez") asked++;
      answer.writeHead((url === "/livez" ? ${live} : url === "/readyz" ? ${ready} : true) ? 200 : 503).end("{}");
    }).listen(8080);
    await new Promise(() => setInterval(() => {}, 1e6));`;
}

function variable(secretKeyRef: object): Parts {
  return { worker: { template: { env: [{ name: "HTTPS_PROXY", valueFrom: { secretKeyRef } }] } } };
}

function volume(storageClassName: string): Parts {
  return { queue: { volume: { storageClassName } } };
}

export const stages: Readonly<Record<OnNode, Parts>> = {
  "image-name": { worker: { image: "Failures.invalid/Upper:1" } },
  "image-absent": { worker: { image: `${registry}/absent:1` } },
  "image-refused": { worker: { image: `${registry}/private:1` } },
  "image-unreachable": { worker: { image: "registry.invalid/worker:1" } },
  "image-never": { worker: { image: "registry.invalid/never:1" } },
  "other-architecture": { worker: { image: unrunnable.otherArchitecture } },
  "no-program": { worker: { image: unrunnable.noProgram } },
  "secret-missing": { dynamics: { credentialsSecretRef: { name: "absent" } } },
  "secret-key-missing": { dynamics: { credentialsSecretRef: { name: "halved" } } },
  "ca-missing": { caBundle: { configMapRef: { name: "absent" } } },
  "env-secret-missing": variable({ name: "absent", key: "proxy" }),
  "env-key-missing": variable({ name: "halved", key: "proxy" }),
  quota: {},
  "limit-range": { worker: { resources: { requests: { memory: "32Mi" }, limits: { memory: "512Mi" } } } },
  "pod-security": {},
  "service-account-missing": { worker: { template: { serviceAccountName: "nobody" } } },
  "priority-class-missing": { worker: { template: { priorityClassName: "absent" } } },
  "claim-refused": {},
  "deployment-refused": {},
  "no-room": { worker: { resources: { requests: { cpu: "500" } } } },
  "no-such-node": { worker: { template: { nodeSelector: { disk: "ssd" } } } },
  tainted: { worker: { template: { nodeSelector: { failures: "tainted" } } } },
  "no-storage-class": volume("absent"),
  "no-provisioner": volume("silent"),
  "other-zone": volume("elsewhere"),
  "volume-not-mounted": volume("broken"),
  "out-of-memory": program("const all = []; for (;;) all.push(Buffer.alloc(1e7, 1));", {
    requests: { memory: "64Mi" },
    limits: { memory: "64Mi" },
  }),
  "crash-loop": program('throw new Error("no room in the tent");'),
  "last-words": program(`import { writeFileSync } from "node:fs";
    const message = "the queue is of a newer version: run that version again";
    writeFileSync("/dev/termination-log", JSON.stringify({ reason: "StoreTooNew", message }));
    process.exit(78);`),
  "no-last-words": program("process.exit(78);"),
  "not-live": program(server("asked <= 3", "false")),
  "never-live": program(server("false", "false")),
  "never-ready": program(server("true", "false")),
};

/** The workflow of a stage: `contacts` is one that would run. */
export function stagedWorkflow(name: OnNode, contacts: object): object {
  const { worker, dynamics, ...parts } = stages[name];
  const base = contacts as { readonly spec: { readonly dynamics: object } };
  // Thirty pods beside each other ask for little.
  const resources = { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "256Mi" } };
  return {
    ...base,
    spec: {
      ...base.spec,
      ...parts,
      dynamics: { ...base.spec.dynamics, ...dynamics },
      worker: { resources, ...worker },
    },
  };
}

/** What has to be there before, all but the workflows, by namespace; what is of no namespace comes first. */
export function groundOf(): ReadonlyMap<string, readonly object[]> {
  return Map.groupBy(ground(), ({ metadata }) => metadata.namespace ?? failuresNamespace);
}

interface Made {
  readonly [part: string]: unknown;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: object };
}

function ground(): readonly Made[] {
  const inNamespace = (name: OnNode) => ({ namespace: namespaceOf(name) });
  return [
    ...loneNamespaces.map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    })),
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "halved", namespace: failuresNamespace },
      stringData: { tenantId: "sandbox", clientId: "sandbox-client" },
    },
    {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "no-pods", ...inNamespace("quota") },
      spec: { hard: { pods: "0" } },
    },
    {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "no-claims", ...inNamespace("claim-refused") },
      spec: { hard: { persistentvolumeclaims: "0" } },
    },
    {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "little", ...inNamespace("limit-range") },
      spec: { limits: [{ type: "Container", max: { memory: "100Mi" } }] },
    },
    {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "tainted", labels: { failures: "tainted" } },
      spec: { taints: [{ key: "dedicated", value: "others", effect: "NoSchedule" }] },
    },
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "silent" },
      provisioner: "failures.invalid/silent",
      volumeBindingMode: "WaitForFirstConsumer",
    },
    ...madeVolume("elsewhere", "other-zone", "/tmp", "topology.kubernetes.io/zone", "elsewhere"),
    ...madeVolume("broken", "volume-not-mounted", "/not/there", "kubernetes.io/os", "linux"),
    ...podPolicy("host-network", "pod-security", 'JSONPatch{op: "add", path: "/spec/hostNetwork", value: true}'),
    ...podPolicy(
      "never-pull",
      "image-never",
      'JSONPatch{op: "replace", path: "/spec/containers/0/imagePullPolicy", value: "Never"}',
    ),
    ...ownersPolicy(),
  ];
}

/** Of the cluster, not of a namespace: taken away at the end. */
export const clusterWide = [
  "node/tainted",
  ...["silent", "elsewhere", "broken"].map((name) => `storageclass/${name}`),
  ...["elsewhere", "broken"].map((name) => `persistentvolume/${name}`),
  ...["host-network", "never-pull"].flatMap((name) => [
    `mutatingadmissionpolicybinding/${name}`,
    `mutatingadmissionpolicy/${name}`,
  ]),
  "validatingadmissionpolicybinding/owners",
  "validatingadmissionpolicy/owners",
] as const;

/** A volume that is the claim's of this workflow, and can be used where nodes have this label. */
function madeVolume(name: string, of: OnNode, path: string, key: string, value: string): readonly Made[] {
  const terms = [{ matchExpressions: [{ key, operator: "In", values: [value] }] }];
  return [
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name },
      provisioner: "kubernetes.io/no-provisioner",
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: name,
        local: { path },
        persistentVolumeReclaimPolicy: "Retain",
        claimRef: { namespace: failuresNamespace, name: `${of}-queue` },
        nodeAffinity: { required: { nodeSelectorTerms: terms } },
      },
    },
  ];
}

function podPolicy(name: string, of: OnNode, patch: string): readonly Made[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": namespaceOf(of) } };
  const resourceRules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
  return [
    {
      apiVersion,
      kind: "MutatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        reinvocationPolicy: "Never",
        matchConstraints: { namespaceSelector, resourceRules },
        mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: `[${patch}]` } }],
      },
    },
    { apiVersion, kind: "MutatingAdmissionPolicyBinding", metadata: { name }, spec: { policyName: name } },
  ];
}

function ownersPolicy(): readonly Made[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": namespaceOf("deployment-refused") } };
  const rule = { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] };
  const expression = "has(object.metadata.annotations) && 'owner' in object.metadata.annotations";
  return [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "owners" },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { namespaceSelector, resourceRules: [rule] },
        validations: [{ expression, message: "every Deployment names its owner" }],
      },
    },
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "owners" },
      spec: { policyName: "owners", validationActions: ["Deny"] },
    },
  ];
}
