import { labels } from "../../../../src/api/group.ts";
import type { IntegrationWorkflow, WorkflowSpec, WorkflowStatus } from "../../../../src/api/integration-workflow.ts";
import { policy, written } from "../scene.ts";
import type { StoredPod } from "../tiny-api.ts";
import { type KubeletAct, kubelet } from "../tiny-controllers.ts";
import { type Planned, TinyOperator } from "../tiny-operator.ts";
import { World } from "../world.ts";
import { Invariants } from "./invariants.ts";

/** The workflows of a walk, in this order. The first two may not both run while both have the opt-out; the third shares a user's limits. */
const names = ["contacts", "opt-outs", "accounts"] as const;

const optOuts = {
  type: "OptInOut",
  ingress: undefined,
  optInOut: {
    direction: "Bidirectional",
    source: "Poll",
    mappings: [{ column: "donotbulkemail", field: "denyListEmail" }],
  },
};

/** The operator that an upgrade brings: another image, other permissions. */
const upgraded = {
  defaultWorkerImage: "registry.example/integration-workflow:2.0.0",
  allowedWorkerImages: ["registry.example/permitted/*", "registry.example/new/*"],
  allowedServiceAccounts: [],
};

/** A walk under way: the world, who watches it, and what its moves have to remember. */
export class Walk {
  readonly world = new World({ revisionHistoryLimit: 1 });
  readonly invariants: Invariants;
  readonly operators: readonly [TinyOperator, TinyOperator];
  /** A plan that an operator holds that was paused while it led. */
  held: { readonly operator: TinyOperator; readonly planned: Planned } | undefined;
  /** Statuses that were backed up, by workflow. */
  readonly saved = new Map<string, { readonly uid: string; readonly status: WorkflowStatus }>();
  /** What each workflow began with. */
  readonly specs: ReadonlyMap<string, WorkflowSpec>;
  restarts = 0;
  backlog = 1000;
  readonly #count: number;

  constructor(workflows: number) {
    this.#count = workflows;
    const { world } = this;
    for (const name of names.slice(1, workflows)) world.make(name, specOf(name));
    this.specs = new Map([...world.api.stored.Workflow].map(([name, { spec }]) => [name, spec]));
    this.invariants = new Invariants(world);
    const other = new TinyOperator(world.api);
    other.policy = upgraded;
    this.operators = [world.first, other];
    for (const operator of this.operators) {
      operator.policy = operator === other ? upgraded : policy;
      operator.catchUp();
      this.invariants.watch(operator);
    }
  }

  /** A workflow's name by a number. */
  name(who: number): string {
    return names[who % this.#count] ?? "contacts";
  }

  get names(): readonly string[] {
    return names.slice(0, this.#count);
  }

  workflow(name: string): IntegrationWorkflow | undefined {
    return this.world.api.stored.Workflow.get(name);
  }

  /** A user's edit; what asks for a run is counted. */
  edit(name: string, changes: object): void {
    const present = this.workflow(name);
    if (present === undefined) return;
    const { state, restart } = { ...present.spec, ...changes } as WorkflowSpec;
    if (state === "Running" && present.spec.state !== "Running") this.invariants.asked(name);
    if (restart !== undefined && restart !== present.spec.restart) this.invariants.asked(name);
    this.world.edit(changes, name);
  }

  /** The resource anew, as `kubectl create` makes it; a restored backup brings its status along. */
  makeAgain(name: string, spec: WorkflowSpec, status?: WorkflowStatus): void {
    if (this.workflow(name) !== undefined) return;
    // Which pods are of an earlier resource, seconds tell.
    this.world.advance(1000);
    this.world.make(name, spec, status);
    if (spec.state === "Running") this.invariants.asked(name);
    if (status !== undefined) this.invariants.restored(name, status);
  }

  podsOf(name: string): readonly StoredPod[] {
    return this.world.pods.filter(({ metadata }) => metadata.labels?.[labels.workflow] === name);
  }

  /** Kubelet, on one pod of the workflow. */
  onPod(name: string, index: number, ...acts: KubeletAct[]): void {
    const pods = this.podsOf(name);
    const pod = pods[index % Math.max(1, pods.length)];
    for (const act of acts) {
      const present = pod && this.world.api.stored.Pod.get(pod.metadata.name);
      if (present !== undefined)
        kubelet(this.world.api, present, act, act === "finish" ? this.lastWords(name, index) : "");
    }
  }

  /** What a worker says at its end: mostly how many records wait. */
  lastWords(name: string, number: number): string {
    if (number % 4 === 0) return "";
    this.backlog += 1;
    const backlog = number % 4 === 1 ? 0 : this.backlog;
    this.invariants.told(name, backlog);
    return JSON.stringify({ reason: "Stopped", message: "", backlog });
  }

  /** Whether nothing of the last run would be lost with the Deployment: status tells of it, and operators have seen that. */
  isTold(name: string): boolean {
    for (const operator of this.operators) operator.catchUp("Workflow");
    return this.workflow(name)?.status?.appliedRevision?.run === this.world.recordOf(name)?.runs[0]?.run;
  }
}

function specOf(name: string): WorkflowSpec {
  if (name === "opt-outs") return JSON.parse(JSON.stringify(written(optOuts))) as WorkflowSpec; // Without undefined.
  return written({ revisionHistoryLimit: 2 });
}
