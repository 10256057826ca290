import type { Expectation } from "./expectation.ts";

const remedyForTaint =
  "For a tainted node, name its taint in worker.template.tolerations and restart (kubectl describe node shows it); a node that is down has one too";
const remedyForRoom = "Ask for less in worker.resources.requests and restart, or add a node with room";
const remedyForSelector =
  "Correct worker.template.nodeSelector or affinity and restart, or label a node as they want it (kubectl get nodes --show-labels)";
const givenUp = ". If nothing starts, it is FAILED at {time}";
const placed = "Pod {pod} waits for a node since {time}";
const up = "The worker in pod {pod} is up since {time}";
const logs = "kubectl logs -n {namespace} {pod} --previous shows its log";
const killed =
  'killed (exit code 137), as the kubelet does with one that does not answer its probes on /livez: kubectl describe pod -n {namespace} {pod} then says "probe failed", and kubectl logs --previous what it was doing';

/** A placement that is waited for, and given up after five minutes. */
function unplaced(why: string): Pick<Expectation, "state" | "reason" | "shows" | "message" | "meanwhile"> {
  return {
    state: "FAILED",
    reason: "Unschedulable",
    shows: "after 5 minutes",
    message: `No node takes pod {pod}: ${why}`,
    meanwhile: `${placed}: ${why}${givenUp}`,
  };
}

function notStarted(step: string): Pick<Expectation, "state" | "reason" | "shows" | "message" | "meanwhile"> {
  return {
    state: "FAILED",
    reason: "NotStarted",
    shows: "after 5 minutes",
    message: `Nothing has started for 5 minutes. ${step}`,
    meanwhile: `${step}${givenUp}`,
  };
}

function pulled(why: string): Pick<Expectation, "state" | "reason" | "shows" | "message"> {
  return {
    state: "FAILED",
    reason: "ImagePullBackOff",
    shows: "at once",
    message: `Node {node} cannot pull image "{...}" for pod {pod}: ${why}. The kubelet says: {...}`,
  };
}

/** Made for real, by kubelet, scheduler and containerd. Each is the name of its workflow. */
export const onNode = {
  "image-name": {
    cause: "The image's name is none",
    staged: "worker.image has an upper case letter in its repository",
    state: "FAILED",
    reason: "InvalidImageName",
    shows: "at once",
    message: 'worker.image "{...}" is no name of an image: {...}. Correct it and restart',
    toDo: "Correct `worker.image`.",
  },
  "image-absent": {
    cause: "The registry does not have the image",
    staged: "A registry on the node answers 404",
    ...pulled(
      "the registry does not have it. Correct worker.image and restart (the operator's own image, where it is left out), or push it",
    ),
    toDo: "Correct `worker.image`, or push the image.",
  },
  "image-refused": {
    cause: "The registry refuses the image",
    staged: "A registry on the node answers 403",
    ...pulled(
      "the registry refuses to give it. Name a Secret with the registry's credentials in worker.template.imagePullSecrets and restart, or mend the one that is named there",
    ),
    toDo: "Name a pull secret of the workflow's namespace in `worker.template.imagePullSecrets`, or mend it.",
  },
  "image-unreachable": {
    cause: "The registry cannot be reached",
    staged: "The registry's name has no address",
    ...pulled(
      "the registry cannot be reached from there. See that the node reaches it, or correct worker.image and restart",
    ),
    toDo: "Look at the node's way to the registry: name service, proxy, firewall.",
  },
  "image-never": {
    cause: "The image may not be pulled, and the node does not have it",
    staged: "A MutatingAdmissionPolicy gives the pod the pull policy Never",
    state: "FAILED",
    reason: "ErrImageNeverPull",
    shows: "at once",
    message:
      'Node {node} does not have image "{...}" of pod {pod}, and may not pull it: the pull policy Never is not the operator\'s, so an admission webhook or policy has set it. Put the image on the node, or have that changed',
    toDo: "Load the image on the nodes, or have the admission policy leave workers alone.",
  },
  "other-architecture": {
    cause: "The image is of another architecture (exec format error)",
    staged: "The image's program is for another processor",
    state: "FAILED",
    reason: "StartError",
    shows: "at once",
    message:
      "The worker in pod {pod} cannot be started: {...}exec format error. The image is made for another kind of processor than node {node} has: correct worker.image and restart",
    toDo: "Use an image for the nodes' architecture, or one for several; or choose nodes by `worker.template.nodeSelector`.",
  },
  "no-program": {
    cause: "The image has no such command",
    staged: "The image's entry point is not in it",
    state: "FAILED",
    reason: "StartError",
    shows: "at once",
    message:
      'The worker in pod {pod} cannot be started: exec: "{...}": {...}. The image holds no worker that can be run: correct worker.image and restart',
    toDo: "Use an image that keeps the worker contract.",
  },
  "secret-missing": {
    cause: "A Secret with credentials is missing",
    staged: "dynamics.credentialsSecretRef names a Secret that is not there",
    state: "FAILED",
    reason: "CredentialsMissing",
    shows: "at once",
    message:
      'the Secret "absent" (dynamics.credentialsSecretRef) or its key "tenantId" is missing: create it with the keys tenantId, clientId, clientSecret',
    toDo: "Make the Secret.",
  },
  "secret-key-missing": {
    cause: "A Secret lacks a key",
    staged: "The Secret of dynamics.credentialsSecretRef has no clientSecret",
    state: "FAILED",
    reason: "CredentialsMissing",
    shows: "at once",
    message:
      'the Secret "halved" (dynamics.credentialsSecretRef) or its key "clientSecret" is missing: create it with the keys tenantId, clientId, clientSecret',
    toDo: "Add the key.",
  },
  "ca-missing": {
    cause: "The ConfigMap of the CA bundle is missing",
    staged: "caBundle.configMapRef names a ConfigMap that is not there",
    state: "FAILED",
    reason: "CaBundleMissing",
    shows: "at once",
    message:
      'the ConfigMap "absent" (caBundle.configMapRef) or its key ca.crt is missing: create it, or take caBundle out',
    toDo: "Make the ConfigMap, or take `caBundle` out.",
  },
  "env-secret-missing": {
    cause: "A variable is taken from a Secret that is missing",
    staged: "worker.template.env has a secretKeyRef to a Secret that is not there",
    state: "FAILED",
    reason: "CreateContainerConfigError",
    shows: "at once",
    message:
      'Pod {pod} cannot start its worker: secret "absent" not found. Make that in namespace {namespace}, or correct worker.template.env, which names it, and restart',
    toDo: "Make the Secret, or correct `worker.template.env`.",
  },
  "env-key-missing": {
    cause: "A variable is taken from a key that is missing",
    staged: "worker.template.env has a secretKeyRef to a key that its Secret does not have",
    state: "FAILED",
    reason: "CreateContainerConfigError",
    shows: "at once",
    message:
      "Pod {pod} cannot start its worker: couldn't find key proxy in Secret {namespace}/halved. Make that in namespace {namespace}, or correct worker.template.env, which names it, and restart",
    toDo: "Add the key, or correct `worker.template.env`.",
  },
  quota: {
    cause: "The namespace's quota is used up",
    staged: "A ResourceQuota permits no pod",
    state: "FAILED",
    reason: "PodNotCreated",
    shows: "at once",
    message:
      'No pod can be created: pods "{...}" is forbidden: exceeded quota: no-pods, {...}. Raise ResourceQuota no-pods of namespace {namespace}, free some of it, or ask for less (worker.resources, queue.volume.size) and restart',
    toDo: "Raise the quota, or free some of it.",
  },
  "limit-range": {
    cause: "A LimitRange does not permit the pod",
    staged: "A LimitRange permits less memory than the worker may use",
    state: "FAILED",
    reason: "PodNotCreated",
    shows: "at once",
    message:
      'No pod can be created: pods "{...}" is forbidden: maximum memory usage per Container is {...}. A LimitRange of namespace {namespace} forbids it: set worker.resources (queue.volume.size for a claim) within it and restart, or have it changed',
    toDo: "Set `worker.resources` within the LimitRange.",
  },
  "pod-security": {
    cause: "Pod security refuses the pod",
    staged: "A MutatingAdmissionPolicy puts the pod on the host's network, in a namespace of level restricted",
    state: "FAILED",
    reason: "PodNotCreated",
    shows: "at once",
    message:
      'No pod can be created: pods "{...}" is forbidden: violates PodSecurity "{...}. The worker\'s pod as the operator makes it keeps to "restricted": look for an admission webhook or policy that adds to pods here, such as a sidecar, and exempt the workers from it',
    toDo: "Exempt the workers from what changes pods: often a service mesh's injection, which labels or annotations in `worker.template` turn off.",
  },
  "service-account-missing": {
    cause: "The service account is missing",
    staged: "worker.template.serviceAccountName names one that is permitted and not there",
    state: "FAILED",
    reason: "PodNotCreated",
    shows: "at once",
    message:
      'No pod can be created: pods "{...}" is forbidden: error looking up service account {namespace}/nobody: serviceaccount "nobody" not found. Create it (kubectl create serviceaccount -n {namespace} nobody), or correct worker.template.serviceAccountName and restart',
    toDo: "Create the account.",
  },
  "priority-class-missing": {
    cause: "The priority class is missing",
    staged: "worker.template.priorityClassName names none that there is",
    state: "FAILED",
    reason: "PodNotCreated",
    shows: "at once",
    message:
      'No pod can be created: pods "{...}" is forbidden: no PriorityClass with name absent was found. Create PriorityClass absent, or correct worker.template.priorityClassName and restart',
    toDo: "Make the class, or correct `worker.template.priorityClassName`.",
  },
  "claim-refused": {
    cause: "The namespace's quota has no room for the volume",
    staged: "A ResourceQuota permits no PersistentVolumeClaim",
    state: "FAILED",
    reason: "Refused",
    shows: "at once",
    message:
      'The API server refused PersistentVolumeClaim claim-refused-queue: persistentvolumeclaims "claim-refused-queue" is forbidden: exceeded quota: no-claims, {...}. Raise ResourceQuota no-claims of namespace {namespace}, free some of it, or ask for less (worker.resources, queue.volume.size) and restart. It is tried again every 10 s for a minute, then every minute, and at once after an edit',
    toDo: "Raise the quota, or ask for a smaller volume (`queue.volume.size`).",
  },
  "deployment-refused": {
    cause: "An admission policy refuses the Deployment",
    staged: "A ValidatingAdmissionPolicy wants an annotation that the Deployment does not have",
    state: "FAILED",
    reason: "Refused",
    shows: "at once",
    message:
      "The API server refused Deployment deployment-refused: {...}ValidatingAdmissionPolicy 'owners' with binding 'owners' denied request: every Deployment names its owner. Give it what it asks for by editing the workflow, or have whoever keeps ValidatingAdmissionPolicy owners permit it. It is tried again every 10 s for a minute, then every minute, and at once after an edit",
    toDo: "Have the policy permit the operator's Deployments.",
  },
  "no-room": {
    cause: "No node has room",
    staged: "worker.resources.requests asks for 500 processors",
    ...unplaced(`Insufficient cpu; node(s) had untolerated taint(s). ${remedyForRoom}. ${remedyForTaint}`),
    toDo: "Lower `worker.resources.requests`, or add a node.",
  },
  "no-such-node": {
    cause: "No node is as nodeSelector wants it",
    staged: "worker.template.nodeSelector wants a label that no node has",
    ...unplaced(
      `node(s) didn't match Pod's node affinity/selector; node(s) had untolerated taint(s). ${remedyForSelector}. ${remedyForTaint}`,
    ),
    toDo: "Correct `worker.template.nodeSelector` or `affinity`, or label a node.",
  },
  tainted: {
    cause: "The only fitting node has a taint",
    staged: "worker.template.nodeSelector wants a Node that has a taint",
    ...unplaced(
      `node(s) didn't match Pod's node affinity/selector; node(s) had untolerated taint(s). ${remedyForSelector}. ${remedyForTaint}`,
    ),
    toDo: "Tolerate the taint in `worker.template.tolerations`, or take it away.",
  },
  "no-storage-class": {
    cause: "The volume's storage class is missing",
    staged: "queue.volume.storageClassName names none that there is",
    ...unplaced(
      "pod has unbound immediate PersistentVolumeClaims. PersistentVolumeClaim no-storage-class-queue has no volume. See that storage class absent exists and that its provisioner runs: kubectl describe pvc -n {namespace} no-storage-class-queue says more",
    ),
    toDo: "Make the storage class, or name another in `queue.volume.storageClassName`.",
  },
  "no-provisioner": {
    cause: "Nobody makes the volume",
    staged: "The storage class has a provisioner that does not run",
    ...notStarted(
      "Pod {pod} waits for a node since {time}. PersistentVolumeClaim no-provisioner-queue has no volume. See that storage class silent exists and that its provisioner runs: kubectl describe pvc -n {namespace} no-provisioner-queue says more",
    ),
    toDo: "Look at the provisioner's pods and their log.",
  },
  "other-zone": {
    cause: "The volume is in another zone",
    staged: "The claim's volume may be used in a zone where there is no node",
    ...unplaced(
      `node(s) didn't match PersistentVolume's node affinity; node(s) had untolerated taint(s). The volume of PersistentVolumeClaim other-zone-queue can be used on other nodes alone (its zone, or its node): see that one of those is up and has room, and that worker.template lets the pod there. ${remedyForTaint}`,
    ),
    toDo: "Add a node in the volume's zone, or make room on one there.",
  },
  "volume-not-mounted": {
    cause: "The volume cannot be mounted",
    staged: "The claim's volume is a folder that the node does not have",
    ...notStarted(
      "Pod {pod} on node {node} waits for its volumes and its network since {time}: kubectl describe pod -n {namespace} {pod} says which. Often another node still holds the volume of PersistentVolumeClaim volume-not-mounted-queue",
    ),
    toDo: "The pod's Events name the volume. One that another node holds is free when that node's pod is gone.",
  },
  "out-of-memory": {
    cause: "The worker runs out of memory",
    staged: "The program takes all memory that it may have, and goes on",
    state: "FAILED",
    reason: "OOMKilled",
    shows: "at once",
    message:
      "The worker in pod {pod} keeps running out of memory and is killed: raise worker.resources.limits.memory and restart",
    toDo: "Raise `worker.resources.limits.memory`.",
  },
  "crash-loop": {
    cause: "The worker crashes again and again",
    staged: "The program throws an error as soon as it starts",
    state: "FAILED",
    reason: "CrashLoopBackOff",
    shows: "at once",
    message: `The worker in pod {pod} keeps ending with exit code 1, and said: Error: no room in the tent. ${logs}`,
    toDo: "The message has the line of the log that speaks of an error; the log has the rest.",
  },
  "last-words": {
    cause: "The worker gives up, and says why (exit code 78)",
    staged: "The program leaves last words and ends with 78",
    state: "FAILED",
    reason: "StoreTooNew",
    shows: "at once",
    message: "the queue is of a newer version: run that version again",
    toDo: "What the message says: [the reason](how-to/troubleshoot.md) has a section of its own.",
  },
  "no-last-words": {
    cause: "The worker gives up, and does not say why (exit code 78)",
    staged: "The program ends with 78 and leaves nothing",
    state: "FAILED",
    reason: "CannotRecover",
    shows: "at once",
    message: `The worker in pod {pod} gave up (exit code 78) without a reason, and said nothing. ${logs}. It has to be mended, and the workflow restarted`,
    toDo: "Look at the log. The operator's own worker always leaves a reason.",
  },
  "not-live": {
    cause: "The liveness probe fails",
    staged: "The program answers on /livez three times, and then no more",
    state: "STARTING",
    reason: "Starting",
    shows: "at once",
    message: `${up}{...}The one before it was ${killed}`,
    toDo: "The log before the kill shows what it was doing. It is no FAILED: the kubelet starts it again each time, without a back-off.",
  },
  "never-live": {
    cause: "The startup probe does not succeed",
    staged: "The program never answers on /livez",
    state: "STARTING",
    reason: "Starting",
    shows: "at once",
    message: `${up} and has not answered on /livez yet, for which it has 5 minutes: kubectl logs -n {namespace} {pod} shows what it does`,
    toDo: "Opening a large queue after a crash takes minutes. After 5 minutes it is started again, and the message says so.",
  },
  "never-ready": {
    cause: "The readiness probe does not succeed",
    staged: "The program answers on /livez, and 503 on /readyz",
    state: "STARTING",
    reason: "Starting",
    shows: "at once",
    message: `${up} and not ready yet: Dynamics 365 and Campaign must both answer it. It tries for as long as it takes. If it stays so, look whether Dynamics 365 and Campaign are up (their status pages) and can be reached from the cluster`,
    toDo: "A worker that lives is never given up: see [Starting](how-to/troubleshoot.md#starting).",
  },
} as const satisfies Record<string, Expectation>;
