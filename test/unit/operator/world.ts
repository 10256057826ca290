import type { IntegrationWorkflow, WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../src/operator/json.ts";
import { isUnfinished } from "../../../src/operator/sight/remains.ts";
import { readRecord, runsAnnotation } from "../../../src/operator/sight/run-record.ts";
import { seconds, start, workflow, written } from "./scene.ts";
import { TinyApi } from "./tiny-api.ts";
import { collectGarbage, type KubeletAct, kubelet, syncDeployments, syncReplicaSets } from "./tiny-controllers.ts";
import { TinyOperator } from "./tiny-operator.ts";

/** A tiny cluster with one workflow and one operator. */
export class World {
  readonly api = new TinyApi(start);
  readonly operator: TinyOperator;

  constructor(changes: object = {}) {
    const { metadata, ...rest } = workflow(changes);
    this.api.put("Workflow", {
      ...rest,
      metadata: { ...metadata, ...this.api.newMetadata(metadata.name), generation: 1 },
    });
    this.operator = new TinyOperator(this.api);
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
    return readRecord(this.deployment?.metadata.annotations?.[runsAnnotation]);
  }

  get pods() {
    return [...this.api.stored.Pod.values()];
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type);
  }

  /** A user's edit, as kubectl apply makes it: the spec's other fields stay. */
  edit(changes: object): void {
    const present = this.workflow;
    const spec = { ...present.spec, ...changes } as WorkflowSpec;
    this.setSpec(spec);
  }

  setSpec(spec: WorkflowSpec): void {
    const present = this.workflow;
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
    for (let round = 0; round < 80; round += 1) {
      const before = this.api.writes;
      this.controllers();
      for (const pod of this.pods.filter(isUnfinished)) {
        if (pod.metadata.deletionTimestamp !== undefined) kubelet(this.api, pod, "finish");
        else if (!pod.worker?.running) kubelet(this.api, pod, "start");
        else kubelet(this.api, pod, "ready");
      }
      for (const pod of this.pods) if (pod.metadata.deletionTimestamp !== undefined) kubelet(this.api, pod, "finish");
      this.operator.catchUp();
      const acted = this.operator.look();
      this.advance(15 * seconds);
      if (!acted && before === this.api.writes && round > 8) return;
    }
    throw new Error(`it does not settle: ${JSON.stringify({ status: this.status, pods: this.pods.length })}`);
  }
}
