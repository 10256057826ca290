import { createHash } from "node:crypto";
import type { EffectiveSpec } from "../../api/configuration.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import type { Manifest } from "../../kubernetes/objects.ts";
import { isEnding, ownerReference, ownLabels, standingOf } from "../sight/ownership.ts";
import type { PatchWrite } from "../sight/plan.ts";
import type { ClaimSeen, DeploymentSpec } from "../sight/snapshot.ts";
import { quantityValue } from "./quantity.ts";

type Volume = NonNullable<EffectiveSpec["queue"]["volume"]>;

/** The claim that a start would use. */
export interface ClaimChoice {
  readonly name: string;
  /** Absent: it has to be made. */
  readonly claim: ClaimSeen | undefined;
}

/**
 * The workflow's claim that fits: the one that the last run used, else the one of the usual name, else any. A claim that
 * an earlier workflow of this name left behind is found by its labels. When there are claims and none fits (another
 * storage class), a new one is made beside them: nothing that holds records is ever deleted here.
 */
export function chooseClaim(
  workflow: IntegrationWorkflow,
  volume: Volume,
  claims: readonly ClaimSeen[],
  lastUsed: string | undefined,
): ClaimChoice {
  const usualName = `${workflow.metadata.name}-queue`;
  const usable = claims.filter((claim) => isUsable(claim, workflow));
  const fitting = usable
    .filter((claim) => fits(claim, volume))
    .sort((left, right) => rank(left) - rank(right) || (left.metadata.name < right.metadata.name ? -1 : 1));
  const [claim] = fitting;
  if (claim !== undefined) return { name: claim.metadata.name, claim };
  if (usable.length === 0) return { name: usualName, claim: undefined };
  const hash = createHash("sha256")
    .update(`${volume.storageClassName ?? ""}|${volume.accessMode}`)
    .digest("hex");
  return { name: `${usualName}-${hash.slice(0, 4)}`, claim: undefined };

  function rank({ metadata }: ClaimSeen): number {
    if (metadata.name === lastUsed) return 0;
    return metadata.name === usualName ? 1 : 2;
  }
}

/** Ours, or kept by an earlier workflow of this name: then it has our label and nobody owns it. */
export function isUsable({ metadata }: ClaimSeen, workflow: IntegrationWorkflow): boolean {
  if (isEnding(metadata)) return false;
  if (standingOf(metadata, workflow) === "mine") return true;
  const isLabelled = Object.entries(ownLabels(workflow)).every(([name, value]) => metadata.labels?.[name] === value);
  return isLabelled && (metadata.ownerReferences ?? []).length === 0;
}

/** The claim that a rendered Deployment mounts. */
export function claimNameOf(deployment: DeploymentSpec): string | undefined {
  const volumes = deployment.template.spec?.volumes ?? [];
  return volumes.find((volume) => volume.persistentVolumeClaim !== undefined)?.persistentVolumeClaim?.claimName;
}

export function claimManifest(workflow: IntegrationWorkflow, name: string, volume: Volume): Manifest {
  const manifest = {
    metadata: {
      name,
      namespace: workflow.metadata.namespace,
      labels: ownLabels(workflow),
      ...(volume.whenDeleted === "Delete" ? { ownerReferences: [ownerReference(workflow)] } : {}),
    },
    spec: {
      accessModes: [volume.accessMode],
      ...(volume.storageClassName === undefined ? {} : { storageClassName: volume.storageClassName }),
      resources: { requests: { storage: volume.size } },
    },
  };
  return manifest;
}

/** Makes a claim larger; undefined when it is large enough. */
export function growth(claim: ClaimSeen, size: string): PatchWrite | undefined {
  const [present, asked] = [quantityValue(claim.size), quantityValue(size)];
  if (present === undefined || asked === undefined || asked <= present) return undefined;
  return {
    verb: "patch",
    kind: "PersistentVolumeClaim",
    name: claim.metadata.name,
    target: claim.metadata,
    patch: { spec: { resources: { requests: { storage: size } } } },
    // A storage class that cannot grow its volumes must not keep a workflow from running.
    dispensable: true,
  };
}

/** Makes a claim go, or stay, with the workflow; undefined when it already does. */
export function retention(
  claim: ClaimSeen,
  workflow: IntegrationWorkflow,
  whenDeleted: Volume["whenDeleted"],
): PatchWrite | undefined {
  const present = claim.metadata.ownerReferences ?? [];
  const others = present.filter(({ uid }) => uid !== workflow.metadata.uid);
  const isOwned = others.length < present.length;
  if (isOwned === (whenDeleted === "Delete")) return undefined;
  const ownerReferences = isOwned ? others : [...others, ownerReference(workflow)];
  if (sameJson(ownerReferences, present)) return undefined;
  return {
    verb: "patch",
    kind: "PersistentVolumeClaim",
    name: claim.metadata.name,
    target: claim.metadata,
    patch: { metadata: { ownerReferences } },
    dispensable: true,
  };
}

function fits(claim: ClaimSeen, volume: Volume): boolean {
  const isClass = volume.storageClassName === undefined || claim.storageClassName === volume.storageClassName;
  return isClass && claim.accessModes.includes(volume.accessMode);
}
