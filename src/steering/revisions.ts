/** The runs of a workflow and what each of them ran. */
import type { V1ConfigMap, V1Deployment } from "@kubernetes/client-node";
import { ConfigurationError, configurationKey, type EffectiveSpec, parseConfiguration } from "../api/configuration.ts";
import { type Run, readRecord, runsAnnotation } from "../api/run-record.ts";
import type { Client, PatchOperation } from "../kubernetes/client.ts";
import { isNotFound } from "../kubernetes/errors.ts";
import type { ResourceKind, Stored } from "../kubernetes/objects.ts";
import type { LiveWorkflow } from "./workflow.ts";

const configMaps: ResourceKind<Stored<V1ConfigMap>> = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
const deployments: ResourceKind<Stored<V1Deployment>> = {
  group: "apps",
  version: "v1",
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};

export interface RecordedRun extends Run {
  /** It was started and not stopped. */
  readonly active: boolean;
}

/** What there is to go back to is not there. */
export class RevisionError extends Error {
  override readonly name = "RevisionError";
  readonly code = "RevisionNotFound";
}

/** The recorded runs, newest first; none before the first start. */
export async function runsOf(client: Client, { metadata, status }: LiveWorkflow): Promise<readonly RecordedRun[]> {
  const { namespace, name } = metadata;
  const deployment = await client.get(deployments, { namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const isOurs = deployment?.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true;
  const record = isOurs ? readRecord(deployment.metadata.annotations?.[runsAnnotation]) : undefined;
  if (record !== undefined) {
    return record.runs.map((run, index) => ({ ...run, active: record.active && index === 0 }));
  }
  const last = status?.appliedRevision;
  if (last === undefined) return [];
  const { run, generation, appliedAt } = last;
  return [{ run, pin: last.name, generation, startedAt: appliedAt, active: status?.state === "RUNNING" }];
}

/**
 * What a revision ran.
 * @param name of the pin, as runs and status name it
 * @throws RevisionError when it is not kept any more or is another workflow's
 */
export async function revisionSpec(client: Client, { metadata }: LiveWorkflow, name: string): Promise<EffectiveSpec> {
  const pin = await client.get(configMaps, { namespace: metadata.namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (pin === undefined || pin.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) !== true) {
    throw new RevisionError(
      `there is no revision ${name} of ${metadata.name}: spec.revisionHistoryLimit says how many are kept`,
    );
  }
  try {
    return parseConfiguration(pin.data?.[configurationKey] ?? "").spec;
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new RevisionError(`revision ${name} cannot be read by this version: ${cause.message}`, { cause });
  }
}

/** The edit that goes back to a revision. */
export function backTo(revision: EffectiveSpec, workflow: LiveWorkflow): readonly PatchOperation[] {
  return [{ op: "replace", path: "/spec", value: asOfRevision(revision, workflow) }];
}

/** The spec with what a revision ran. Whether to run stays as it is, and what runs too, until a stop and start. */
export function asOfRevision(revision: EffectiveSpec, { spec }: LiveWorkflow) {
  const { state, restart, revisionHistoryLimit } = spec;
  return { state, ...(restart === undefined ? {} : { restart }), ...revision, revisionHistoryLimit };
}
