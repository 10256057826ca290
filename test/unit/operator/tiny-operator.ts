import { labels } from "../../../src/api/group.ts";
import type { IntegrationWorkflow, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../src/api/json.ts";
import { decide } from "../../../src/operator/decide/decide.ts";
import { networkPolicyName } from "../../../src/operator/objects/network-policy.ts";
import { LimitsLedger } from "../../../src/operator/shell/limits-ledger.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { isOfEarlier } from "../../../src/operator/sight/ownership.ts";
import type { Plan, Write } from "../../../src/operator/sight/plan.ts";
import { printOf } from "../../../src/operator/sight/refusals.ts";
import { rivalOf } from "../../../src/operator/sight/rivals.ts";
import { limitsUseOf } from "../../../src/operator/sight/shared-limits.ts";
import type {
  DeploymentSeen,
  Memory,
  OperatorPolicy,
  PodSeen,
  SeenMetadata,
  Snapshot,
} from "../../../src/operator/sight/snapshot.ts";
import { statusChange } from "../../../src/operator/status/status-change.ts";
import { policy } from "./scene.ts";
import {
  AlreadyExists,
  Conflict,
  NoAnswer,
  Refused,
  type Stored,
  type StoredKind,
  storedKinds,
  type TinyApi,
} from "./tiny-api.ts";

/** What an operator would do, and what it saw. */
export interface Planned {
  readonly plan: Plan;
  readonly snapshot: Snapshot;
}

/** An operator process: caches that may be behind, a memory that a crash loses, and the order of writes of the real one. */
export class TinyOperator {
  readonly #api: TinyApi;
  readonly #caches: Stored;
  readonly #seen = new Map<StoredKind, number>();
  #podsHeard = 0;
  /** Since it leads, by the workflow's uid. */
  readonly #firstLooks = new Map<string, number>();
  #memories = new Memories();
  #limits = new LimitsLedger();
  policy: OperatorPolicy = policy;
  /** Set by a test, instead of what follows from the other workflows. */
  sharedLimits: Snapshot["sharedLimits"];
  rivals: Snapshot["rivals"] | undefined;
  /** Notes of plans that were carried out. */
  readonly events: string[] = [];
  /** What the world does while an operator reads one kind after the other. */
  betweenReads: (() => void) | undefined;
  /** Told of every look. */
  onPlan: ((planned: Planned) => void) | undefined;

  constructor(api: TinyApi) {
    this.#api = api;
    this.#caches = {
      Workflow: new Map(),
      Deployment: new Map(),
      ReplicaSet: new Map(),
      Pod: new Map(),
      ConfigMap: new Map(),
      PersistentVolumeClaim: new Map(),
      NetworkPolicy: new Map(),
    };
    this.catchUp();
  }

  /** Of the workflow that all tests but the walks have alone. */
  get memory(): Memory {
    return this.#memories.of(keyOf("contacts")).memory;
  }

  set memory(memory: Memory) {
    this.#memories.note(keyOf("contacts"), memory);
  }

  memoriesOf(name: string): Memory {
    return this.#memories.of(keyOf(name)).memory;
  }

  /** Whether the API server refused to delete something: that is tried once in a leadership, and left. */
  mayNotDelete(name: string): boolean {
    return [...this.#memories.of(keyOf(name)).refused].some((print) => print.startsWith('["delete"'));
  }

  note(name: string, more: Partial<Memory>): void {
    this.#memories.note(keyOf(name), more);
  }

  /** The watch of one kind delivers. */
  catchUp(...some: StoredKind[]): void {
    for (const kind of some.length === 0 ? storedKinds : some) {
      const change = this.#api.changes.get(kind) ?? 0;
      if (this.#seen.get(kind) === change) continue;
      this.#seen.set(kind, change);
      if (kind === "Workflow") this.#forgetGone();
      // Objects are replaced, never changed: the same ones may be in both.
      (this.#caches as unknown as Record<string, unknown>)[kind] = new Map(
        this.#api.stored[kind] as Map<string, unknown>,
      );
      if (kind === "Pod") this.#hear();
      if (kind === "Workflow" || kind === "ConfigMap") this.#countLimits();
    }
  }

  /** Another process takes its place. */
  crash(): void {
    this.forget();
    this.#podsHeard = this.#api.podEvents.length;
    this.catchUp();
    for (const pod of this.#caches.Pod.values()) this.#hearOf(pod);
  }

  /** Leads again, after another did: nothing of its earlier leadership is believed. Its watches went on. */
  forget(): void {
    this.#memories = new Memories();
    this.#firstLooks.clear();
    this.#limits = new LimitsLedger();
    this.#countLimits();
  }

  firstLookMs(uid: string): number {
    return this.#firstLooks.get(uid) ?? this.#api.nowMs;
  }

  /** What this operator would do now. */
  plan(name = "contacts"): Planned | undefined {
    const workflow = this.#caches.Workflow.get(name);
    if (workflow === undefined) {
      this.#memories.forget(keyOf(name));
      return undefined;
    }
    const { uid } = workflow.metadata;
    this.#memories.meet(keyOf(name), uid);
    if (!this.#firstLooks.has(uid)) this.#firstLooks.set(uid, this.#api.nowMs);
    let snapshot = this.#gather(workflow);
    let plan = decide(snapshot);
    this.note(name, plan.remember);
    if (plan.lookAfresh) {
      this.onPlan?.({ plan, snapshot });
      snapshot = this.#afresh(snapshot);
      plan = decide(snapshot);
      this.note(name, plan.remember);
    }
    this.onPlan?.({ plan, snapshot });
    return { plan, snapshot };
  }

  /**
   * Carries a plan out. @param mostWrites the process dies after so many
   * @returns whether the API server was asked to write anything
   */
  act({ plan, snapshot }: Planned, mostWrites = Number.POSITIVE_INFINITY): boolean {
    let left = mostWrites;
    const { workflow } = snapshot;
    const { attempts } = this.#api;
    this.#api.actingOn = snapshot;
    const change = plan.status === undefined ? "none" : statusChange(workflow.status ?? {}, plan.status);
    try {
      for (const write of plan.writes) {
        if (left-- <= 0 || this.#write(write, snapshot) === "again") return true;
      }
      if (plan.status !== undefined && change !== "none" && left-- > 0) this.#writeStatus(plan, workflow, plan.status);
    } catch (error) {
      // The real one tries again, later each time.
      if (!(error instanceof NoAnswer)) throw error;
    }
    return this.#api.attempts > attempts;
  }

  look(mostWrites?: number, name = "contacts"): boolean {
    const planned = this.plan(name);
    return planned === undefined ? false : this.act(planned, mostWrites);
  }

  /** As `shell/act.ts` does. */
  #write(write: Write, { workflow, nowMs }: Snapshot): "done" | "again" {
    const key = keyOf(workflow.metadata.name);
    const object = `${write.kind} ${write.name}`;
    const print = printOf(write, workflow.metadata.generation);
    if (this.#memories.of(key).refused.has(print)) return "done";
    try {
      this.#api.write(write);
    } catch (error) {
      if (error instanceof AlreadyExists) this.#memories.noteTaken(key, write.kind, write.name);
      else if (error instanceof Refused && write.dispensable) {
        this.#memories.noteRefused(key, print);
        return "done";
      } else if (error instanceof Refused) {
        const { generation } = workflow.metadata;
        this.#memories.noteRefusal(key, { object, message: error.message, atMs: nowMs, generation });
      } else if (!(error instanceof Conflict)) throw error;
      return "again";
    }
    if (write.note !== undefined) this.events.push(write.note.reason);
    const stored = this.#api.stored.Deployment.get(write.name);
    if (write.kind === "Deployment" && (write.verb === "create" || write.verb === "replace") && stored !== undefined) {
      const { spec: sent } = write.manifest as unknown as DeploymentSeen;
      const accepted = { uid: stored.metadata.uid, sent, stored: sameJson(sent, stored.spec) ? sent : stored.spec };
      this.#memories.note(key, { accepted, refusal: undefined });
    }
    // Its own writes are waited for.
    this.catchUp(write.kind);
    return "done";
  }

  #writeStatus(plan: Plan, workflow: IntegrationWorkflow, status: WorkflowStatus): void {
    try {
      this.#api.writeStatus(workflow, status);
    } catch (error) {
      if (error instanceof Conflict) return;
      if (error instanceof Refused) throw new NoAnswer(error.message);
      throw error;
    }
    this.events.push(...plan.notes.map(({ reason }) => reason));
    this.catchUp("Workflow");
  }

  #gather(workflow: IntegrationWorkflow): Snapshot {
    const caches = this.#caches;
    const { name } = workflow.metadata;
    const watched = <T extends { metadata: SeenMetadata }>(found: T | undefined): T | undefined =>
      found?.metadata.labels?.[labels.workflow] === undefined ? undefined : found;
    const snapshot: Snapshot = {
      nowMs: this.#api.nowMs,
      workflow,
      deployment: watched(caches.Deployment.get(name)),
      replicaSets: labelled(caches.ReplicaSet, name),
      pods: labelled(caches.Pod, name),
      pins: labelled(caches.ConfigMap, name),
      claims: labelled(caches.PersistentVolumeClaim, name),
      networkPolicy: watched(caches.NetworkPolicy.get(networkPolicyName(workflow))),
      sharedLimits: this.sharedLimits ?? this.#limits.of(keyOf(name)),
      rivals: this.#rivalsOf(workflow, caches),
      fresh: false,
      memory: this.memoriesOf(name),
      policy: this.policy,
    };
    return this.#withTakenNames(snapshot);
  }

  /** Deployment, ReplicaSets and pods from the API server, one after the other. */
  #afresh(snapshot: Snapshot): Snapshot {
    const { stored } = this.#api;
    const { name, uid, generation } = snapshot.workflow.metadata;
    const live = stored.Workflow.get(name);
    if (live?.metadata.uid !== uid || live.metadata.generation !== generation) return snapshot;
    const rivals = this.#rivalsOf(snapshot.workflow, stored);
    this.betweenReads?.();
    const deployment = stored.Deployment.get(name);
    this.betweenReads?.();
    const replicaSets = labelled(stored.ReplicaSet, name);
    this.betweenReads?.();
    const pods = labelled(stored.Pod, name);
    const memory = this.memoriesOf(name);
    return {
      ...snapshot,
      nowMs: this.#api.nowMs,
      deployment,
      replicaSets,
      pods,
      rivals,
      fresh: true,
      memory,
    };
  }

  /** What took a name and is not in the caches, which hold what has our label, is read. */
  #withTakenNames(cached: Snapshot): Snapshot {
    const { name } = cached.workflow.metadata;
    const { stored } = this.#api;
    let snapshot = cached;
    for (const entry of this.#memories.of(keyOf(name)).taken) {
      const [kind, taken] = entry.split("/") as [
        "Deployment" | "ConfigMap" | "PersistentVolumeClaim" | "NetworkPolicy",
        string,
      ];
      const isKnown = {
        Deployment: () => snapshot.deployment !== undefined,
        NetworkPolicy: () => snapshot.networkPolicy !== undefined,
        ConfigMap: () => snapshot.pins.some(({ metadata }) => metadata.name === taken),
        PersistentVolumeClaim: () => snapshot.claims.some(({ metadata }) => metadata.name === taken),
      };
      if (!stored[kind].has(taken) || isKnown[kind]()) {
        this.#memories.noteFree(keyOf(name), kind, taken);
        continue;
      }
      const pin = stored.ConfigMap.get(taken);
      const claim = stored.PersistentVolumeClaim.get(taken);
      if (kind === "Deployment") snapshot = { ...snapshot, deployment: stored.Deployment.get(taken) };
      else if (kind === "NetworkPolicy") snapshot = { ...snapshot, networkPolicy: stored.NetworkPolicy.get(taken) };
      else if (kind === "ConfigMap" && pin !== undefined) snapshot = { ...snapshot, pins: [...snapshot.pins, pin] };
      else if (claim !== undefined) snapshot = { ...snapshot, claims: [...snapshot.claims, claim] };
    }
    return snapshot;
  }

  #rivalsOf(workflow: IntegrationWorkflow, found: Stored): Snapshot["rivals"] {
    if (this.rivals !== undefined) return this.rivals;
    const { Workflow, ConfigMap } = this.#caches;
    const pinNamed = (name: string) => ConfigMap.get(name);
    return [...Workflow.values()]
      .filter(({ metadata }) => metadata.name !== workflow.metadata.name)
      .sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
      .flatMap((other) => {
        const { name } = other.metadata;
        const objects = {
          deployment: found.Deployment.get(name),
          replicaSets: labelled(found.ReplicaSet, name),
          pods: labelled(found.Pod, name),
        };
        return rivalOf(workflow, { workflow: other, objects, pinNamed }, this.#api.nowMs) ?? [];
      });
  }

  #hear(): void {
    const { podEvents } = this.#api;
    for (const pod of podEvents.slice(this.#podsHeard)) this.#hearOf(pod);
    this.#podsHeard = podEvents.length;
  }

  #forgetGone(): void {
    for (const [name, { metadata }] of this.#caches.Workflow) {
      const live = this.#api.stored.Workflow.get(name);
      if (live?.metadata.uid !== metadata.uid) this.#memories.forget(keyOf(name));
    }
  }

  #hearOf(pod: PodSeen): void {
    const name = pod.metadata.labels?.[labels.workflow] ?? "";
    const workflow = this.#caches.Workflow.get(name);
    if (workflow !== undefined && !isOfEarlier(pod.metadata, workflow)) this.#memories.hear(keyOf(name), pod);
  }

  #countLimits(): void {
    const { Workflow, ConfigMap } = this.#caches;
    for (const [name, workflow] of Workflow)
      this.#limits.note(
        keyOf(name),
        limitsUseOf(workflow, (pin) => ConfigMap.get(pin)),
      );
  }
}

function keyOf(name: string): string {
  return `crm/${name}`;
}

function labelled<T extends { metadata: SeenMetadata }>(objects: ReadonlyMap<string, T>, name: string): T[] {
  return [...objects.values()].filter(({ metadata }) => metadata.labels?.[labels.workflow] === name);
}
