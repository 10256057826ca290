import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import { runsAnnotation } from "../../api/run-record.ts";
import type { Client, PatchOperation } from "../../kubernetes/client.ts";
import {
  type ApiError,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
  isWebhookAway,
} from "../../kubernetes/errors.ts";
import type { EventRecorder } from "../../kubernetes/events.ts";
import type { KubernetesObject, ObjectRef, ResourceKind } from "../../kubernetes/objects.ts";
import type { Logger } from "../../telemetry/log.ts";
import { lookAt } from "../sight/look.ts";
import type { Note, Plan, ReplaceWrite, Write } from "../sight/plan.ts";
import { withPutBack } from "../sight/put-backs.ts";
import { printOf } from "../sight/refusals.ts";
import type { DeploymentSpec, OwnedKind, Snapshot } from "../sight/snapshot.ts";
import { type StatusChange, statusChange } from "../status/status-change.ts";
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
  /** Epoch milliseconds. */
  readonly now: () => number;
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

const metadataOnly = { answer: "metadata" } as const;

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
  const { generation } = snapshot.workflow.metadata;
  const print = printOf(write, generation);
  if (memories.of(key).refused.has(print)) return "done";
  try {
    const changed = await send(options, key, snapshot, write);
    logger.info("wrote", { workflow: key, verb: write.verb, object, changed });
    if (changed && write.note !== undefined) record(options, snapshot, write.note);
    if (changed && write.kind === "Deployment" && write.note?.reason === "PutBack") {
      const { nowMs } = snapshot;
      memories.note(key, { putBacks: withPutBack(memories.of(key).memory.putBacks, nowMs) });
    }
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
    if (!isRefusal(error)) throw error;
    const message = error.said;
    if (write.dispensable) {
      memories.noteRefused(key, print);
      record(options, snapshot, refused(write, object, message));
      return "done";
    }
    logger.warn("refused", { workflow: key, object, error });
    const { refusal: before } = memories.of(key).memory;
    // Of now: what was written before it took its time, and the next try comes so long after this one.
    memories.noteRefusal(key, { object, message, atMs: options.now(), generation });
    // The same no again is no news; that of a start has its Event when the workflow is told to have FAILED.
    const isNews = before?.object !== object || before.message !== message;
    if (isNews && lookAt(snapshot).active) record(options, snapshot, refused(write, object, message));
    return "again";
  }
}

/** A no that is the cluster's will, and worth telling: trying again at once cannot help. */
function isRefusal(error: unknown): error is ApiError {
  return isForbidden(error) || isInvalid(error) || isWebhookAway(error);
}

function refused({ verb }: Write, object: string, message: string): Note {
  return { type: "Warning", reason: "Refused", action: verb, note: `${object}: ${message}` };
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
      // Of a Deployment, what was made of it is looked at.
      return client.create(kind, write.manifest, kind === deployments ? {} : metadataOnly);
    case "replace":
      return replaced(client, kind, ref, write);
    case "patch": {
      const { uid, resourceVersion } = write.target;
      return client.mergePatch(kind, ref, write.patch, { precondition: { uid, resourceVersion }, ...metadataOnly });
    }
  }
}

/**
 * Nothing is decided on what controllers write into status, and they do so all the time: the spec is replaced while it, and
 * the record of runs, are as they were seen. Where that is refused, a PUT tells what changed from what is not allowed.
 */
async function replaced(
  client: Client,
  kind: ResourceKind,
  ref: ObjectRef,
  { target, manifest }: ReplaceWrite,
): Promise<KubernetesObject> {
  const { uid, resourceVersion, generation, annotations } = target;
  const record = annotations?.[runsAnnotation];
  if (generation !== undefined && record !== undefined && "spec" in manifest) {
    const { labels = {}, annotations: wanted = {} } = manifest.metadata;
    try {
      return await client.jsonPatch(kind, ref, [
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "test", path: "/metadata/generation", value: generation },
        { op: "test", path: pointer("annotations", runsAnnotation), value: record },
        ...Object.entries(labels).map(([name, value]) => put(pointer("labels", name), value)),
        put(pointer("annotations", runsAnnotation), wanted[runsAnnotation]),
        put("/spec", manifest.spec),
      ]);
    } catch (error) {
      if (!isInvalid(error)) throw error;
    }
  }
  return client.update(kind, { ...manifest, metadata: { ...manifest.metadata, ...ref, uid, resourceVersion } });
}

function put(path: string, value: unknown): PatchOperation {
  return { op: "add", path, value };
}

/** A JSON pointer (RFC 6901) into the metadata. */
function pointer(map: "labels" | "annotations", name: string): string {
  return `/metadata/${map}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** What the API server made of the Deployment, webhooks and defaults applied, is what it is compared with from now on. */
function noteDeployment(memories: Memories, key: string, manifest: object, answer: KubernetesObject): void {
  // A Deployment was sent, and a Deployment came back.
  const sent = (manifest as { spec: DeploymentSpec }).spec;
  const { metadata, spec } = projectDeployment(answer as Parameters<typeof projectDeployment>[0]);
  // Where nothing was made of it, there is nothing to remember.
  const accepted = sameJson(sent, spec) ? undefined : { uid: metadata.uid, sent, stored: spec };
  memories.note(key, { accepted, refusal: undefined });
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
  const waitMs = waitOf(change, budget, key, nowMs);
  if (waitMs > 0) return { type: "done", waitMs };
  const { name, namespace, uid, resourceVersion } = workflow.metadata;
  memories.noteWritten(key, "IntegrationWorkflow", key);
  try {
    // Of what is put to this subresource only the status is taken. It costs the API server a tenth less than a patch.
    const metadata = { name, namespace, uid, resourceVersion };
    const options = { subresource: "status", ...metadataOnly } as const;
    const answer = await client.update(workflows, { metadata, status }, options);
    watched.workflows.cache.noteWrite(answer);
  } catch (error) {
    if (isRefusal(error)) tellRefusedStatus(options, key, snapshot, error.said);
    if (!isConflict(error) && !isNotFound(error)) throw error;
    logger.debug("status changed meanwhile", { workflow: key });
    return { type: "again" };
  }
  logger.debug("wrote status", { workflow: key, change });
  budget.noteWrite(key, nowMs);
  logTurns(logger, key, workflow.status ?? {}, status);
  for (const note of notes) {
    logger.info("state", { workflow: key, state: status.state, reason: note.reason, run: status.appliedRevision?.run });
    record(options, snapshot, note);
  }
  options.onStatus?.(snapshot, status);
  return { type: "done" };
}

/** What a workflow's log would not tell otherwise: what is asked of it, before it is so. Names of fields, never what is in them. */
function logTurns(logger: Logger, key: string, before: WorkflowStatus, now: WorkflowStatus): void {
  const isStopping = ({ conditions }: WorkflowStatus): boolean =>
    conditions?.some(({ type, reason }) => type === "Ready" && reason === "Stopping") ?? false;
  if (isStopping(now) && !isStopping(before)) logger.info("stopping", { workflow: key, run: now.appliedRevision?.run });
  if (now.pendingRestart === (before.pendingRestart ?? false)) return;
  const fields = now.pendingChanges?.map(({ path }) => path) ?? [];
  if (now.pendingRestart === true) logger.info("edit waits for a restart", { workflow: key, fields });
  else logger.info("no edit waits", { workflow: key });
}

/** Where status cannot say it, an Event does, once. */
function tellRefusedStatus(options: ActOptions, key: string, snapshot: Snapshot, message: string): void {
  const note = `The status cannot be written, and tells of the past: ${message}`;
  if (options.memories.of(key).refused.has(note)) return;
  options.memories.noteRefused(key, note);
  record(options, snapshot, { type: "Warning", reason: "Refused", action: "UpdateStatus", note });
}

function waitOf(change: StatusChange, budget: CounterBudget, key: string, nowMs: number): number {
  switch (change) {
    case "counters":
      return budget.waitMs(key, nowMs);
    case "words":
      return budget.wordsWaitMs(key, nowMs);
    default:
      return 0;
  }
}

function record({ events }: ActOptions, { workflow }: Snapshot, note: Note): void {
  events.record({ kind: workflows, object: workflow, ...note });
}
