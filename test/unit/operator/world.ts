import type { IntegrationWorkflow, WorkflowSpec, WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../src/api/json.ts";
import { readRecord, runsAnnotation } from "../../../src/api/run-record.ts";
import { isUnfinished } from "../../../src/operator/sight/remains.ts";
import { rfc3339 } from "../../../src/operator/time.ts";
import { seconds, start, workflow, written } from "./scene.ts";
import { TinyApi } from "./tiny-api.ts";
import { collectGarbage, type KubeletAct, kubelet, syncDeployments, syncReplicaSets } from "./tiny-controllers.ts";
import { TinyOperator } from "./tiny-operator.ts";

/** A tiny cluster with one workflow, or some, and one operator that leads. */
export class World {
  readonly api = new TinyApi(start);
  readonly first: TinyOperator;
  /** Who leads. */
  operator: TinyOperator;
  /** Another operator took over, or one went on that had been paused with a plan. */
  hadTwoLeaders = false;
  /** What a worker that ends as asked leaves. */
  lastWords = "";

  constructor(changes: object = {}) {
    this.make("contacts", written(changes));
    this.first = new TinyOperator(this.api);
    this.operator = this.first;
  }

  /** A resource of this name, with a uid of its own. */
  make(name: string, spec: WorkflowSpec, status?: WorkflowStatus): void {
    const { metadata, apiVersion, kind } = workflow();
    this.api.put("Workflow", {
      apiVersion,
      kind,
      spec,
      metadata: {
        ...metadata,
        ...this.api.newMetadata(name),
        creationTimestamp: rfc3339(this.api.nowMs),
        generation: 1,
      },
      ...(status === undefined ? {} : { status }),
    });
  }

  get workflow(): IntegrationWorkflow {
    const found = this.api.stored.Workflow.get("contacts");
    if (found === undefined) throw new Error("the workflow is gone");
    return found;
  }

  get status() {
    return this.workflow.status ?? {};
  }

  get deployment() {
    return this.api.stored.Deployment.get("contacts");
  }

  get record() {
    return this.recordOf("contacts");
  }

  recordOf(name: string) {
    return readRecord(this.api.stored.Deployment.get(name)?.metadata.annotations?.[runsAnnotation]);
  }

  get pods() {
    return [...this.api.stored.Pod.values()];
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type);
  }

  /** A user's edit, as kubectl apply makes it: the spec's other fields stay. */
  edit(changes: object, name = "contacts"): void {
    const present = this.api.stored.Workflow.get(name);
    if (present !== undefined) this.setSpec({ ...present.spec, ...changes } as WorkflowSpec, name);
  }

  setSpec(spec: WorkflowSpec, name = "contacts"): void {
    const present = this.api.stored.Workflow.get(name);
    if (present === undefined) return;
    const generation = present.metadata.generation + (sameJson(spec, present.spec) ? 0 : 1);
    this.api.put("Workflow", { ...present, spec, metadata: { ...present.metadata, generation } });
  }

  /** Another first name field, so that something is pending. */
  editMapping(applyUpdates: boolean): void {
    const { ingress } = written();
    const [mapping] = ingress?.mappings ?? [];
    const [field] = mapping?.fields ?? [];
    this.edit({ ingress: { mappings: [{ ...mapping, fields: [{ ...field, applyUpdates }] }] } });
  }

  kubelets(...acts: KubeletAct[]): void {
    for (const act of acts) for (const pod of this.pods) kubelet(this.api, pod, act);
  }

  controllers(): void {
    collectGarbage(this.api);
    syncDeployments(this.api);
    syncReplicaSets(this.api);
  }

  advance(ms: number): void {
    this.api.nowMs += ms;
  }

  /** Everything works and all caches are right, until nothing happens any more. */
  settle(): void {
    for (let round = 0; round < 120; round += 1) {
      const before = this.api.writes;
      this.controllers();
      for (const pod of this.pods.filter(isUnfinished)) {
        if (pod.metadata.deletionTimestamp !== undefined) kubelet(this.api, pod, "finish", this.lastWords);
        else if (!pod.worker?.running) kubelet(this.api, pod, "start");
        else kubelet(this.api, pod, "ready");
      }
      for (const pod of this.pods)
        if (pod.metadata.deletionTimestamp !== undefined) kubelet(this.api, pod, "finish", this.lastWords);
      let acted = false;
      for (const name of this.api.stored.Workflow.keys()) {
        this.operator.catchUp();
        acted = this.operator.look(undefined, name) || acted;
      }
      this.advance(15 * seconds);
      if (!acted && before === this.api.writes && round > 8) return;
    }
    throw new Error(`it does not settle: ${JSON.stringify({ status: this.status, pods: this.pods.length })}`);
  }
}
