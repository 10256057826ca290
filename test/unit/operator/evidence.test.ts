import { expect, test } from "vitest";
import { type Evidence, evidenceOf, type Health } from "../../../src/operator/health/evidence.ts";
import type { ClaimSeen, PodSeen } from "../../../src/operator/sight/snapshot.ts";
import { container, minutes, pod, seconds, start } from "./scene.ts";

/** What is said of a failure to somebody at three in the morning, by what Kubernetes 1.36 and containerd 2 said of it. */
const now = start + 60 * minutes;
const waits = (reason: string, message: string) =>
  pod({ worker: container({ running: false, waiting: { reason, message } }) });
const crashes = (exitCode: number, reason: string, message: string) =>
  pod({
    worker: container({
      running: false,
      restarts: 3,
      waiting: { reason: "CrashLoopBackOff", message: "back-off 1m20s restarting failed container=worker" },
      ended: { exitCode, reason, message, finishedAtMs: now - 10 * seconds },
    }),
  });
const homeless = (unschedulable: string) => pod({ node: undefined, worker: undefined, unschedulable });
const claim = (changes: Partial<ClaimSeen> = {}): ClaimSeen => ({
  metadata: { name: "contacts-queue", namespace: "crm", uid: "claim", resourceVersion: "1" },
  bound: true,
  storageClassName: "fast",
  accessModes: ["ReadWriteOnce"],
  size: "1Gi",
  ...changes,
});
const base: Health = {
  nowMs: now,
  run: 1,
  pods: [],
  replicaSets: [],
  claims: [claim()],
  goodUntilMs: now - 5 * minutes,
  aliveUntilMs: now - 5 * minutes,
};
const refused = (createFailure: string): Partial<Health> => ({
  replicaSets: [
    {
      metadata: { name: "contacts-1", namespace: "crm", uid: "rs", resourceVersion: "1" },
      replicas: 1,
      run: 1,
      status: { observedGeneration: 1, replicas: 0 },
      createFailure,
    },
  ],
});
const of = (...pods: PodSeen[]): Partial<Health> => ({ pods });
const unavailable = (reasons: string) =>
  `0/3 nodes are available: ${reasons}. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.`;
const tainted =
  "For a tainted node, name its taint in worker.template.tolerations and restart (kubectl describe node shows it); a node that is down has one too";

const rows: [what: string, health: Partial<Health>, expected: [reason: string, message: string]][] = [
  [
    "an image that the registry does not have",
    of(
      waits(
        "ImagePullBackOff",
        'Back-off pulling image "localhost:5000/absent:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "localhost:5000/absent:1": failed to resolve image: localhost:5000/absent:1: not found',
      ),
    ),
    [
      "ImagePullBackOff",
      'Node node-1 cannot pull image "localhost:5000/absent:1" for pod contacts-abc: the registry does not have it. Correct worker.image and restart (the operator\'s own image, where it is left out), or push it. The kubelet says: rpc error: code = NotFound desc = failed to pull and unpack image "localhost:5000/absent:1": failed to resolve image: localhost:5000/absent:1: not found',
    ],
  ],
  [
    "a registry that refuses",
    of(
      waits(
        "ImagePullBackOff",
        'Back-off pulling image "localhost:5000/private:1": ErrImagePull: failed to pull and unpack image "localhost:5000/private:1": failed to resolve image: unexpected status from HEAD request to http://localhost:5000/v2/private/manifests/1: 403 Forbidden',
      ),
    ),
    [
      "ImagePullBackOff",
      'Node node-1 cannot pull image "localhost:5000/private:1" for pod contacts-abc: the registry refuses to give it. Name a Secret with the registry\'s credentials in worker.template.imagePullSecrets and restart, or mend the one that is named there. The kubelet says: failed to pull and unpack image "localhost:5000/private:1": failed to resolve image: unexpected status from HEAD request to http://localhost:5000/v2/private/manifests/1: 403 Forbidden',
    ],
  ],
  [
    "a registry that cannot be reached, without the port that each try has anew",
    of(
      waits(
        "ImagePullBackOff",
        'Back-off pulling image "registry.invalid/worker:1": ErrImagePull: failed to pull and unpack image "registry.invalid/worker:1": failed to resolve image: failed to do request: Head "https://registry.invalid/v2/worker/manifests/1": dial tcp: lookup registry.invalid on 10.255.255.53:53: read udp 10.244.0.1:50884->10.255.255.53:53: i/o timeout',
      ),
    ),
    [
      "ImagePullBackOff",
      'Node node-1 cannot pull image "registry.invalid/worker:1" for pod contacts-abc: the registry cannot be reached from there. See that the node reaches it, or correct worker.image and restart. The kubelet says: failed to pull and unpack image "registry.invalid/worker:1": failed to resolve image: failed to do request: Head "https://registry.invalid/v2/worker/manifests/1": dial tcp: lookup registry.invalid on 10.255.255.53:53: read udp 10.255.255.53:53: i/o timeout',
    ],
  ],
  [
    "a name that is none",
    of(
      waits(
        "InvalidImageName",
        'Failed to apply default image tag "Failures.invalid/Upper:1": couldn\'t parse image name "Failures.invalid/Upper:1": invalid reference format: repository name (Upper) must be lowercase',
      ),
    ),
    [
      "InvalidImageName",
      'worker.image "Failures.invalid/Upper:1" is no name of an image: repository name (Upper) must be lowercase. Correct it and restart',
    ],
  ],
  [
    "an image that may not be pulled",
    of(waits("ErrImageNeverPull", 'Container image "a/b:1" is not present with pull policy of Never')),
    [
      "ErrImageNeverPull",
      'Node node-1 does not have image "a/b:1" of pod contacts-abc, and may not pull it: the pull policy Never is not the operator\'s, so an admission webhook or policy has set it. Put the image on the node, or have that changed',
    ],
  ],
  [
    "a key that is missing",
    of(waits("CreateContainerConfigError", "couldn't find key k in Secret crm/dynamics")),
    [
      "CreateContainerConfigError",
      "Pod contacts-abc cannot start its worker: couldn't find key k in Secret crm/dynamics. Make that in namespace crm, or correct worker.template.env, which names it, and restart",
    ],
  ],
  [
    "an image without the program",
    of(
      crashes(
        128,
        "StartError",
        'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "worker": executable file not found in $PATH',
      ),
    ),
    [
      "StartError",
      'The worker in pod contacts-abc cannot be started: exec: "worker": executable file not found in $PATH. The image holds no worker that can be run: correct worker.image and restart',
    ],
  ],
  [
    "an image of another architecture, by the end of the log",
    of(crashes(1, "Error", "exec /worker: exec format error\n")),
    [
      "StartError",
      "The worker in pod contacts-abc cannot be started: exec /worker: exec format error. The image is made for another kind of processor than node node-1 has: correct worker.image and restart",
    ],
  ],
  [
    "a program that fails, by the line of its log that tells why",
    of(crashes(1, "Error", "starting\nError: no room left\n    at onError (file:///a.js:1:7)\n\nNode.js v26.10.0\n")),
    [
      "CrashLoopBackOff",
      "The worker in pod contacts-abc keeps ending with exit code 1, and said: Error: no room left. kubectl logs -n crm contacts-abc --previous shows its log",
    ],
  ],
  [
    "a program that fails, by its log in JSON, without the time",
    of(crashes(1, "Error", '{"timestamp":"2026-11-21T10:00:00Z","level":"error","message":"cannot go on"}\n')),
    [
      "CrashLoopBackOff",
      "The worker in pod contacts-abc keeps ending with exit code 1, and said: cannot go on. kubectl logs -n crm contacts-abc --previous shows its log",
    ],
  ],
  [
    "a program that ends unasked",
    of(crashes(0, "Completed", "")),
    [
      "CrashLoopBackOff",
      "The worker in pod contacts-abc keeps ending with exit code 0, though nobody asked it to end, and said nothing. kubectl logs -n crm contacts-abc --previous shows its log",
    ],
  ],
  [
    "a program that is killed",
    of(crashes(137, "Error", "")),
    [
      "CrashLoopBackOff",
      'The worker in pod contacts-abc keeps being killed (exit code 137), as the kubelet does with one that does not answer its probes on /livez: kubectl describe pod -n crm contacts-abc then says "probe failed", and kubectl logs --previous what it was doing',
    ],
  ],
  [
    "a worker that gives up and does not say why",
    of(crashes(78, "Error", "")),
    [
      "CannotRecover",
      "The worker in pod contacts-abc gave up (exit code 78) without a reason, and said nothing. kubectl logs -n crm contacts-abc --previous shows its log. It has to be mended, and the workflow restarted",
    ],
  ],
  [
    "a quota",
    refused(
      'pods "contacts-5d4f-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10',
    ),
    [
      "PodNotCreated",
      'No pod can be created: pods "contacts-5d4f-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10. Raise ResourceQuota compute of namespace crm, free some of it, or ask for less (worker.resources, queue.volume.size) and restart',
    ],
  ],
  [
    "a service account that is missing",
    refused(
      'pods "contacts-" is forbidden: error looking up service account crm/nobody: serviceaccount "nobody" not found',
    ),
    [
      "PodNotCreated",
      'No pod can be created: pods "contacts-" is forbidden: error looking up service account crm/nobody: serviceaccount "nobody" not found. Create it (kubectl create serviceaccount -n crm nobody), or correct worker.template.serviceAccountName and restart',
    ],
  ],
  [
    "too little of everything, in one order and without counts of nodes",
    of(homeless(unavailable("1 node(s) had untolerated taint(s), 2 Insufficient memory"))),
    [
      "Unschedulable",
      `No node takes pod contacts-abc: Insufficient memory; node(s) had untolerated taint(s). Ask for less in worker.resources.requests and restart, or add a node with room. ${tainted}`,
    ],
  ],
  [
    "the same with other counts is the same",
    of(homeless(unavailable("1 Insufficient memory, 2 node(s) had untolerated taint(s)"))),
    [
      "Unschedulable",
      `No node takes pod contacts-abc: Insufficient memory; node(s) had untolerated taint(s). Ask for less in worker.resources.requests and restart, or add a node with room. ${tainted}`,
    ],
  ],
  [
    "a claim without a volume",
    {
      ...of(homeless("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")),
      claims: [claim({ bound: false, storageClassName: "nope" })],
    },
    [
      "Unschedulable",
      "No node takes pod contacts-abc: pod has unbound immediate PersistentVolumeClaims. PersistentVolumeClaim contacts-queue has no volume. See that storage class nope exists and that its provisioner runs: kubectl describe pvc -n crm contacts-queue says more",
    ],
  ],
  [
    "a pod that should have ended holds the volume",
    of(
      pod({ name: "contacts-old", node: "node-2", deletionTimestamp: "2026-11-21T10:50:00Z" }),
      pod({ worker: undefined, steps: { scheduledAtMs: start, sandboxAtMs: false } }),
    ),
    [
      "NotStarted",
      "Nothing has started for 5 minutes. Pod contacts-abc on node node-1 waits for its volumes and its network since 2026-11-21T10:00:00Z: kubectl describe pod -n crm contacts-abc says which. Often another node still holds the volume of PersistentVolumeClaim contacts-queue. Pod contacts-old on node node-2 should have ended by 2026-11-21T10:50:00Z. If the node is gone for good, delete its Node object, or run: kubectl delete pod -n crm contacts-old --force --grace-period=0",
    ],
  ],
];

test.each(rows)("%s", (_what, health, [reason, message]) => {
  expect(evidenceOf({ ...base, ...health })).toEqual<Evidence>({ reason, message });
});

test.each([
  ['pods "a" is forbidden: failed quota: compute: must specify limits.cpu for: worker', "ResourceQuota compute"],
  ['pods "a" is forbidden: maximum memory usage per Container is 100Mi, but limit is 512Mi', "LimitRange"],
  ['pods "a" is forbidden: violates PodSecurity "restricted:latest": privileged', "sidecar"],
  ['pods "a" is forbidden: no PriorityClass with name high was found', "Create PriorityClass high"],
  ['Internal error occurred: failed calling webhook "mesh.example": refused', "webhook mesh.example does not answer"],
  ['admission webhook "policy.example" denied the request: no', "webhook policy.example"],
  ["ValidatingAdmissionPolicy 'owners' with binding 'all' denied request: no", "ValidatingAdmissionPolicy owners"],
])("what the API server says is answered with what to do: %s", (said, remedy) => {
  expect(evidenceOf({ ...base, ...refused(said) })?.message).toContain(remedy);
});
