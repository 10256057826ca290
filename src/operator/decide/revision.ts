import { effectiveSpec, effectiveVolume } from "../../api/configuration.ts";
import { type ClaimChoice, chooseClaim, claimNameOf } from "../objects/claim.ts";
import { renderDeployment } from "../objects/render.ts";
import type { Look } from "../sight/look.ts";
import type { DeploymentSpec, PinContent } from "../sight/snapshot.ts";

/** What a start would run now. */
export interface Revision {
  readonly content: PinContent;
  /** The queue's volume; absent when the queue is a database. */
  readonly claim: ClaimChoice | undefined;
}

export function nextRevision(look: Look): Revision {
  const { workflow, policy } = look;
  const { name, namespace, uid } = workflow.metadata;
  const configuration = { workflow: { name, namespace, uid }, spec: effectiveSpec(workflow.spec) };
  const claim = nextClaim(look);
  const { defaultWorkerImage } = policy;
  return {
    content: {
      configuration,
      deployment: renderDeployment({ configuration, defaultWorkerImage, claimName: claim?.name }),
    },
    claim,
  };
}

/** What the current run runs, or the last one ran; of a pin that is lost the Deployment still tells. */
export function lastDeployment({ pin, own }: Look): DeploymentSpec | undefined {
  return pin?.content?.deployment ?? own?.spec;
}

/** The queue's volume that a start would mount now; undefined when the queue is a database. */
export function nextClaim(look: Look): ClaimChoice | undefined {
  const { workflow, claims } = look;
  const volume = effectiveVolume(workflow.spec);
  const last = lastDeployment(look);
  const lastUsed = last === undefined ? undefined : claimNameOf(last);
  return volume === undefined ? undefined : chooseClaim(workflow, volume, claims, lastUsed);
}
