import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { refusalInWords } from "../health/refusal-advice.ts";
import { claimNameOf, isUsable } from "../objects/claim.ts";
import { networkPolicyName } from "../objects/network-policy.ts";
import { imageOf } from "../objects/render.ts";
import { isAskedToRun, type Look } from "../sight/look.ts";
import { isEnding, ownerOf, standingOf } from "../sight/ownership.ts";
import { refusalWaitMs, triedAgain } from "../sight/refusals.ts";
import { holderOf } from "../sight/rivals.ts";
import type { DeploymentSpec, OwnedKind, SeenMetadata } from "../sight/snapshot.ts";
import { lookAgainMs, type Step } from "../sight/steps.ts";
import { isPermitted } from "./permissions.ts";
import { lastDeployment, type Revision } from "./revision.ts";

type Blocker = Extract<Step, { type: "blocked" | "waiting" }>;

/** What forbids a start for which all names are free, most telling first; undefined: nothing does. */
export function blockerOf(look: Look, next: Revision): Blocker | undefined {
  return notPermitted(look, next) ?? takenFields(look) ?? queueNotEmpty(look, next) ?? recentRefusal(look);
}

/** An object of a derived name that is not ours: of an earlier workflow, or being deleted, it goes; anybody else's stays theirs. */
export function takenName(look: Look, next: Revision | undefined, pinName: string | undefined): Blocker | undefined {
  for (const [kind, metadata, isOurs] of named(look, next, pinName)) {
    const taken = takenBy(look, kind, metadata, isOurs);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

/** An object that is not ours, or not for long, and has the name of the current run's pin. */
export function takenPin(look: Look, pinName: string): Blocker | undefined {
  const found = look.pins.find(({ metadata }) => metadata.name === pinName);
  return found && takenBy(look, "ConfigMap", found.metadata, false);
}

function takenBy({ workflow }: Look, kind: OwnedKind, metadata: SeenMetadata, isOurs: boolean): Blocker | undefined {
  const standing = standingOf(metadata, workflow);
  if (isEnding(metadata) || standing === "earlier") {
    const why = isEnding(metadata) ? "is being deleted" : `belongs to an earlier workflow of this name`;
    return { type: "waiting", message: `Waiting for ${kind} ${metadata.name} to go: it ${why}`, lookAgainMs };
  }
  if (isOurs || standing !== "foreign") return undefined;
  return {
    type: "blocked",
    reason: "NameConflict",
    message: `${kind} ${metadata.name} belongs to ${ownerOf(metadata)} and has the name that this workflow needs: rename or delete it, or give the workflow another name`,
    lookAgainMs,
  };
}

function named(
  look: Look,
  next: Revision | undefined,
  pinName: string | undefined,
): readonly (readonly [OwnedKind, SeenMetadata, boolean])[] {
  const { workflow, deployment, networkPolicy } = look;
  const claim = look.claims.find(({ metadata }) => metadata.name === next?.claim?.name);
  const pin = look.pins.find(({ metadata }) => metadata.name === pinName);
  return [
    ...(deployment === undefined ? [] : [["Deployment", deployment.metadata, false] as const]),
    ...(networkPolicy?.metadata.name === networkPolicyName(workflow)
      ? [["NetworkPolicy", networkPolicy.metadata, false] as const]
      : []),
    ...(claim === undefined ? [] : [["PersistentVolumeClaim", claim.metadata, isUsable(claim, workflow)] as const]),
    ...(pin === undefined ? [] : [["ConfigMap", pin.metadata, false] as const]),
  ];
}

function notPermitted({ policy }: Look, { content }: Revision): Blocker | undefined {
  const image = imageOf(content.configuration.spec, policy.defaultWorkerImage);
  if (image !== policy.defaultWorkerImage && !isPermitted(image, policy.allowedWorkerImages)) {
    return {
      type: "blocked",
      reason: "ImageNotPermitted",
      message: `worker.image ${image} is not permitted by the operator: leave it out, or have the operator started with it in --allowed-worker-images`,
      lookAgainMs,
    };
  }
  const account = content.configuration.spec.worker.template?.serviceAccountName;
  if (account !== undefined && !isPermitted(account, policy.allowedServiceAccounts)) {
    return {
      type: "blocked",
      reason: "ServiceAccountNotPermitted",
      message: `worker.template.serviceAccountName ${account} is not permitted by the operator: leave it out, or have the operator started with it in --allowed-service-accounts`,
      lookAgainMs,
    };
  }
  return undefined;
}

/** An opt-out has one way: two workflows that write the same field by different rules undo each other. */
function takenFields({ rivals, workflow }: Look): Blocker | undefined {
  const rival = rivals.find(({ standing }) => standing !== "stopping") ?? rivals[0];
  if (rival === undefined) return undefined;
  const { name, type, fields, standing } = rival;
  const holder = holderOf(rival);
  if (standing === "stopping") {
    return { type: "waiting", message: `Waiting for workflow ${name} to stop: ${holder}`, lookAgainMs };
  }
  const [it, field] = fields.length === 1 ? ["it", "field"] : ["them", "fields"];
  const remedy = rival.isMendedByRestart
    ? `restart ${name}, which was edited and runs with the ${field} still`
    : `take ${it} out of one of the two (${mappingsOf(workflow.spec.type)} here, ${mappingsOf(type)} there, which then must be restarted), or stop ${name}`;
  return {
    type: "blocked",
    reason: "FieldConflict",
    message: `${holder.replace(/^the/, "The")}: ${remedy}. This workflow starts by itself then`,
    lookAgainMs,
  };
}

function mappingsOf(type: IntegrationWorkflow["spec"]["type"]): string {
  return type === "OptInOut" ? "optInOut.mappings" : "ingress.mappings of resource profile";
}

/** Records that wait in one queue are not carried to another. */
function queueNotEmpty(look: Look, next: Revision): Blocker | undefined {
  const former = lastDeployment(look);
  const { backlog, backlogEstimated } = look.workflow.status ?? {};
  // Never told: no worker has ever read a record. Estimated: the last ones may not have been counted.
  if (former === undefined || backlog === undefined || (backlog === 0 && backlogEstimated !== true)) return undefined;
  const formerPlace = placeOf(former);
  const nextPlace = placeOf(next.content.deployment);
  if (formerPlace === nextPlace || isGone(look, former)) return undefined;
  return {
    type: "blocked",
    reason: "QueueNotEmpty",
    message: `spec.queue moves from ${formerPlace} to ${nextPlace} while records wait in the former: put spec.queue back, start, let the backlog drain to 0, stop, and move then${wayOut(former)}`,
    lookAgainMs,
  };
}

function placeOf(deployment: DeploymentSpec): string {
  const claim = claimNameOf(deployment);
  return claim === undefined ? "a database" : `volume claim ${claim}`;
}

/** The former claim was deleted: what waited in it is given up. */
function isGone(look: Look, former: DeploymentSpec): boolean {
  const claim = claimNameOf(former);
  return claim !== undefined && !look.claims.some(({ metadata }) => metadata.name === claim && !isEnding(metadata));
}

function wayOut(former: DeploymentSpec): string {
  const claim = claimNameOf(former);
  return claim === undefined ? "" : `; or give up what waits, by deleting PersistentVolumeClaim ${claim}`;
}

/** The API server said no to this very start a moment ago. */
function recentRefusal({ memory, nowMs, workflow }: Look): Blocker | undefined {
  const { refusal } = memory;
  const againMs = refusalWaitMs(refusal, workflow.metadata.generation, nowMs);
  if (refusal === undefined || againMs === 0) return undefined;
  return {
    type: "blocked",
    reason: "Refused",
    message: `The API server refused ${refusal.object}: ${refusalInWords(refusal.message, workflow.metadata.namespace)}. ${triedAgain}`,
    lookAgainMs: againMs,
  };
}

/** What the run needs that was started, when its Deployment is gone. */
export function resumeBlockerOf(look: Look): Blocker | undefined {
  if (!isAskedToRun(look)) return undefined;
  return takenName(look, undefined, undefined) ?? recentRefusal(look);
}
