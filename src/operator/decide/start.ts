import { sameJson } from "../../api/json.ts";
import type { Run, RunRecord } from "../../api/run-record.ts";
import { claimManifest, growth } from "../objects/claim.ts";
import { writeDeployment } from "../objects/deployment.ts";
import { networkPolicyManifest, networkPolicyName, networkPolicySpec } from "../objects/network-policy.ts";
import { pinManifest, pinNameFor } from "../objects/pin.ts";
import { deploymentOfRun } from "../objects/render.ts";
import type { Look } from "../sight/look.ts";
import { digestOf } from "../sight/pin-identity.ts";
import type { Write } from "../sight/plan.ts";
import { keptRuns } from "../sight/run-record.ts";
import type { Step } from "../sight/steps.ts";
import { rfc3339 } from "../time.ts";
import { blockerOf, takenName } from "./blockers.ts";
import { nextRevision, type Revision } from "./revision.ts";

/** A start: only when everything of the earlier run is gone; then everything is pinned anew. */
export function startStep(look: Look): Step {
  const { workflow, remains, nowMs, ownPins, record } = look;
  const next = nextRevision(look);
  const pinName = pinNameFor(next.content, workflow.metadata.name, ownPins);
  const waiting =
    remains && ({ type: "waiting", message: remains.message, lookAgainMs: remains.saysMoreInMs } as const);
  // While an own run ends, that is what is waited for; else whose objects are in the way says more than their pods.
  if (waiting !== undefined && look.own !== undefined) return waiting;
  const blocker = takenName(look, next, pinName) ?? waiting ?? blockerOf(look, next);
  if (blocker !== undefined) return blocker;
  if (!look.fresh) return { type: "lookAfresh" };

  const run: Run = {
    run: (record.runs[0]?.run ?? 0) + 1,
    pin: pinName,
    digest: digestOf(next.content),
    generation: workflow.metadata.generation,
    startedAt: rfc3339(nowMs),
  };
  const started: RunRecord = {
    active: true,
    handledRestart: workflow.spec.restart ?? record.handledRestart,
    runs: keptRuns([run, ...record.runs], workflow.spec.revisionHistoryLimit),
  };
  const spec = deploymentOfRun(next.content.deployment, run, next.content.configuration.spec.worker.replicas);
  const hasPin = ownPins.some(({ metadata }) => metadata.name === pinName);
  return {
    type: "change",
    writes: [
      ...claimWrites(look, next),
      ...networkPolicyWrites(look),
      ...(hasPin ? [] : [createPin(look, pinName, next)]),
      // The last write: with it the run begins.
      writeDeployment(workflow, look.own, spec, started),
    ],
  };
}

function createPin({ workflow }: Look, name: string, { content }: Revision): Write {
  return { verb: "create", kind: "ConfigMap", name, manifest: pinManifest(workflow, name, content) };
}

/** The claim, as large as asked for. */
function claimWrites({ workflow }: Look, { claim, content }: Revision): readonly Write[] {
  const { volume } = content.configuration.spec.queue;
  if (claim === undefined || volume === undefined) return [];
  if (claim.claim === undefined) {
    const manifest = claimManifest(workflow, claim.name, volume);
    return [{ verb: "create", kind: "PersistentVolumeClaim", name: claim.name, manifest }];
  }
  const grow = growth(claim.claim, volume.size);
  return grow === undefined ? [] : [grow];
}

/** Looked at once a run: whoever changes it meanwhile is not fought. */
function networkPolicyWrites({ workflow, networkPolicy }: Look): readonly Write[] {
  const name = networkPolicyName(workflow);
  const base = { kind: "NetworkPolicy", name } as const;
  if (networkPolicy === undefined) return [{ ...base, verb: "create", manifest: networkPolicyManifest(workflow) }];
  const spec = networkPolicySpec(workflow);
  if (sameJson(networkPolicy.spec, spec)) return [];
  return [{ ...base, verb: "patch", target: networkPolicy.metadata, patch: { spec } }];
}
