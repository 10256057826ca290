import type { V1Pod } from "@kubernetes/client-node";
import type { Client } from "../../../src/kubernetes/client.ts";
import { ApiError, ConnectionError, isConflict, isForbidden, isNotFound } from "../../../src/kubernetes/errors.ts";
import { createInformer, type Informer } from "../../../src/kubernetes/informer.ts";
import type { KubernetesObject, ResourceKind, Stored } from "../../../src/kubernetes/objects.ts";
import { pods } from "../../../src/operator/shell/projections.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";

type Pod = Stored<V1Pod>;

const nodes: ResourceKind = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };
const nodeName = "played";

/** Until a pod is looked at again that the API server gave no answer for. */
const againMs = 500;

/** What the played kubelet does with pods; changed by tests as they go. */
export interface Behaviour {
  /** up: running and ready. slow: running, never ready. waits: the container does not start, for `reason`. */
  start: "up" | "slow" | "waits";
  reason: string;
  address: string;
  /** The Node that pods are bound to; another than this one is for the test to make. */
  node: string;
  /** What the worker leaves when it is asked to end; hangs: it does not end. */
  lastWords: object | undefined | "hangs";
}

/** Plays scheduler and kubelet for one namespace: writes the status that they would write, and nothing else. */
export class Kubelet {
  readonly #client: Client;
  readonly #informer: Informer<Pod>;
  readonly #stop = new AbortController();
  readonly #busy = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;
  readonly behaviour: Behaviour = {
    start: "up",
    reason: "",
    address: "127.0.0.1",
    node: nodeName,
    lastWords: undefined,
  };
  /** Each unfinished pod set that was ever seen: the runs of them. */
  readonly runsSeen: string[][] = [];

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#informer = createInformer({
      client,
      kind: pods,
      namespaces: [namespace],
      project: (pod) => pod,
      logger: silentLogger,
    });
  }

  async start(): Promise<void> {
    await this.#client.apply(nodes, { metadata: { name: nodeName } }, { force: true });
    this.#informer.cache.subscribe(({ key, type }) => {
      this.#note();
      if (type !== "delete") this.touch(key);
    });
    this.#running = this.#informer.run(this.#stop.signal);
    await this.#informer.synced;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#busy.values());
  }

  /** Looks at all pods again, after the behaviour was changed. */
  touchAll(): void {
    for (const key of this.#informer.cache.keys()) this.touch(key);
  }

  touch(key: string): void {
    const before = this.#busy.get(key) ?? Promise.resolve();
    const next = before
      .then(() => this.#play(key))
      .catch((error: unknown) => {
        // Somebody else was faster: the watch tells, and it is looked at again.
        if (this.#stop.signal.aborted || isConflict(error) || isNotFound(error)) return;
        // It is about to be deleted with its namespace, which takes no binding any more.
        if (isForbidden(error) && error.said.includes("being terminated")) return;
        // An API server that is killed, or begins, answers nothing, or that it is not there yet: as a kubelet, it tries again.
        if (!isAway(error)) throw error;
        setTimeout(() => this.touch(key), againMs).unref();
      });
    this.#busy.set(key, next);
  }

  /** Writes a status of the worker's container to a pod. */
  async setContainer(name: string, namespace: string, container: object, isReady: boolean): Promise<void> {
    await this.#client.mergePatch(
      pods,
      { namespace, name },
      { status: statusOf(container, isReady, this.behaviour.address) },
      { subresource: "status" },
    );
  }

  async #play(key: string): Promise<void> {
    const pod = this.#informer.cache.get(key);
    if (pod === undefined || this.#stop.signal.aborted) return;
    const { name, namespace = "", deletionTimestamp } = pod.metadata;
    const phase = pod.status?.phase;
    if (deletionTimestamp !== undefined) return this.#end(pod);
    if (pod.spec?.nodeName === undefined) {
      const binding: ResourceKind = {
        group: "",
        version: "v1",
        plural: `pods/${name}/binding`,
        kind: "Binding",
        namespaced: true,
      };
      await this.#client.create(binding, {
        metadata: { name, namespace },
        target: { kind: "Node", name: this.behaviour.node },
      } as { metadata: { name: string } });
      return;
    }
    const { start, reason } = this.behaviour;
    if (start === "waits" && phase === "Pending") {
      const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
      if (waiting !== reason)
        await this.setContainer(name, namespace, { state: { waiting: { reason, message: "played" } } }, false);
    } else if (phase === "Pending") {
      await this.setContainer(name, namespace, running(), start === "up");
    } else if (
      start === "up" &&
      phase === "Running" &&
      !isReady(pod) &&
      pod.status?.containerStatuses?.[0]?.state?.running
    ) {
      await this.setContainer(name, namespace, running(), true);
    }
  }

  async #end(pod: Pod): Promise<void> {
    const { name, namespace = "" } = pod.metadata;
    const { lastWords } = this.behaviour;
    if (lastWords === "hangs") return;
    const isFinished = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    if (!isFinished && pod.status?.phase === "Running") {
      const message = lastWords === undefined ? "" : JSON.stringify(lastWords);
      const time = now();
      const terminated = { exitCode: 0, reason: "Completed", message, startedAt: time, finishedAt: time };
      await this.#client.mergePatch(
        pods,
        { namespace, name },
        { status: { ...statusOf({ state: { terminated } }, false, this.behaviour.address), phase: "Succeeded" } },
        { subresource: "status" },
      );
      return;
    }
    await this.#client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
  }

  #note(): void {
    const unfinished = [...this.#informer.cache.values()].filter(
      ({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed",
    );
    const byWorkflow = Map.groupBy(unfinished, (pod) => pod.metadata.labels?.["integrationworkflow.io/workflow"] ?? "");
    for (const group of byWorkflow.values()) {
      this.runsSeen.push([...new Set(group.map((pod) => pod.metadata.labels?.["integrationworkflow.io/run"] ?? ""))]);
    }
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof ConnectionError || (error instanceof ApiError && (error.status === 429 || error.status >= 500))
  );
}

function running(): object {
  return { state: { running: { startedAt: now() } } };
}

export function crashLoop(exitCode: number, message: string): object {
  const time = now();
  const terminated = { exitCode, reason: "Error", message, startedAt: time, finishedAt: time };
  return {
    restartCount: 3,
    state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
    lastState: { terminated },
  };
}

function statusOf(container: object, ready: boolean, address: string): object {
  const condition = (type: string, isTrue: boolean) => ({
    type,
    status: isTrue ? "True" : "False",
    lastTransitionTime: now(),
  });
  const isUp = "state" in container && JSON.stringify(container.state).includes("running");
  return {
    phase: isUp || "lastState" in container ? "Running" : "Pending",
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [condition("PodScheduled", true), condition("Ready", ready), condition("ContainersReady", ready)],
    containerStatuses: [
      { name: "worker", image: "x", imageID: "", ready, restartCount: 0, started: isUp, ...container },
    ],
  };
}

function isReady(pod: KubernetesObject & Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
