import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import type { Client } from "../../kubernetes/client.ts";
import { isAlreadyExists, isConflict, isForbidden, isInvalid, isNotFound } from "../../kubernetes/errors.ts";
import type { EventRecorder } from "../../kubernetes/events.ts";
import type { KubernetesObject, ObjectRef, ResourceKind } from "../../kubernetes/objects.ts";
import type { Logger } from "../../telemetry/log.ts";
import { canonicalJson } from "../json.ts";
import type { Note, Plan, Write } from "../sight/plan.ts";
import type { DeploymentSpec, OwnedKind, Snapshot } from "../sight/snapshot.ts";
import { mergePatch, statusChange } from "../status/status-patch.ts";
import type { CounterBudget } from "./counter-budget.ts";
import type { Memories } from "./memory.ts";
import { claims, configMaps, deployments, networkPolicies, projectDeployment, workflows } from "./projections.ts";
import { cacheOf, type Watched } from "./watched.ts";

export interface ActOptions {
  /** Whose every write asks first whether this process still leads. */
  readonly client: Client;
  readonly watched: Watched;
  readonly memories: Memories;
  readonly budget: CounterBudget;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** A status was written. */
  readonly onStatus?: (snapshot: Snapshot, status: WorkflowStatus) => void;
}

/** done: as planned. again: the world has changed meanwhile, or said no; decide anew. An error is worth a later try. */
export type ActOutcome = { readonly type: "done"; readonly waitMs?: number } | { readonly type: "again" };

const kinds: Readonly<Record<OwnedKind, ResourceKind>> = {
  Deployment: deployments,
  ConfigMap: configMaps,
  PersistentVolumeClaim: claims,
  NetworkPolicy: networkPolicies,
};

/** Carries a plan out, write by write; each fails by itself when what it was decided on is not so any more. */
export async function act(options: ActOptions, key: string, snapshot: Snapshot, plan: Plan): Promise<ActOutcome> {
  for (const write of plan.writes) {
    const outcome = await actWrite(options, key, snapshot, write);
    if (outcome === "again") return { type: "again" };
  }
  return plan.status === undefined ? { type: "done" } : actStatus(options, key, snapshot, plan.status, plan.notes);
}

async function actWrite(options: ActOptions, key: string, snapshot: Snapshot, write: Write): Promise<"done" | "again"> {
  const { memories, logger } = options;
  const object = `${write.kind} ${write.name}`;
  const fingerprint = write.dispensable
    ? canonicalJson([write.verb, object, "patch" in write ? write.patch : null])
    : "";
  if (memories.of(key).refused.has(fingerprint)) return "done";
  try {
    const changed = await send(options, key, snapshot, write);
    logger.info("wrote", { workflow: key, verb: write.verb, object, changed });
    if (changed && write.note !== undefined) record(options, snapshot, write.note);
    return "done";
  } catch (error) {
    if (isAlreadyExists(error)) {
      logger.info("name is taken", { workflow: key, object });
      memories.noteTaken(key, write.kind, write.name);
      return "again";
    }
    if (isConflict(error) || isNotFound(error)) {
      logger.info("changed meanwhile", { workflow: key, object });
      return "again";
    }
    if (!isForbidden(error) && !isInvalid(error)) throw error;
    const message = error.message;
    if (write.dispensable) {
      memories.noteRefused(key, fingerprint);
      record(options, snapshot, {
        type: "Warning",
        reason: "Refused",
        action: write.verb,
        note: `${object}: ${message}`,
      });
      return "done";
    }
    logger.warn("refused", { workflow: key, object, error });
    const { generation } = snapshot.workflow.metadata;
    memories.noteRefusal(key, { object, message, atMs: snapshot.nowMs, generation });
    return "again";
  }
}

/** @returns whether the API server stored anything new */
async function send(options: ActOptions, key: string, snapshot: Snapshot, write: Write): Promise<boolean> {
  const { client, watched, memories } = options;
  const kind = kinds[write.kind];
  const ref = { namespace: snapshot.workflow.metadata.namespace, name: write.name };
  const cache = cacheOf(watched, write.kind);
  memories.noteWritten(key, write.kind, `${ref.namespace}/${ref.name}`);
  if (write.verb === "delete") {
    const { uid, resourceVersion } = write.target;
    const left = await client.delete(kind, ref, { precondition: { uid, resourceVersion } });
    if (left === undefined) cache.noteDeletion(ref, uid);
    else cache.noteWrite(left);
    return true;
  }
  const answer = await stored(client, kind, ref, write);
  cache.noteWrite(answer);
  if (write.kind === "Deployment" && write.verb !== "patch") noteDeployment(memories, key, write.manifest, answer);
  return write.verb === "create" || answer.metadata.resourceVersion !== write.target.resourceVersion;
}

function stored(
  client: Client,
  kind: ResourceKind,
  ref: ObjectRef,
  write: Exclude<Write, { verb: "delete" }>,
): Promise<KubernetesObject> {
  switch (write.verb) {
    case "create":
      return client.create(kind, write.manifest);
    case "replace": {
      const { uid, resourceVersion } = write.target;
      const metadata = { ...write.manifest.metadata, ...ref, uid, resourceVersion };
      return client.update(kind, { ...write.manifest, metadata });
    }
    case "patch": {
      const { uid, resourceVersion } = write.target;
      return client.mergePatch(kind, ref, write.patch, { precondition: { uid, resourceVersion } });
    }
  }
}

/** What the API server made of the Deployment, webhooks and defaults applied, is what it is compared with from now on. */
function noteDeployment(memories: Memories, key: string, manifest: object, answer: KubernetesObject): void {
  // A Deployment was sent, and a Deployment came back.
  const sent = (manifest as { spec: DeploymentSpec }).spec;
  const { metadata, spec } = projectDeployment(answer as Parameters<typeof projectDeployment>[0]);
  memories.note(key, { accepted: { uid: metadata.uid, sent, stored: spec }, refusal: undefined });
}

async function actStatus(
  options: ActOptions,
  key: string,
  snapshot: Snapshot,
  status: WorkflowStatus,
  notes: readonly Note[],
): Promise<ActOutcome> {
  const { client, watched, memories, budget, logger } = options;
  const { workflow, nowMs } = snapshot;
  const change = statusChange(workflow.status ?? {}, status);
  if (change === "none") return { type: "done" };
  const waitMs = change === "counters" ? budget.waitMs(key, nowMs) : 0;
  if (waitMs > 0) return { type: "done", waitMs };
  const { name, namespace, uid, resourceVersion } = workflow.metadata;
  const patch = { status: mergePatch(workflow.status ?? {}, status) };
  memories.noteWritten(key, "IntegrationWorkflow", key);
  try {
    const answer = await client.mergePatch(workflows, { namespace, name }, patch, {
      subresource: "status",
      precondition: { uid, resourceVersion },
    });
    watched.workflows.cache.noteWrite(answer);
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
    logger.debug("status changed meanwhile", { workflow: key });
    return { type: "again" };
  }
  logger.debug("wrote status", { workflow: key, change });
  budget.noteWrite(key, nowMs);
  for (const note of notes) {
    logger.info("state", { workflow: key, state: status.state, reason: note.reason, run: status.appliedRevision?.run });
    record(options, snapshot, note);
  }
  options.onStatus?.(snapshot, status);
  return { type: "done" };
}

function record({ events }: ActOptions, { workflow }: Snapshot, note: Note): void {
  events.record({ kind: workflows, object: workflow, ...note });
}
