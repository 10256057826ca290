/** One workflow on its walk: what people and the cluster do to it, by a seed. */
import { setTimeout as pause } from "node:timers/promises";
import { labels } from "../../../../src/api/group.ts";
import type { IntegrationWorkflow } from "../../../../src/api/integration-workflow.ts";
import type { Client } from "../../../../src/kubernetes/client.ts";
import { isAlreadyExists, isConflict, isForbidden, isInvalid, isNotFound } from "../../../../src/kubernetes/errors.ts";
import {
  type claims,
  configMaps,
  deployments,
  networkPolicies,
  pods,
  workflows,
} from "../../../../src/operator/shell/projections.ts";
import { plainSpec } from "../../../unit/operator/scene.ts";
import { byHand, type Witness } from "./witness.ts";

export interface WalkerOptions {
  readonly client: Client;
  readonly witness: Witness;
  readonly namespace: string;
  readonly name: string;
  readonly random: () => number;
}

const template = { spec: { template: { metadata: { annotations: { [byHand]: "yes" } } } } };

export class Walker {
  readonly #options: WalkerOptions;
  readonly diary: string[] = [];
  #restarts = 0;
  #isAdvised = false;

  constructor(options: WalkerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get key(): string {
    return `${this.#options.namespace}/${this.name}`;
  }

  async walk(steps: number): Promise<void> {
    await this.#make();
    for (let step = 0; step < steps; step += 1) {
      const all = Object.entries(this.#moves);
      const [title, move] = all[Math.floor(this.#options.random() * all.length)] ?? [];
      if (title === undefined || move === undefined) continue;
      this.diary.push(title);
      await this.#try(move);
      await pause(this.#options.random() * 2500);
    }
  }

  /** Everything that a walk left behind goes, and the workflow is asked to run, or to stop. */
  async comeToRest(): Promise<void> {
    const { client, random } = this.#options;
    await this.#try(() => this.#letGo());
    await this.#make();
    const state = random() < 0.5 ? "Running" : "Stopped";
    this.diary.push(`in the end: ${state}`);
    await this.#edit({ state, worker: { image: null } });
    await this.#deleteAll(pods);
    const { items } = await client.list(pods, { ...this.#query, labelSelector: `${byHand}=${this.name}` });
    for (const { metadata } of items) await this.#try(() => this.#deletePod(metadata.name));
  }

  /** Does what the message of a failure says, once: what failed in the walk is mended by now. */
  async followAdvice(): Promise<void> {
    if (this.#isAdvised) return;
    this.#isAdvised = true;
    await this.#restart();
  }

  readonly #moves: Readonly<Record<string, () => Promise<unknown>>> = {
    start: () => this.#edit({ state: "Running" }),
    "start again": () => this.#edit({ state: "Running" }),
    stop: () => this.#edit({ state: "Stopped" }),
    "stop and start at once": async () => {
      await this.#edit({ state: "Stopped" });
      await this.#edit({ state: "Running" });
    },
    restart: () => this.#restart(),
    "restart and edit": async () => {
      await this.#editNumber();
      await this.#restart();
    },
    "forget the restart": () => this.#edit({ restart: null }),
    edit: () => this.#editNumber(),
    "take the edit back": () => this.#edit({ campaign: { engineCallsPerSecond: 20 }, worker: { template: null } }),
    "edit the template": () => this.#edit({ worker: { template: { annotations: { team: "crm" } } } }),
    "an image that is not permitted": () => this.#edit({ worker: { image: "evil.example/worker:1" } }),
    "no image of its own": () => this.#edit({ worker: { image: null } }),
    "history limit": () => this.#edit({ revisionHistoryLimit: Math.floor(this.#options.random() * 4) }),
    "label the resource": () => this.#patch(workflows, this.name, { metadata: { labels: { step: this.#word() } } }),
    "put an old status back": () => this.#restoreStatus(),
    "delete and make again": async () => {
      await this.#options.client.delete(workflows, this.#ref(this.name));
      await this.#make();
    },
    "kubectl scale": () =>
      this.#patch(deployments, this.name, { spec: { replicas: Math.floor(this.#options.random() * 3) } }),
    "kubectl edit the Deployment": () => this.#patch(deployments, this.name, template),
    "delete the Deployment": () => this.#deleteDeployment(),
    "delete the pins": () => this.#deleteAll(configMaps),
    "delete the network policy": () => this.#options.client.delete(networkPolicies, this.#ref(`${this.name}-worker`)),
    "grow the volume": () => this.#edit({ queue: { volume: { size: "2Gi" } } }),
    "a pod is deleted": () => this.#deleteAll(pods),
    "a pod is evicted": () => this.#onPods((pod) => this.#statusOf(pod, { phase: "Failed", reason: "Evicted" })),
    "a worker is not ready": () => this.#onPods((pod) => this.#statusOf(pod, { conditions: notReady })),
    "a worker crashes again and again": () => this.#onPods((pod) => this.#statusOf(pod, crashing)),
    "a pod cannot end": () => this.#onPods((pod) => this.#patch(pods, pod, { metadata: { finalizers: [byHand] } })),
    "a pod can end": () => this.#letGo(),
    "a foreign pod with the label": () => this.#foreignPod(),
  };

  get #query() {
    return { namespace: this.#options.namespace };
  }

  get #labelSelector(): string {
    return `${labels.workflow}=${this.name}`;
  }

  #ref(name: string) {
    return { ...this.#query, name };
  }

  #word(): string {
    return Math.floor(this.#options.random() * 1e9).toString(36);
  }

  /** What was not there, or was changed by others meanwhile, is no step; nor is what the API server does not allow. */
  async #try(move: () => Promise<unknown>): Promise<void> {
    try {
      await move();
    } catch (error) {
      const isExpected = [isNotFound, isConflict, isAlreadyExists, isForbidden, isInvalid].some((is) => is(error));
      if (!isExpected) throw error;
    }
  }

  #patch(kind: Parameters<Client["mergePatch"]>[0], name: string, patch: object): Promise<unknown> {
    return this.#options.client.mergePatch(kind, this.#ref(name), patch);
  }

  async #workflow(): Promise<IntegrationWorkflow> {
    return this.#options.client.get(workflows, this.#ref(this.name));
  }

  async #make(): Promise<void> {
    const { client, witness } = this.#options;
    const spec = { ...plainSpec, state: "Stopped" };
    await this.#try(() => client.create(workflows, { metadata: this.#ref(this.name), spec } as never)); // As kubectl does.
    if ((await this.#workflow()).spec.state === "Running") return;
    witness.asked((await this.#workflow()).metadata.uid);
    await this.#try(() => this.#patch(workflows, this.name, { spec: { state: "Running" } }));
  }

  /** Whoever asks for a run is counted before. */
  async #edit(spec: { state?: string; restart?: string | null; [field: string]: unknown }): Promise<void> {
    const { metadata } = await this.#workflow();
    if (spec.state === "Running" || typeof spec.restart === "string") this.#options.witness.asked(metadata.uid);
    await this.#try(() => this.#patch(workflows, this.name, { spec }));
  }

  #editNumber(): Promise<void> {
    return this.#edit({ campaign: { engineCallsPerSecond: 21 + Math.floor(this.#options.random() * 4) } });
  }

  #restart(): Promise<void> {
    this.#restarts += 1;
    return this.#edit({ restart: `restart-${this.#restarts}` });
  }

  /** The status of some time ago: the record on the Deployment knows better. */
  async #restoreStatus(): Promise<void> {
    const { client, witness } = this.#options;
    const { status, metadata } = await this.#workflow();
    const [first] = status?.transitions?.slice(-1) ?? [];
    if (status?.appliedRevision === undefined || first === undefined) return;
    await client.get(deployments, this.#ref(this.name));
    witness.restored(metadata.uid);
    const old = { ...status, state: first.to, transitions: [first], pendingRestart: false };
    await client.mergePatch(workflows, this.#ref(this.name), { status: old }, { subresource: "status" });
  }

  /** A run that status has not told of yet leaves no trace: its number would be used again. */
  async #deleteDeployment(): Promise<void> {
    const { client } = this.#options;
    const deployment = await client.get(deployments, this.#ref(this.name));
    const record = JSON.parse(deployment.metadata.annotations?.["integrationworkflow.io/runs"] ?? "{}") as {
      runs?: { run: number }[];
    };
    const { status } = await this.#workflow();
    if (status?.appliedRevision?.run !== record.runs?.[0]?.run) return;
    const { uid, resourceVersion } = deployment.metadata;
    await client.delete(deployments, this.#ref(this.name), { precondition: { uid, resourceVersion } });
  }

  async #onPods(act: (pod: string) => Promise<unknown>): Promise<void> {
    const { items } = await this.#options.client.list(pods, { ...this.#query, labelSelector: this.#labelSelector });
    for (const { metadata } of items) await this.#try(() => act(metadata.name));
  }

  #statusOf(pod: string, status: object): Promise<unknown> {
    return this.#options.client.mergePatch(pods, this.#ref(pod), { status }, { subresource: "status" });
  }

  async #deleteAll(kind: typeof configMaps | typeof pods | typeof claims): Promise<void> {
    const { client } = this.#options;
    const { items } = await client.list(kind as typeof pods, { ...this.#query, labelSelector: this.#labelSelector });
    for (const { metadata } of items)
      await this.#try(() => client.delete(kind as typeof pods, this.#ref(metadata.name)));
  }

  #letGo(): Promise<void> {
    return this.#onPods((pod) => this.#patch(pods, pod, { metadata: { finalizers: null } }));
  }

  async #deletePod(name: string): Promise<void> {
    await this.#options.client.delete(pods, this.#ref(name), { gracePeriodSeconds: 0 });
  }

  async #foreignPod(): Promise<void> {
    const metadata = {
      ...this.#ref(`${this.name}-${this.#word()}`),
      labels: { [labels.workflow]: this.name, [byHand]: this.name },
    };
    const spec = { terminationGracePeriodSeconds: 0, containers: [{ name: "foreign", image: "foreign" }] };
    await this.#options.client.create(pods, { metadata, spec } as never); // A pod's manifest.
  }
}

const time = "2026-01-01T00:00:00Z";
const notReady = [{ type: "Ready", status: "False", lastTransitionTime: time }];
const terminated = { exitCode: 1, reason: "Error", startedAt: time, finishedAt: time };
const crashing = {
  conditions: notReady,
  containerStatuses: [
    {
      name: "worker",
      image: "x",
      imageID: "",
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
      lastState: { terminated },
    },
  ],
};
