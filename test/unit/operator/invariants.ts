import { expect } from "vitest";
import { effectiveSpec } from "../../../src/api/configuration.ts";
import { labels } from "../../../src/api/group.ts";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { isReady } from "../../../src/operator/health/state-of.ts";
import { sameJson } from "../../../src/operator/json.ts";
import { isUnfinished } from "../../../src/operator/sight/remains.ts";
import { readRecord, runsAnnotation } from "../../../src/operator/sight/run-record.ts";
import type { DeploymentSeen } from "../../../src/operator/sight/snapshot.ts";
import { templateOf } from "./tiny-api.ts";
import type { World } from "./world.ts";

/** What must be so at every moment of a walk, and at its end. */
export class Invariants {
  readonly #world: World;
  readonly #templates = new Map<number, string>();
  readonly #started: number[] = [];
  #asks = 0;
  #before: WorkflowStatus = {};

  constructor(world: World) {
    this.#world = world;
    world.api.onDelete = ({ kind, name }) => {
      expect([kind, name], "the pin of the current run is never deleted").not.toEqual([
        "ConfigMap",
        world.record?.runs[0]?.pin,
      ]);
    };
    world.api.onDeploymentWritten = (_before, after) => this.#deploymentWritten(after);
  }

  /** A user has asked for a run: a start, or a restart. */
  asked(): void {
    this.#asks += 1;
  }

  check(): void {
    const { api, status } = this.#world;
    const unfinished = [...api.stored.Pod.values()].filter(isUnfinished);
    const runs = new Set(unfinished.map(({ run }) => run));
    expect(runs.size, "two runs at once").toBeLessThanOrEqual(1);
    expect(this.#started.length, "more runs than anybody asked for").toBeLessThanOrEqual(this.#asks);
    this.#checkFailed(status);
    if (status.state === "STOPPED" && this.#before.state !== "STOPPED" && this.#world.deployment?.spec.replicas === 0) {
      expect(unfinished, "STOPPED is told when the last pod has ended").toEqual([]);
    }
    this.#before = status;
  }

  /** After everything worked for a while. */
  checkSettled(): void {
    const { workflow, status, api, operator } = this.#world;
    const isAsked = workflow.spec.state === "Running";
    expect(status.state).toBe(isAsked ? "RUNNING" : "STOPPED");
    expect(this.#world.condition("Ready")?.status).toBe("True");
    expect(status.observedGeneration).toBe(workflow.metadata.generation);
    const { record } = this.#world;
    const pin = api.stored.ConfigMap.get(record?.runs[0]?.pin ?? "");
    if (isAsked) {
      expect(status.handledRestart).toBe(workflow.spec.restart ?? status.handledRestart);
      expect(pin, "the run's pin is there").toBeDefined();
      const isSame = sameJson(effectiveSpec(workflow.spec), pin?.content?.configuration.spec);
      expect(status.pendingRestart, "pending says what differs").toBe(!isSame);
    } else {
      expect([...api.stored.Pod.values()].filter(isUnfinished)).toEqual([]);
      expect(status.pendingRestart).toBe(false);
    }
    const before = api.writes;
    for (let looks = 0; looks < 3; looks += 1) operator.look();
    expect(api.writes, "no write when nothing changed").toBe(before);
  }

  #deploymentWritten(after: DeploymentSeen): void {
    const record = readRecord(after.metadata.annotations?.[runsAnnotation]);
    const [run] = record?.runs ?? [];
    expect(run, "every write records its run").toBeDefined();
    if (record?.active !== true || run === undefined) {
      expect(after.spec.replicas).toBe(0);
      return;
    }
    expect(after.spec.template.metadata?.labels?.[labels.run]).toBe(String(run.run));
    const known = this.#templates.get(run.run);
    if (known === undefined) {
      this.#templates.set(run.run, templateOf(after.spec));
      this.#started.push(run.run);
      const latest = Math.max(0, ...[...this.#templates.keys()].filter((number) => number !== run.run));
      expect(run.run, "runs count up").toBeGreaterThan(latest);
      expect(this.#world.pods.filter(isUnfinished), "a run starts when the earlier one is gone").toEqual([]);
    } else expect(templateOf(after.spec), "a run keeps its template").toBe(known);
  }

  #checkFailed(status: WorkflowStatus): void {
    if (this.#before.state !== "FAILED" || status.state === "FAILED") return;
    if (status.state === "STARTING") {
      expect(status.appliedRevision?.run, "FAILED is left for STARTING by a new run alone").not.toBe(
        this.#before.appliedRevision?.run,
      );
    }
    if (status.state === "RUNNING" && status.appliedRevision?.run === this.#before.appliedRevision?.run) {
      // What the operator has seen, which may be behind.
      const steady = this.#world.operator.podsSeen
        .filter(isReady)
        .map(({ readySinceMs = 0 }) => this.#world.api.nowMs - readySinceMs);
      expect(Math.max(0, ...steady), "FAILED is left for RUNNING after 60 s of readiness").toBeGreaterThanOrEqual(
        60_000,
      );
    }
  }
}
