import type { Expectation } from "./expectation.ts";

const lookAtSystems =
  "If it stays so, look whether Dynamics 365 and Campaign are up (their status pages) and can be reached from the cluster";

/** On the real API server with its controllers, where a kubelet is played. Each is the name of its workflow. */
export const played = {
  "pod-evicted": {
    cause: "The node evicts the pod",
    staged:
      "The pod's status is written as a kubelet writes it when its node runs short of memory; the next pod is slow",
    state: "STARTING",
    reason: "Recovering",
    shows: "after 60 s",
    message: `No ready worker since {time}. The worker in pod {pod} is up since {time} and not ready yet: Dynamics 365 and Campaign must both answer it. It tries for as long as it takes. ${lookAtSystems}. Pod {pod} before it failed on node {node} at {time}, Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. kubectl describe node {node} shows what it is short of; ask for more in worker.resources.requests and restart, or make room`,
    toDo: "Another pod is made by itself. If it happens again, ask for as much memory as the worker uses: pods that use more than they asked for are evicted first.",
  },
  "node-lost": {
    cause: "The node is lost",
    staged: "The Node's kubelet is heard of no more; the node controller of Kubernetes does the rest",
    state: "STARTING",
    reason: "Recovering",
    shows: "after 60 s",
    message:
      "No ready worker since {time}. Node {node} of pod {pod} is not ready, or not heard of, since {time}: see whether it is up (kubectl get node {node}). Kubernetes gives the pod up five minutes later. If the node is gone for good, delete its Node object: kubectl delete node {node}",
    toDo: "Bring the node back, or delete its Node object: then the pod is given up at once, and its volume is free for another.",
  },
  "pod-not-ending": {
    cause: "A pod does not end",
    staged: "A stop; the kubelet does nothing",
    state: "as it was",
    reason: "Stopping",
    shows: "30 s after its time to end",
    message:
      "Pod {pod} on node {node} should have ended by {time}. If the node is gone for good, delete its Node object, or run: kubectl delete pod -n {namespace} {pod} --force --grace-period=0",
    toDo: "Look at the node first: a pod that is deleted by force may still write.",
  },
  "image-not-permitted": {
    cause: "The image is not permitted",
    staged: "worker.image is none of --allowed-worker-images",
    state: "FAILED",
    reason: "ImageNotPermitted",
    shows: "at once",
    message:
      "worker.image registry.example/other:1 is not permitted by the operator: leave it out, or have the operator started with it in --allowed-worker-images",
    toDo: "Leave `worker.image` out, or have it permitted (`operator.allowedWorkerImages` of the chart).",
  },
  "account-not-permitted": {
    cause: "The service account is not permitted",
    staged: "worker.template.serviceAccountName is none of --allowed-service-accounts",
    state: "FAILED",
    reason: "ServiceAccountNotPermitted",
    shows: "at once",
    message:
      "worker.template.serviceAccountName other is not permitted by the operator: leave it out, or have the operator started with it in --allowed-service-accounts",
    toDo: "Leave it out, or have it permitted (`operator.allowedServiceAccounts` of the chart).",
  },
  "name-conflict": {
    cause: "The name is somebody else's",
    staged: "There is a Deployment of the workflow's name",
    state: "FAILED",
    reason: "NameConflict",
    shows: "at once",
    message:
      "Deployment name-conflict belongs to nobody{...} and has the name that this workflow needs: rename or delete it, or give the workflow another name",
    toDo: "Rename or delete the object that is named.",
  },
  "revision-lost": {
    cause: "What runs is not known any more",
    staged: "While no operator runs, the pin is deleted and the workflow edited",
    state: "FAILED",
    reason: "RevisionLost",
    shows: "at once",
    message:
      "ConfigMap {...}, which says what run 1 runs, is gone or was replaced, and cannot be made again. The pods are left alone; stop and start the workflow, or set spec.restart",
    toDo: "Its pods run meanwhile.",
  },
  "queue-not-empty": {
    cause: "The queue is moved while records wait in it",
    staged: "A stopped workflow with a backlog is given another storage class",
    state: "FAILED",
    reason: "QueueNotEmpty",
    shows: "at once",
    message:
      "spec.queue moves from volume claim queue-not-empty-queue to volume claim {...} while records wait in the former: put spec.queue back, start, let the backlog drain to 0, stop, and move then; or give up what waits, by deleting PersistentVolumeClaim queue-not-empty-queue",
    toDo: "Put `spec.queue` back, let it drain, and move then.",
  },
} as const satisfies Record<string, Expectation>;
