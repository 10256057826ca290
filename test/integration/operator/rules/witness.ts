/** Sees every pod of a namespace from its first moment to its last, by a watch: what ran, and what ran at once. */
import type { V1Pod } from "@kubernetes/client-node";
import { labels } from "../../../../src/api/group.ts";
import type { Client } from "../../../../src/kubernetes/client.ts";
import { createInformer, type Informer } from "../../../../src/kubernetes/informer.ts";
import type { Stored } from "../../../../src/kubernetes/objects.ts";
import { pods } from "../../../../src/operator/shell/projections.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";

type Pod = Stored<V1Pod>;

export class Witness {
  readonly #informer: Informer<Pod>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  /** What pods of each workflow ran: run, revision, image and grace period in one word. */
  readonly #ran = new Map<string, Set<string>>();
  readonly #overlaps: string[] = [];

  constructor(client: Client, namespace: string) {
    this.#informer = createInformer({
      client,
      kind: pods,
      namespaces: [namespace],
      project: (pod) => pod,
      logger: silentLogger,
    });
  }

  async start(): Promise<void> {
    this.#informer.cache.subscribe(({ object }) => this.#note(object));
    this.#running = this.#informer.run(this.#stop.signal);
    await this.#informer.synced;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  ran(workflow: string): string[] {
    return [...(this.#ran.get(workflow) ?? [])].sort();
  }

  /** Each time that unfinished pods of two runs of one workflow were there at once. */
  get overlaps(): readonly string[] {
    return this.#overlaps;
  }

  #note(pod: Pod): void {
    const workflow = workflowOf(pod);
    if (workflow === undefined) return;
    const ran = this.#ran.get(workflow) ?? new Set();
    this.#ran.set(workflow, ran.add(whatRuns(pod)));
    const unfinished = [...this.#informer.cache.values()].filter(
      (other) => workflowOf(other) === workflow && !["Succeeded", "Failed"].includes(other.status?.phase ?? ""),
    );
    const runs = new Set(unfinished.map(({ metadata }) => metadata.labels?.[labels.run]));
    if (runs.size > 1) this.#overlaps.push(`${workflow}: runs ${[...runs].join(", ")}`);
  }
}

function workflowOf({ metadata }: Pod): string | undefined {
  return metadata.labels?.[labels.workflow];
}

export function whatRuns({ metadata, spec }: { metadata: Pod["metadata"]; spec?: Pod["spec"] }): string {
  const sources = spec?.volumes?.flatMap(({ projected }) => projected?.sources ?? []) ?? [];
  const pin = sources.find(({ configMap }) => configMap !== undefined)?.configMap?.name;
  const run = metadata.labels?.[labels.run];
  return `run ${run} of ${pin}: ${spec?.containers[0]?.image}, ${spec?.terminationGracePeriodSeconds} s`;
}
