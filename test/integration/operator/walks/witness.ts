/** Watches the cluster from outside, and says which rules were broken: no word of the operator is taken for it. */
import type { V1Deployment, V1Pod } from "@kubernetes/client-node";
import { labels } from "../../../../src/api/group.ts";
import type { IntegrationWorkflow } from "../../../../src/api/integration-workflow.ts";
import { canonicalJson } from "../../../../src/api/json.ts";
import { type RunRecord, readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import type { Client } from "../../../../src/kubernetes/client.ts";
import { createInformer, type Informer } from "../../../../src/kubernetes/informer.ts";
import type { Stored } from "../../../../src/kubernetes/objects.ts";
import { deployments, pods, workflows } from "../../../../src/operator/shell/projections.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { faultsOf } from "../kstatus.ts";

/** What the walks write past the operator carries this, in labels of pods and annotations of templates. */
export const byHand = "walks.example/by-hand";

interface PodWitnessed {
  readonly metadata: Stored<V1Pod>["metadata"];
  /** Number and pin: the pin's name tells resources of one name apart. */
  readonly run: string;
  readonly isUnfinished: boolean;
  readonly isForeign: boolean;
}

interface Story {
  asks: number;
  /** By the run's number. */
  readonly templates: Map<number, string>;
  readonly runs: Set<number>;
}

export class Witness {
  readonly faults: string[] = [];
  readonly workflows: Informer<IntegrationWorkflow>;
  readonly deployments: Informer<Stored<V1Deployment>>;
  readonly pods: Informer<PodWitnessed, "workflow">;
  readonly #stories = new Map<string, Story>();
  /** Of each workflow's newest run: where in the order of the API server's changes it began, and the pins before it. */
  readonly #begun = new Map<
    string,
    { readonly run: number; readonly version: bigint; readonly earlier: ReadonlySet<string> }
  >();
  /** Whose status a walk has put back: how it got there is no work of the operator. */
  readonly #restored = new Set<string>();
  readonly #before = new Map<string, IntegrationWorkflow>();
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(client: Client, namespace: string) {
    const common = { client, namespaces: [namespace], logger: silentLogger };
    this.workflows = createInformer({ ...common, kind: workflows, project: (workflow) => workflow });
    this.deployments = createInformer({ ...common, kind: deployments, project: (deployment) => deployment });
    this.pods = createInformer({
      ...common,
      kind: pods,
      labelSelector: labels.workflow,
      project: witnessed,
      indexes: { workflow: ({ metadata }) => [nameOf(metadata.labels)] },
    });
    this.pods.cache.subscribe(({ object }) => {
      this.#podChanged(nameOf(object.metadata.labels));
      // One that is deleted was there until then.
      this.#checkBegun(object);
    });
    this.deployments.cache.subscribe(({ type, object }) => {
      if (type !== "delete") this.#deploymentChanged(object);
    });
    this.workflows.cache.subscribe(({ type, object }) => {
      if (type !== "delete") this.#workflowChanged(object);
    });
    const { signal } = this.#stop;
    this.#running = Promise.all([this.workflows, this.deployments, this.pods].map((informer) => informer.run(signal)));
  }

  /** A user is about to ask for a run of this resource. */
  asked(uid: string): void {
    this.#story(uid).asks += 1;
  }

  restored(uid: string): void {
    this.#restored.add(uid);
  }

  unfinished(key: string): readonly PodWitnessed[] {
    const name = key.slice(key.indexOf("/") + 1);
    return this.pods.cache.byIndex("workflow", name).filter((pod) => pod.isUnfinished && !pod.isForeign);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #podChanged(name: string): void {
    const runs = new Set(this.unfinished(`/${name}`).map(({ run }) => run));
    if (runs.size > 1) this.#broken(name, "two runs at once", [...runs]);
  }

  /** Two watches do not tell in one order: the versions do. */
  #checkBegun(pod: PodWitnessed): void {
    const name = nameOf(pod.metadata.labels);
    const begun = this.#begun.get(name);
    if (begun === undefined || !pod.isUnfinished || pod.isForeign || !begun.earlier.has(pod.run)) return;
    if (BigInt(pod.metadata.resourceVersion) > begun.version) {
      this.#broken(name, "a run begins when the last pod of the earlier one has ended", [pod.run, begun.run]);
    }
  }

  #deploymentChanged({ metadata, spec }: Stored<V1Deployment>): void {
    const record = readRecord(metadata.annotations?.[runsAnnotation]);
    const [owner] = metadata.ownerReferences ?? [];
    const [run] = record?.runs ?? [];
    if (record === undefined || owner === undefined || run === undefined) return;
    const story = this.#story(owner.uid);
    const { name } = metadata;
    const latest = Math.max(0, ...story.runs);
    if (run.run < latest) this.#broken(name, "runs count up", [run.run, latest]);
    if (!story.runs.has(run.run)) {
      const earlier = new Set(record.runs.slice(1).map(({ run: number, pin }) => `${number} of ${pin}`));
      this.#begun.set(name, { run: run.run, version: BigInt(metadata.resourceVersion), earlier });
      for (const pod of this.pods.cache.byIndex("workflow", name)) this.#checkBegun(pod);
    }
    story.runs.add(run.run);
    if (story.runs.size > story.asks)
      this.#broken(name, "no more runs than anybody asked for", [[...story.runs], story.asks]);
    this.#checkOrder(name, record);
    if (!record.active || spec?.template.metadata?.annotations?.[byHand] !== undefined) return;
    const template = canonicalJson(spec?.template);
    const known = story.templates.get(run.run);
    if (known !== undefined && known !== template) this.#broken(name, "a run keeps its template", run);
    story.templates.set(run.run, template);
    if (spec?.template.metadata?.labels?.[labels.run] !== String(run.run)) {
      this.#broken(name, "the template is of the run that is recorded", run);
    }
  }

  #checkOrder(name: string, { runs }: RunRecord): void {
    const numbers = runs.map(({ run }) => run);
    if (numbers.some((number, index) => index > 0 && number >= (numbers[index - 1] ?? 0))) {
      this.#broken(name, "the record of runs is in order", numbers);
    }
  }

  #workflowChanged(workflow: IntegrationWorkflow): void {
    const { name, uid } = workflow.metadata;
    const before = this.#before.get(uid);
    this.#before.set(uid, workflow);
    if (this.#restored.has(uid)) return;
    for (const fault of faultsOf(workflow)) this.#broken(name, fault, workflow.status?.conditions);
    const [was, now] = [before?.status, workflow.status];
    const isSameRun = was?.appliedRevision?.run === now?.appliedRevision?.run;
    if (
      was?.state === "FAILED" &&
      now?.state === "STARTING" &&
      isSameRun &&
      now.transitions?.[0]?.reason !== "Starting"
    ) {
      const facts = [was.failure, now.transitions?.slice(0, 2)];
      if (was.transitions?.[0]?.revision !== undefined)
        this.#broken(name, "FAILED is left for STARTING by a new run alone", facts);
    }
    if (now?.state === "FAILED" && now.failure === undefined) this.#broken(name, "what FAILED says why", now);
    if (now?.backlog !== undefined) this.#broken(name, "a backlog that no worker told of", now.backlog);
    const stayed = was?.transitions?.length ?? 0;
    if (was !== undefined && (now?.transitions?.length ?? 0) < stayed)
      this.#broken(name, "transitions are kept", now?.transitions);
  }

  #broken(name: string, rule: string, facts: unknown): void {
    this.faults.push(`${name}: ${rule}: ${JSON.stringify(facts)}`.slice(0, 1500));
  }

  #story(uid: string): Story {
    const story = this.#stories.get(uid) ?? { asks: 0, templates: new Map(), runs: new Set() };
    this.#stories.set(uid, story);
    return story;
  }
}

function witnessed({ metadata, spec, status }: Stored<V1Pod>): PodWitnessed {
  const configuration = spec?.volumes?.find(({ name }) => name === "configuration");
  const pin = configuration?.projected?.sources?.find(({ configMap }) => configMap !== undefined)?.configMap?.name;
  return {
    metadata,
    run: `${metadata.labels?.[labels.run]} of ${pin}`,
    isUnfinished: status?.phase !== "Succeeded" && status?.phase !== "Failed",
    isForeign: metadata.labels?.[byHand] !== undefined,
  };
}

function nameOf(given: Readonly<Record<string, string>> | undefined): string {
  return given?.[labels.workflow] ?? "";
}
