import { effectiveSpec } from "../../api/configuration.ts";
import { type ClaimChoice, chooseClaim, claimNameOf } from "../objects/claim.ts";
import { renderDeployment } from "../objects/render.ts";
import type { Look } from "../sight/look.ts";
import type { PinContent } from "../sight/snapshot.ts";

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
  const { volume } = configuration.spec.queue;
  const lastUsed = look.pin?.content === undefined ? undefined : claimNameOf(look.pin.content.deployment);
  const claim = volume === undefined ? undefined : chooseClaim(workflow, volume, look.claims, lastUsed);
  const { defaultWorkerImage } = policy;
  return {
    content: {
      configuration,
      deployment: renderDeployment({ configuration, defaultWorkerImage, claimName: claim?.name }),
    },
    claim,
  };
}
