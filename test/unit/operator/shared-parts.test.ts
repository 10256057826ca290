import { expect, test } from "vitest";
import { SharedParts } from "../../../src/operator/shell/shared-parts.ts";
import type { DeploymentSpec } from "../../../src/operator/sight/snapshot.ts";
import { running } from "./moments.ts";

/** With changes of the worker's container. */
function specWith(changes: object = {}): DeploymentSpec {
  const [deployment] = running().api.stored.Deployment.values();
  if (deployment === undefined) throw new Error("there is no Deployment");
  const { template } = structuredClone(deployment.spec);
  const containers = (template.spec?.containers ?? []).map((container) => ({ ...container, ...changes }));
  return { ...deployment.spec, template: { ...template, spec: { ...template.spec, containers } } };
}

test("what two Deployments have in common is kept once, and both stay what they were", () => {
  const parts = new SharedParts();
  const image = "registry.example/other:1";
  const [one, other] = [specWith(), specWith({ image })];
  const [first, second] = [parts.specOf(one), parts.specOf(other)];
  expect([first, second]).toEqual([one, other]);
  const [worker] = first.template.spec?.containers ?? [];
  const [otherWorker] = second.template.spec?.containers ?? [];
  expect(otherWorker?.image).toBe(image);
  expect(otherWorker?.livenessProbe).toBe(worker?.livenessProbe);
  expect(otherWorker?.resources).toBe(worker?.resources);
  expect(otherWorker?.volumeMounts).toBe(worker?.volumeMounts);
  expect(second.template.spec?.securityContext).toBe(first.template.spec?.securityContext);
});

test("parts that differ in anything are not taken for one another", () => {
  const parts = new SharedParts();
  const one = parts.specOf(specWith());
  const edited = specWith({ readinessProbe: { failureThreshold: 9 } });
  const other = parts.specOf(edited);
  expect(other).toEqual(edited);
  expect(other).not.toEqual(one);
});
