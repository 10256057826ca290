import { decide } from "../../../src/operator/decide/decide.ts";
import type { Plan } from "../../../src/operator/sight/plan.ts";
import type { Memory, OperatorPolicy, PodSeen, Snapshot } from "../../../src/operator/sight/snapshot.ts";
import { statusChange } from "../../../src/operator/status/status-patch.ts";
import { policy } from "./scene.ts";
import { AlreadyExists, Conflict, type Stored, type TinyApi } from "./tiny-api.ts";

type Caches = { [K in keyof Stored]: Stored[K] };

/** An operator process: caches that may be behind, a memory that a crash loses, and the order of writes of the real one. */
export class TinyOperator {
  readonly #api: TinyApi;
  #caches: Caches;
  memory: Memory = {};
  policy: OperatorPolicy = policy;
  /** Notes of plans that were carried out. */
  readonly events: string[] = [];

  constructor(api: TinyApi) {
    this.#api = api;
    this.#caches = structuredClone(api.stored);
  }

  /** The pods that the last status written was decided on. */
  podsSeen: readonly PodSeen[] = [];

  /** The watch of one kind delivers. */
  catchUp(...kinds: (keyof Stored)[]): void {
    for (const kind of kinds.length === 0 ? (Object.keys(this.#caches) as (keyof Stored)[]) : kinds) {
      (this.#caches as Record<string, unknown>)[kind] = structuredClone(this.#api.stored[kind]);
    }
  }

  crash(): void {
    this.memory = {};
    this.catchUp();
  }

  /** What this operator would do now. */
  plan(): { plan: Plan; snapshot: Snapshot } | undefined {
    let snapshot = this.#gather(false);
    if (snapshot === undefined) return undefined;
    let plan = decide(snapshot);
    this.memory = { ...this.memory, ...plan.remember };
    if (plan.lookAfresh) {
      snapshot = this.#gather(true) ?? snapshot;
      plan = decide(snapshot);
      this.memory = { ...this.memory, ...plan.remember };
    }
    return { plan, snapshot };
  }

  /**
   * Carries a plan out. @param mostWrites the process dies after so many
   * @returns whether anything was to be done
   */
  act({ plan, snapshot }: { plan: Plan; snapshot: Snapshot }, mostWrites = Number.POSITIVE_INFINITY): boolean {
    let left = mostWrites;
    const change = plan.status === undefined ? "none" : statusChange(snapshot.workflow.status ?? {}, plan.status);
    try {
      for (const write of plan.writes) {
        if (left-- <= 0) return true;
        this.#api.write(write);
        if (write.note !== undefined) this.events.push(write.note.reason);
        const stored = this.#api.stored.Deployment.get(write.name);
        if (write.kind === "Deployment" && write.verb !== "delete" && write.verb !== "patch" && stored !== undefined) {
          const sent = (write.manifest as unknown as { spec: Snapshot["deployment"] & object }).spec;
          this.memory = {
            ...this.memory,
            accepted: { uid: stored.metadata.uid, sent: sent as never, stored: stored.spec },
          };
        }
        // Its own writes are waited for.
        this.catchUp(write.kind);
      }
      if (plan.status !== undefined && change !== "none" && left-- > 0) {
        this.#api.writeStatus(snapshot.workflow, plan.status);
        this.podsSeen = snapshot.pods;
        this.events.push(...plan.notes.map(({ reason }) => reason));
        this.catchUp("Workflow");
      }
    } catch (error) {
      if (error instanceof AlreadyExists || error instanceof Conflict) this.catchUp();
      else throw error;
    }
    return plan.writes.length > 0 || change !== "none";
  }

  look(mostWrites?: number): boolean {
    const planned = this.plan();
    return planned === undefined ? false : this.act(planned, mostWrites);
  }

  #gather(fresh: boolean): Snapshot | undefined {
    const caches = this.#caches;
    const live = fresh ? this.#api.stored : caches;
    const workflow = caches.Workflow.get("contacts");
    if (workflow === undefined) return undefined;
    return {
      nowMs: this.#api.nowMs,
      workflow,
      deployment: live.Deployment.get("contacts"),
      replicaSets: [...live.ReplicaSet.values()],
      pods: [...live.Pod.values()],
      pins: [...caches.ConfigMap.values()],
      claims: [...caches.PersistentVolumeClaim.values()],
      networkPolicy: caches.NetworkPolicy.get("contacts-worker"),
      fresh,
      memory: this.memory,
      policy: this.policy,
    };
  }
}
