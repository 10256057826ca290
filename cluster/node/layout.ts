/** Where a node keeps what it has. Everything of one node is below its state folder; its sockets' paths must stay short. */
import { join } from "node:path";

/** The addresses inside a node's own network namespace: the same for every node, as none sees another's. */
export const nodeAddress = "10.244.0.1";
export const podNetwork = "10.244.0.0/24";
export const firstPodAddress = "10.244.0.10";
export const serviceNetwork = "10.96.0.0/16";
export const apiServiceAddress = "10.96.0.1";
export const apiServerPort = 6443;

export const nodeName = "node1";
export const pauseImage = "docker.io/library/integration-workflow-pause:1";

/** The paths of a node by its name (lower case letters, digits and dashes). */
export interface NodeLayout {
  readonly name: string;
  /** Holds all the rest. */
  readonly state: string;
  readonly logs: string;
  readonly pki: string;
  /** Signs in as system:masters, by the relay's port on 127.0.0.1. */
  readonly kubeconfig: string;
  /** Which processes the node is; see process-record.ts. */
  readonly processes: string;
  /** Leads to the API server from outside the node's network namespace. */
  readonly apiSocket: string;
  readonly containerdSocket: string;
  readonly volumes: string;
  /** The cgroup, in every hierarchy, that all pods are in. */
  readonly cgroup: string;
}

/** Below this folder every node has its state. */
export const stateRoot = "/var/lib/integration-workflow";

export function nodeLayout(name: string): NodeLayout {
  const state = join(stateRoot, name);
  return {
    name,
    state,
    logs: join(state, "logs"),
    pki: join(state, "pki"),
    kubeconfig: join(state, "admin.kubeconfig"),
    processes: join(state, "processes.json"),
    apiSocket: join(state, "api.sock"),
    containerdSocket: join(state, "containerd.sock"),
    volumes: join(state, "volumes"),
    cgroup: `/${name}`,
  };
}
