/** What must be so of a run that begins, beside what it runs. */
import type { DeploymentSpec, PinContent, Snapshot } from "../../../../src/operator/sight/snapshot.ts";
import { must } from "./must.ts";
import { isOwnedBy } from "./truth.ts";

/** @param former what the run before ran */
export function checkBegun(
  { workflow, policy, claims, deployment: seen }: Snapshot,
  { deployment }: PinContent,
  former: PinContent | undefined,
): void {
  const { containers = [], serviceAccountName = "" } = deployment.template.spec ?? {};
  const permits = (list: readonly string[], name: string): boolean =>
    list.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.replace("*", "")) : name === entry));
  for (const { image = "" } of containers) {
    const isPermitted = permits([policy.defaultWorkerImage, ...policy.allowedWorkerImages], image);
    must(isPermitted, "no image runs that the operator does not permit", () => image);
  }
  const isAccountPermitted = serviceAccountName === "" || permits(policy.allowedServiceAccounts, serviceAccountName);
  must(isAccountPermitted, "no service account runs that the operator does not permit", () => serviceAccountName);
  const place = placeOf(deployment);
  const claim = claims.find(({ metadata }) => metadata.name === place);
  if (claim !== undefined) {
    const isFree = (claim.metadata.ownerReferences ?? []).length === 0;
    must(isFree || isOwnedBy(claim.metadata, workflow), "no volume of somebody else is mounted", () => place);
  }
  // Where nothing tells of the run before, nobody knows where its records are.
  if (former === undefined || seen === undefined || placeOf(former.deployment) === place) return;
  const formerPlace = placeOf(former.deployment);
  const isGone = formerPlace !== undefined && !claims.some(({ metadata }) => metadata.name === formerPlace);
  const { backlog = 0 } = workflow.status ?? {};
  must(isGone || backlog === 0, "a queue that is not empty is not left behind", () => [formerPlace, place, backlog]);
}

/** The claim of the queue; undefined: a database. */
function placeOf({ template }: DeploymentSpec): string | undefined {
  const volume = template.spec?.volumes?.find(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
  return volume?.persistentVolumeClaim?.claimName;
}

/** The one that the workflows of a walk may both have. */
export function hasOptOut({ configuration: { spec } }: PinContent): boolean {
  if (spec.optInOut !== undefined) return spec.optInOut.direction !== "Disabled";
  return spec.ingress?.mappings.some(({ constants = [] }) => constants.length > 0) ?? false;
}
