import { effectiveVolume } from "../../api/configuration.ts";
import type { Run } from "../../api/run-record.ts";
import { claimManifest, claimNameOf, growth, retention } from "../objects/claim.ts";
import { driftOf, writeDeployment } from "../objects/deployment.ts";
import { pinManifest } from "../objects/pin.ts";
import { deploymentOfRun } from "../objects/render.ts";
import type { Look } from "../sight/look.ts";
import { digestOf, pinNames } from "../sight/pin-identity.ts";
import type { Note, Write } from "../sight/plan.ts";
import { putBackWaitMs } from "../sight/put-backs.ts";
import { remainsOf } from "../sight/remains.ts";
import type { PinContent } from "../sight/snapshot.ts";
import { lookAgainMs, type Step } from "../sight/steps.ts";
import { resumeBlockerOf, takenPin } from "./blockers.ts";
import { nextClaim, nextRevision } from "./revision.ts";

/** Keeps a run as it was pinned. */
export function upkeepStep(look: Look): Step {
  const { workflow, own, run, pin, record } = look;
  if (run === undefined) return { type: "settled" };
  const taken = pin === undefined ? takenPin(look, run.pin) : undefined;
  if (taken !== undefined) return taken;
  const content = pin?.content ?? lostContent(look);
  if (content === undefined) {
    return {
      type: "blocked",
      reason: "RevisionLost",
      message: `ConfigMap ${run.pin}, which says what run ${run.run} runs, is gone or was replaced, and cannot be made again. The pods are left alone; stop and start the workflow, or set spec.restart`,
      lookAgainMs,
    };
  }
  const writes: Write[] = [...pinWrites(look, run, content), ...missingClaim(look, content)];
  const spec = deploymentOfRun(content.deployment, run, content.configuration.spec.worker.replicas);
  if (own === undefined) {
    const blocker = resumeBlockerOf(look) ?? othersRemain(look, run);
    if (blocker !== undefined) return blocker;
    if (!look.fresh) return { type: "lookAfresh" };
    const note = putBack(`Made Deployment ${workflow.metadata.name} again: run ${run.run} goes on`);
    return { type: "change", writes: [...writes, { ...writeDeployment(workflow, undefined, spec, record), note }] };
  }
  const drift = driftOf(look, own, spec);
  const waitMs = putBackWaitMs(look.memory.putBacks, look.nowMs);
  if (drift.length > 0 && waitMs > 0 && writes.length === 0) {
    const message = `Deployment ${own.metadata.name} is changed again and again, and put back less and less often`;
    return { type: "waiting", message, lookAgainMs: waitMs };
  }
  if (drift.length > 0 && waitMs === 0) {
    // Who changed it, only the API server tells.
    if (!look.fresh) return { type: "lookAfresh" };
    const who = own.editor === undefined ? "" : `, changed by ${own.editor}`;
    const note = putBack(
      `Put back Deployment ${own.metadata.name} (${drift.join(", ")}${who}): edit the workflow instead`,
    );
    writes.push({ ...writeDeployment(workflow, own, spec, record), note });
  }
  return writes.length === 0 ? { type: "settled" } : { type: "upkeep", writes };
}

/** Pods of another run than the one that goes on: only an old status, or somebody's hand, brings that about. */
function othersRemain({ nowMs, pods }: Look, { run }: Run): Step | undefined {
  const others = pods.filter((pod) => pod.run !== run);
  const remains = remainsOf(nowMs, undefined, [], others);
  return remains && { type: "waiting", message: remains.message, lookAgainMs: remains.saysMoreInMs };
}

/** Makes the pin again under its name. What took its place with another content can only be replaced, in two looks. */
function pinWrites({ workflow, pin, ownPins }: Look, run: Run, content: PinContent): readonly Write[] {
  if (pin !== undefined) return [];
  const base = { kind: "ConfigMap", name: run.pin } as const;
  const taken = ownPins.find(({ metadata }) => metadata.name === run.pin);
  if (taken !== undefined) return [{ ...base, verb: "delete", target: taken.metadata }];
  const note = putBack(`Made ConfigMap ${run.pin} again, which run ${run.run} needs`);
  return [{ ...base, verb: "create", manifest: pinManifest(workflow, run.pin, content), note }];
}

/** What takes force at once, run or no run: whether the claim goes with the workflow. Also growth, while it runs. */
export function claimUpkeep(look: Look): readonly Write[] {
  const volume = effectiveVolume(look.workflow.spec);
  const claim = nextClaim(look)?.claim;
  if (volume === undefined || claim === undefined) return [];
  const keep = retention(claim, look.workflow, volume.whenDeleted);
  const pinned = look.active ? look.pin?.content?.configuration.spec.queue.volume?.size : undefined;
  const grow = pinned === undefined ? undefined : growth(claim, pinned);
  return [keep, grow].filter((write) => write !== undefined);
}

/** What the run ran, from what is known beside the lost pin: the same content again, or nothing. */
function lostContent(look: Look): PinContent | undefined {
  const { run, memory } = look;
  if (run === undefined) return undefined;
  return [memory.pin?.content, nextRevision(look).content].find((content) => {
    if (content === undefined) return false;
    const digest = digestOf(content);
    return run.digest === undefined
      ? pinNames(look.workflow.metadata.name, digest).some((name) => name === run.pin)
      : digest === run.digest;
  });
}

/** The claim of a running workflow was deleted: without it no pod can be placed. */
function missingClaim({ workflow, claims }: Look, { deployment, configuration }: PinContent): readonly Write[] {
  const name = claimNameOf(deployment);
  const { volume } = configuration.spec.queue;
  if (name === undefined || volume === undefined || claims.some(({ metadata }) => metadata.name === name)) return [];
  const manifest = claimManifest(workflow, name, volume);
  const note = putBack(`Made PersistentVolumeClaim ${name} again, empty: the worker reads everything anew`);
  return [{ verb: "create", kind: "PersistentVolumeClaim", name, manifest, note }];
}

function putBack(note: string): Note {
  return { type: "Warning", reason: "PutBack", action: "PutBack", note };
}
