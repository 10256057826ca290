/** Watches the cluster from outside, and says when everything has come to where it was to come. */
import type { V1Deployment } from "@kubernetes/client-node";
import type { IntegrationWorkflow, WorkflowState } from "../../../src/api/integration-workflow.ts";
import type { Cached } from "../../../src/kubernetes/cache.ts";
import type { Client } from "../../../src/kubernetes/client.ts";
import { createInformer, type Informer } from "../../../src/kubernetes/informer.ts";
import type { Stored } from "../../../src/kubernetes/objects.ts";
import { deployments, workflows } from "../../../src/operator/shell/projections.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { namespace } from "./ground.ts";

/** Of a workflow, what the bench waits for. */
export interface WorkflowSeen extends Cached {
  readonly generation: number;
  readonly observedGeneration: number | undefined;
  readonly state: WorkflowState | undefined;
  readonly pendingRestart: boolean;
  readonly run: number | undefined;
}

export interface DeploymentReady extends Cached {
  readonly isReady: boolean;
}

/** Times as `performance.now()` gives them. */
export interface Seen {
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly atMs: ReadonlyMap<string, number>;
}

export class Observer<T extends Cached> {
  readonly #informer: Informer<T>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(informer: Informer<T>) {
    this.#informer = informer;
    this.#running = informer.run(this.#stop.signal);
  }

  static workflows(client: Client): Observer<WorkflowSeen> {
    return new Observer(
      createInformer({ client, kind: workflows, namespaces: [namespace], project: seen, logger: quiet }),
    );
  }

  static deployments(client: Client): Observer<DeploymentReady> {
    return new Observer(
      createInformer({ client, kind: deployments, namespaces: [namespace], project: ready, logger: quiet }),
    );
  }

  get size(): number {
    return this.#informer.cache.size;
  }

  get(name: string): T | undefined {
    return this.#informer.cache.get(`${namespace}/${name}`);
  }

  /** @returns `performance.now()` when all of them were as they should be, when the first was, and when each was, by name */
  async all(names: readonly string[], isSo: (object: T) => boolean): Promise<Seen> {
    await this.#informer.synced;
    const missing = new Set(names.map((name) => `${namespace}/${name}`));
    const atMs = new Map<string, number>();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        unsubscribe();
        reject(new Error(`waited in vain for ${missing.size} of ${names.length}, such as ${[...missing][0]}`));
      }, patienceMs);
      const end = (): void => {
        clearTimeout(timer);
        // Not before `subscribe` has returned.
        queueMicrotask(() => unsubscribe());
        const lastAtMs = performance.now();
        const [firstAtMs = lastAtMs] = atMs.values();
        resolve({ firstAtMs, lastAtMs, atMs });
      };
      if (missing.size === 0) clearTimeout(timer);
      const unsubscribe = this.#informer.cache.subscribe(({ type, key, object }) => {
        if (type === "delete" || !missing.has(key) || !isSo(object)) return;
        missing.delete(key);
        atMs.set(object.metadata.name, performance.now());
        if (missing.size === 0) end();
      });
    });
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

/** Ten thousand of them take a while. */
const patienceMs = 3_600_000;
const quiet = createLogger("bench", "error");

function seen({ metadata, status }: IntegrationWorkflow): WorkflowSeen {
  const { name, namespace: of, uid, resourceVersion, generation } = metadata;
  return {
    metadata: { name, namespace: of, uid, resourceVersion },
    generation,
    observedGeneration: status?.observedGeneration,
    state: status?.state,
    pendingRestart: status?.pendingRestart === true,
    run: status?.appliedRevision?.run,
  };
}

function ready({ metadata, status }: Stored<V1Deployment>): DeploymentReady {
  const { name, namespace: of = "", uid, resourceVersion } = metadata;
  return { metadata: { name, namespace: of, uid, resourceVersion }, isReady: status?.readyReplicas === 1 };
}
