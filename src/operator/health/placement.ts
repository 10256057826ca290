import type { ClaimSeen, PodSeen } from "../sight/snapshot.ts";
import { quote } from "./quote.ts";

/** Why a pod has no node, in the scheduler's words less its counts of nodes, which move; and what to do. */
export function whyUnplaced(pod: PodSeen, said: string, claims: readonly ClaimSeen[]): string {
  const reasons = reasonsOf(said);
  const advice = advices.flatMap(([pattern, remedy]) =>
    reasons.some((reason) => pattern.test(reason)) ? [remedy(claims, pod.metadata.namespace)] : [],
  );
  const told = reasons.length === 0 ? quote(said) : quote(reasons.join("; "));
  return [told, ...new Set(advice)].join(". ");
}

/**
 * `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). no new claims to deallocate, preemption: ...`
 * Source: FitError.Error of kube-scheduler 1.36
 */
function reasonsOf(said: string): readonly string[] {
  const [, reasons = ""] = /^\d+\/\d+ nodes are available: (.*)$/s.exec(said) ?? [];
  const [own = ""] = reasons.split(/(?<=[^.])\.? ?(?:no new claims to deallocate|preemption:)/);
  return [
    ...new Set(
      own
        .replace(/\. not found$/, "")
        .replace(/\.\s*$/, "")
        .split(/, (?=\d+ )/)
        .map((reason) => reason.replace(/^\d+ /, "").trim())
        .filter((reason) => reason !== ""),
    ),
  ].sort();
}

type Remedy = (claims: readonly ClaimSeen[], namespace: string) => string;

/** The most telling first: nodes that nobody may use are in every cluster. */
const advices: readonly (readonly [RegExp, Remedy])[] = [
  [
    /unbound immediate PersistentVolumeClaims/,
    (claims, namespace) => unboundClaim(claims, namespace) ?? "See that the claim is bound: kubectl describe pvc",
  ],
  [
    /persistentvolumeclaim "[^"]*" (?:not found|is being deleted)/,
    () => "The operator makes the claim again; one that is being deleted must go first",
  ],
  [
    /PersistentVolume's node affinity|volume node affinity conflict|no available volume zone/,
    (claims) =>
      `The volume of ${claimsInWords(claims)} can be used on other nodes alone (its zone, or its node): see that one of those is up and has room, and that worker.template lets the pod there`,
  ],
  [
    /didn't match Pod's node affinity|didn't match Pod's node selector/,
    () =>
      "Correct worker.template.nodeSelector or affinity and restart, or label a node as they want it (kubectl get nodes --show-labels)",
  ],
  [
    /anti-affinity|topology spread/,
    () => "Loosen worker.template.affinity or topologySpreadConstraints and restart, or add a node",
  ],
  [
    /^Insufficient |^Too many pods/,
    () => "Ask for less in worker.resources.requests and restart, or add a node with room",
  ],
  [/unschedulable$/, () => "Nodes are cordoned: kubectl uncordon those that are to be used again"],
  [
    /untolerated taint/,
    () =>
      "For a tainted node, name its taint in worker.template.tolerations and restart (kubectl describe node shows it); a node that is down has one too",
  ],
];

/** The workflow's claim that has no volume yet, and why that may be; undefined: each has one. */
export function unboundClaim(claims: readonly ClaimSeen[], namespace: string): string | undefined {
  const claim = claims.find(({ bound }) => bound === false);
  if (claim === undefined) return undefined;
  const { name } = claim.metadata;
  const remedy =
    claim.storageClassName === undefined || claim.storageClassName === ""
      ? "Name a storage class in queue.volume.storageClassName and restart, or mark one as the default"
      : `See that storage class ${claim.storageClassName} exists and that its provisioner runs`;
  return `PersistentVolumeClaim ${name} has no volume. ${remedy}: kubectl describe pvc -n ${namespace} ${name} says more`;
}

export function claimsInWords(claims: readonly ClaimSeen[]): string {
  const names = claims.map(({ metadata }) => metadata.name);
  return names.length === 0 ? "the workflow" : `PersistentVolumeClaim ${names.join(", ")}`;
}
