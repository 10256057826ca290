import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import { type RunRecord, runsAnnotation, writeRecord } from "../../api/run-record.ts";
import type { Manifest } from "../../kubernetes/objects.ts";
import type { Look } from "../sight/look.ts";
import { ownerReference, ownLabels } from "../sight/ownership.ts";
import type { CreateWrite, ReplaceWrite } from "../sight/plan.ts";
import type { DeploymentSeen, DeploymentSpec } from "../sight/snapshot.ts";
import { asStored } from "./as-stored.ts";

/**
 * The Deployment's write: a POST when there is none, else a PUT of all that is ours. A PUT and not an apply, because what
 * another manager added to the template must go too.
 */
export function writeDeployment(
  workflow: IntegrationWorkflow,
  own: DeploymentSeen | undefined,
  spec: DeploymentSpec,
  record: RunRecord,
): CreateWrite | ReplaceWrite {
  const { name, namespace } = workflow.metadata;
  const base = { kind: "Deployment", name } as const;
  const runs = { [runsAnnotation]: writeRecord(record) };
  if (own === undefined) {
    const manifest = {
      metadata: {
        name,
        namespace,
        labels: ownLabels(workflow),
        annotations: runs,
        ownerReferences: [ownerReference(workflow)],
      },
      spec,
    };
    return { ...base, verb: "create", manifest };
  }
  const { metadata } = own;
  const manifest: Manifest & { spec: DeploymentSpec } = {
    metadata: {
      name,
      namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      labels: { ...metadata.labels, ...ownLabels(workflow) },
      annotations: { ...metadata.annotations, ...runs },
      ownerReferences: metadata.ownerReferences ?? [],
      ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
    },
    spec,
  };
  return { ...base, verb: "replace", target: metadata, manifest };
}

/** Mostly word for word, which is quickly seen. */
function isSame(stored: DeploymentSpec, expected: DeploymentSpec): boolean {
  return sameJson(stored, expected) || sameJson(asStored(stored), asStored(expected));
}

/** What of the Deployment is not as it was written; empty: nothing. */
export function driftOf(look: Look, own: DeploymentSeen, spec: DeploymentSpec): readonly string[] {
  const { accepted } = look.memory;
  const isKnown = accepted?.uid === own.metadata.uid && sameJson(accepted.sent, spec);
  const expected = isKnown ? accepted.stored : spec;
  const labels = Object.entries(ownLabels(look.workflow));
  const record = own.metadata.annotations?.[runsAnnotation];
  return [
    ...(own.spec.replicas === expected.replicas ? [] : ["replicas"]),
    ...(isSame({ ...own.spec, replicas: 0 }, { ...expected, replicas: 0 }) ? [] : ["template"]),
    ...(labels.every(([name, value]) => own.metadata.labels?.[name] === value) ? [] : ["labels"]),
    ...(record === writeRecord(look.record) ? [] : ["record of runs"]),
  ];
}
